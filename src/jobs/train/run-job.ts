// What a run is made of, opened and checked before its first step: base, method, data, batches, optimiser.
import { type Dataset, type EncodedExamples, splitOf } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { encodeSplit, openData, trainingBatches } from "../../evaluate/index.ts";
import { jsonText } from "../../hub/index.ts";
import type { OpenedTarget } from "../../load/index.ts";
import {
  type BaseModel,
  checkPositions,
  headOf,
  initTokenIds,
  linearSites,
  methodOnBase,
  methodOnModel,
  methodOver,
  missingHead,
  openBaseModel,
  runExtras,
  withExtras,
} from "../../load/index.ts";
import { isHead } from "../../peft/index.ts";
import type { Environment, RunRecord, Stoppable } from "../../runs/index.ts";
import { methodName, type Settings } from "../../settings/index.ts";
import type { TrainingBundle } from "../../tasks/index.ts";
import { elementCount } from "../../tensor/index.ts";
import { openOptimizer, type TrainEvent, type TrainStep, type WarningEvent } from "../../train/index.ts";
import { referenceLosses } from "./reference.ts";
import { openTeacher, type TrainingBatches, withTeacherLogits } from "./teacher.ts";
import { removalOptions, weightControl } from "./train-extras.ts";

export interface TrainOptions extends Stoppable {
  /** What the plain run of a comparison said; without it, it is read from `--reference`. */
  readonly reference?: readonly TrainEvent[];
  /** The settings' teacher where it is open already; without it, it is opened by its name. */
  readonly teacher?: OpenedTarget;
}

/** A run as it was prepared. */
export type Job = Omit<Awaited<ReturnType<typeof prepare>>, "teacher">;

/** All that can be known and refused before a step; the teacher is asked last, and not kept. */
export async function* prepareTraining(
  environment: Environment,
  settings: Settings,
  { reference, teacher: open, signal }: TrainOptions,
  steps = Number.POSITIVE_INFINITY,
) {
  const { teacher, ...job } = await prepare(environment, settings, open);
  const plain = await referenceLosses(environment.files, settings, job.totalSteps, reference);
  const lesson = yield* withTeacherLogits(teacher, { ...job, steps: Math.min(steps, job.totalSteps), signal });
  return { job, plain, lesson };
}

async function prepare(environment: Environment, given: Settings, openedTeacher?: OpenedTarget) {
  const { files } = environment;
  const base = await openBaseModel(environment, given.model, undefined, given.quantize ?? null);
  const settings: Settings = { ...given, method: methodOnModel(given.method, base) };
  checkPositions(base, settings.method, settings.data.maxLength);
  const keepsZeros = settings.maskSafe ?? base.pruning !== null;
  const own = methodOnBase(settings.method, keepsZeros, initTokenIds(base, settings.method));
  const method = methodOver(base.quantization, withExtras(own, runExtras(settings, base.model)));
  const dataset = await openData(files, settings);
  const { task } = dataset;
  const head = headOf(task, base);
  checkClasses(dataset);
  method.check(linearSites(base));
  const alsoTrains = missingHead(base, head);
  const bundle: TrainingBundle = { model: base.model, weights: base.weights, method, head, alsoTrains };
  const teacher = await openTeacher(environment, settings, { task, head }, openedTeacher);
  const evalSplit = task.evalSplits[0]!;
  const trainExamples = await encodeSplit(splitOf(dataset, task.trainSplit), base, settings.data, task, {
    forTraining: true,
  });
  const evalExamples = await encodeSplit(splitOf(dataset, evalSplit), base, settings.data, task);
  const batches = trainingBatches(trainExamples, task, settings);
  const stepsPerEpoch = Math.ceil(batches.batchesPerEpoch / settings.optim.accumulate);
  const totalSteps = settings.optim.maxSteps ?? Math.max(1, Math.ceil(settings.optim.epochs * stepsPerEpoch));
  const record: Omit<RunRecord, "result"> = {
    schema: 1,
    createdAt: new Date().toISOString(),
    settings,
    versions: environment.versions,
    fingerprints: {
      base: base.fingerprint,
      data: dataset.fingerprint,
      ...(teacher ? { teacher: teacher.fingerprint } : {}),
    },
    metricName: task.mainMetric,
    labels: task.labels,
    ...(task.unanswerable ? { unanswerable: true } : {}),
  };
  return {
    environment,
    settings,
    base,
    bundle,
    dataset,
    task,
    teacher,
    evalSplit,
    trainExamples,
    evalExamples,
    batches,
    totalSteps,
    record,
    backend: environment.backend(settings.backend, settings.threads),
    // keys sorted: settings read back from run.json have another order than those just resolved
    stateKey: jsonText({
      base: base.fingerprint,
      quantization: base.quantization?.format ?? null,
      dataset: dataset.fingerprint,
      task: settings.task,
      data: { ...settings.data },
      method: { ...method.settings },
      density: { ...settings.density },
      removal: settings.removal && { ...settings.removal },
      gates: settings.gates && { ...settings.gates },
      // absent without one, as in the checkpoints of versions that had none
      ...(teacher ? { teacher: teacher.fingerprint, teacherWeight: teacher.weight } : {}),
      optim: { ...settings.optim },
      seed: settings.seed,
      evalSteps: settings.evalSteps,
      patience: settings.patience,
      totalSteps,
    }),
    warnings: [
      ...dataset.notes.map((note) => warning("data", note)),
      ...newParts(base, alsoTrains),
      ...truncation(trainExamples, settings),
    ],
  };
}

/** The optimiser of a job. Errors as `openOptimizer`. */
export function openTrainStep(job: Job): Promise<TrainStep> {
  const { settings, bundle, backend } = job;
  const { density, optim, seed, distillation = null } = settings;
  return openOptimizer({
    ...bundle,
    distillation,
    backend,
    seed,
    accumulate: optim.accumulate,
    weightDecay: optim.weightDecay,
    biasRate: optim.biasRate,
    maxGradNorm: optim.maxGradNorm,
    ...(settings.recompute === null ? {} : { recompute: settings.recompute }),
    ...(typeof settings.staged === "boolean" ? { staged: settings.staged } : {}),
    density: density.weight === 0 ? null : { positions: density.positions, loss: density.loss },
    activeShare: (density.auto?.targetDensity ?? null) !== null,
    neuronEnergies: settings.removal !== null,
    gates: settings.gates && { weight: settings.gates.weight, rate: settings.gates.rate / optim.learningRate },
  });
}

/** What the trainer is told of a job. */
export function trainerFacts(
  job: Job,
  { batches, chanceLoss }: TrainingBatches,
  optimizer: TrainStep,
  plain: readonly number[] | null,
) {
  const { settings, task, totalSteps, backend } = job;
  const { optim, density } = settings;
  return {
    batches,
    totalSteps,
    accumulate: optim.accumulate,
    schedule: {
      name: optim.schedule,
      learningRate: optim.learningRate,
      warmupSteps: Math.ceil(optim.warmupRatio * totalSteps),
      totalSteps,
    },
    density: {
      weight: density.weight,
      control: weightControl(settings, totalSteps, chanceLoss, plain),
      warmupSteps: density.auto ? 0 : Math.round(density.warmupRatio * totalSteps),
      cooldownSteps: Math.round(density.cooldownRatio * totalSteps),
      epsilon: density.epsilon,
      annealSteps: totalSteps,
    },
    removal: removalOptions(settings, job.bundle, totalSteps),
    chanceLoss,
    metricName: task.mainMetric,
    evalSteps: settings.evalSteps,
    patience: settings.patience,
    describe: {
      task: task.name,
      model: settings.model,
      method: methodName(settings),
      epochs: optim.epochs,
      batchSize: optim.batchSize * optim.accumulate,
      trainExamples: job.trainExamples.count,
      evalExamples: job.evalExamples.count,
      trainableParameters: trainableCount(optimizer),
      totalParameters: totalCount(optimizer),
      seed: settings.seed,
      backend: backend.name,
      threads: backend.threads,
    },
  };
}

export const trainableCount = (optimizer: TrainStep) =>
  optimizer.graph.trainable.reduce((sum, { shape }) => sum + elementCount(shape), 0);
export const totalCount = (optimizer: TrainStep) =>
  optimizer.graph.parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

function checkClasses({ task, splits }: Dataset): void {
  const train = splits.get(task.trainSplit);
  if (!train || task.kind !== "classification" || task.labels.length >= 2) return;
  throw new ConfigError([
    {
      path: "--data",
      expected: `at least two classes in ${train.file}`,
      got: `one, ${JSON.stringify(task.labels[0])}`,
    },
  ]);
}

function warning(code: string, message: string): WarningEvent {
  return { type: "warning", time: Date.now(), step: 0, code, message };
}

/** What a person would expect to come from the checkpoint, and does not. A plain encoder's new head is no surprise. */
function newParts({ weights, name: model }: BaseModel, alsoTrains: ReadonlySet<string>): WarningEvent[] {
  const misshapen = [...alsoTrains].filter((name) => weights.has(name));
  const lacking = [...alsoTrains].filter((name) => !weights.has(name) && !isHead(name));
  return [
    ...(misshapen.length === 0
      ? []
      : [warning("head", `${model} has a head for other classes; ${misshapen.join(", ")} are trained from scratch`)]),
    ...(lacking.length === 0
      ? []
      : [warning("head", `${model} lacks ${lacking.join(", ")}, which are trained from scratch`)]),
  ];
}

function truncation({ truncatedCount, count }: EncodedExamples, { data }: Settings): WarningEvent[] {
  if (truncatedCount === 0) return [];
  return [
    warning(
      "truncated",
      `${truncatedCount} of ${count} training examples are longer than ${data.maxLength} tokens and were cut; raise --max-length to keep them whole`,
    ),
  ];
}
