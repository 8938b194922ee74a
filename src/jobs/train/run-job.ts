// What a run is made of, opened and checked before its first step: base, method, data, batches, optimiser.
import { type Dataset, type EncodedExamples, isWords, splitOf, type Task } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { encodeSplit, openData, trainingBatches } from "../../evaluate/index.ts";
import { type JsonObject, jsonText, sampledPart } from "../../hub/index.ts";
import {
  type BaseModel,
  checkPositions,
  headClasses,
  headOf,
  initTokenIds,
  methodOnBase,
  methodOnModel,
  methodOver,
  missingHead,
  type OpenedTarget,
  openBaseModel,
  runExtras,
  withExtras,
} from "../../load/index.ts";
import { isHeadName, linearSites } from "../../models/index.ts";
import type { Method } from "../../peft/index.ts";
import {
  type Environment,
  type Fingerprints,
  type RunRecord,
  readRun,
  type Stoppable,
  withExcerpts,
} from "../../runs/index.ts";
import { keySettings, methodName, type Settings } from "../../settings/index.ts";
import { type TrainingBundle, taskRecord } from "../../tasks/index.ts";
import { elementCount, type Files, joinPath } from "../../tensor/index.ts";
import {
  CompactingOptimizer,
  type GateOptions,
  openOptimizer,
  type TrainEvent,
  type TrainStep,
  type WarningEvent,
} from "../../train/index.ts";
import { checkContent } from "../job-content.ts";
import { isBalanceable, weightsByName, weightsOfClasses } from "./class-weights.ts";
import type { OwnMetric } from "./own-metric.ts";
import { referenceLosses } from "./reference.ts";
import { stepMemory } from "./step-memory.ts";
import { openTeacher, type TrainingBatches, withTeacherLogits } from "./teacher.ts";
import type { Teacher } from "./teacher-logits.ts";
import { compactionOptions, removalOptions, weightControl } from "./train-extras.ts";

export interface TrainOptions extends Stoppable {
  /** What the plain run of a comparison said; without it, it is read from `--reference`. */
  readonly reference?: readonly TrainEvent[];
  /** The settings' teacher where it is open already; without it, it is opened by its name. */
  readonly teacher?: OpenedTarget;
  /** Tells the best evaluation, in place of the task's metric. */
  readonly metric?: OwnMetric;
  /** What base, data and teacher must hold; a part that is not here may hold anything. */
  readonly fingerprints?: Fingerprints;
}

/** What is given beside the settings. */
interface Prepared extends Pick<TrainOptions, "teacher" | "fingerprints"> {
  readonly metric?: OwnMetric | null;
}

/** A run as it was prepared. */
export type TrainingJob = Omit<Awaited<ReturnType<typeof prepare>>, "teacher">;

/** All that can be known and refused before a step; the teacher is asked last, and not kept. */
export async function* prepareTraining(
  environment: Environment,
  settings: Settings,
  { reference, signal, ...given }: TrainOptions,
  steps = Number.POSITIVE_INFINITY,
) {
  const { teacher, ...job } = await prepare(environment, settings, given);
  const plain = await referenceLosses(environment.files, settings, job.totalSteps, reference);
  const lesson = yield* withTeacherLogits(teacher, {
    ...job,
    head: job.bundle.head,
    steps: Math.min(steps, job.totalSteps),
    signal,
  });
  return { job, plain, lesson };
}

/** A run opened and checked, before its teacher is asked. */
export async function prepare(
  environment: Environment,
  given: Settings,
  { metric = null, teacher: openedTeacher, fingerprints }: Prepared,
) {
  const { files } = environment;
  const { quantize, copyBase: isCopied } = given;
  const base = await openBaseModel(environment, given.model, undefined, { quantize, isCopied });
  const settings: Settings = { ...given, method: methodOnModel(given.method, base) };
  checkPositions(base, settings.method, settings.data.maxLength);
  const { method, settled } = trainedMethods(settings, base);
  const begun = await begunLabels(files, settings);
  const dataset = await openData(files, settings, begun === null ? { classes: headClasses(base) } : { labels: begun });
  const { task } = dataset;
  const head = headOf(task, base);
  checkClasses(dataset);
  method.check(linearSites(base.model, base.weights));
  const alsoTrains = missingHead(base, head);
  const bundle: TrainingBundle = { model: base.model, weights: base.weights, method, head, alsoTrains };
  const teacher = await openTeacher(environment, settings, { task, head }, openedTeacher);
  const evalSplit = task.evalSplits[0]!;
  const trainExamples = await encodeSplit(splitOf(dataset, task.trainSplit), base, settings.data, task, {
    forTraining: true,
  });
  const { split: excerpted, excerpts } = withExcerpts(splitOf(dataset, evalSplit));
  const evalExamples = await encodeSplit(excerpted, base, settings.data, task);
  const classWeights = weightsOfClasses(settings, task, head, trainExamples);
  const batches = trainingBatches(trainExamples, head, settings);
  const stepsPerEpoch = Math.ceil(batches.batchesPerEpoch / settings.optim.accumulate);
  const totalSteps = settings.optim.maxSteps ?? Math.max(1, Math.ceil(settings.optim.epochs * stepsPerEpoch));
  const opened = { environment, settings, base, bundle, dataset, task, teacher, classWeights, metric };
  const record = recordOf(opened);
  checkContent(fingerprints, record.fingerprints, {
    base: `--model ${settings.model}`,
    data: `--data ${settings.data.path}`,
    teacher: `--teacher ${settings.distillation?.teacher}`,
  });
  return {
    ...opened,
    settled,
    evalSplit,
    trainExamples,
    evalExamples,
    evalExcerpts: excerpts(),
    batches,
    totalSteps,
    record,
    canBalance: classWeights === null && isBalanceable(task, head, trainExamples),
    backend: environment.backend(settings.backend, settings.threads),
    stateKey: stateKeyOf(opened, totalSteps),
    warnings: [
      ...dataset.notes.map((note) => warning("data", note)),
      ...newParts(base, alsoTrains),
      ...truncation(trainExamples, settings),
      ...cutWords(trainExamples, evalExamples),
    ],
  };
}

/** The method of a run with all that it adds, and `settled`, without the masks of neurons: for when none goes any more. */
function trainedMethods(settings: Settings, base: BaseModel): { readonly method: Method; readonly settled: Method } {
  const keepsZeros = settings.maskSafe ?? base.pruning !== null;
  const own = methodOnBase(settings.method, keepsZeros, initTokenIds(base, settings.method));
  const extras = runExtras(settings, base.model);
  return {
    method: methodOver(base.quantization, withExtras(own, extras)),
    settled: methodOver(base.quantization, withExtras(own, { ...extras, masks: false })),
  };
}

/** What a run is made of, before its examples are encoded. */
interface OpenedJob {
  readonly environment: Environment;
  readonly settings: Settings;
  readonly base: BaseModel;
  readonly bundle: TrainingBundle;
  readonly dataset: Dataset;
  readonly task: Task;
  readonly teacher: Teacher | null;
  /** In the order of logits; null where all weigh alike. */
  readonly classWeights: readonly number[] | null;
  readonly metric: OwnMetric | null;
}

function recordOf({
  environment,
  settings,
  base,
  dataset,
  task,
  teacher,
  classWeights,
  metric,
}: OpenedJob): Omit<RunRecord, "result"> {
  return {
    schema: 1,
    createdAt: new Date().toISOString(),
    settings,
    versions: environment.versions,
    fingerprints: {
      base: base.fingerprint,
      data: dataset.fingerprint,
      ...(teacher ? { teacher: teacher.fingerprint } : {}),
    },
    metricName: metric?.name ?? task.mainMetric,
    labels: task.labels,
    ...weightsByName(task, classWeights),
    architecture: base.model.architecture,
    ...(task.unanswerable ? { unanswerable: true } : {}),
  };
}

/** All that the steps of a run depend on, as text with sorted keys: settings read back from run.json have another order. */
function stateKeyOf(
  { settings, base, bundle, dataset, task, teacher, classWeights }: OpenedJob,
  totalSteps: number,
): string {
  return jsonText({
    // as in the checkpoints of version 0.1.0; the whole fingerprint is compared with that of run.json
    base: sampledPart(base.fingerprint),
    quantization: base.quantization?.format ?? null,
    dataset: dataset.fingerprint,
    ...(keySettings(settings) as JsonObject),
    // as numbers; absent without any, as in the checkpoints of versions that had none
    ...weightsByName(task, classWeights),
    method: { ...bundle.method.settings },
    // absent without one, as in the checkpoints of versions that had none
    ...(teacher ? { teacher: teacher.fingerprint, teacherWeight: teacher.weight } : {}),
    totalSteps,
  });
}

/** The classes of the run that is to be gone on with, whose head has them in this order; null where there is none. */
async function begunLabels(files: Files, { resume, output }: Settings): Promise<readonly string[] | null> {
  if (!resume || output === null || (await files.stat(joinPath(output, "run.json"))) === null) return null;
  const { labels } = (await readRun(files, output)).record;
  return labels.length === 0 ? null : labels;
}

/** The optimiser of a job, which gets smaller where neurons are removed. Errors as `openOptimizer`. */
export function openTrainStep(job: TrainingJob): Promise<TrainStep> {
  const { settings, bundle, backend, batches, classWeights } = job;
  const { density, optim, seed, distillation = null } = settings;
  const options = {
    ...bundle,
    distillation,
    classWeights,
    backend,
    seed,
    accumulate: optim.accumulate,
    weightDecay: optim.weightDecay,
    biasRate: optim.biasRate,
    maxGradNorm: optim.maxGradNorm,
    ...stepMemory(settings, batches, backend),
    density: density.weight === 0 ? null : { positions: density.positions, loss: density.loss },
    activeShare: (density.auto?.targetDensity ?? null) !== null,
    neuronEnergies: settings.removal !== null,
    gates: gateOptions(settings),
  };
  const compaction = compactionOptions(removalOptions(settings, bundle, job.totalSteps), job);
  return compaction ? CompactingOptimizer.open({ ...options, compaction }) : openOptimizer(options);
}

function gateOptions({ gates, optim }: Settings): GateOptions | null {
  if (gates === null) return null;
  if (gates.kind === "importance") return { kind: "importance" };
  return { kind: "sigmoid", weight: gates.weight, rate: gates.rate / optim.learningRate };
}

/** What the trainer is told of a job. */
export function trainerFacts(
  job: TrainingJob,
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
    metricName: job.metric?.name ?? task.mainMetric,
    evalSteps: settings.evalSteps,
    patience: settings.patience,
    keepRule: settings.keep,
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
  if (!train || !taskRecord(task.kind).hasClasses || task.labels.length >= 2) return;
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
function newParts({ weights, name, model }: BaseModel, alsoTrains: ReadonlySet<string>): WarningEvent[] {
  const misshapen = [...alsoTrains].filter((tensor) => weights.has(tensor));
  const lacking = [...alsoTrains].filter((tensor) => !weights.has(tensor) && !isHeadName(model, tensor));
  return [
    ...(misshapen.length === 0
      ? []
      : [warning("head", `${name} has a head for other classes; ${misshapen.join(", ")} are trained from scratch`)]),
    ...(lacking.length === 0
      ? []
      : [warning("head", `${name} lacks ${lacking.join(", ")}, which are trained from scratch`)]),
  ];
}

function truncation({ truncatedCount, count, maxLength }: EncodedExamples, { data }: Settings): WarningEvent[] {
  if (truncatedCount === 0) return [];
  const mend =
    maxLength < data.maxLength
      ? "the model and its tokenizer (model_max_length) take no more"
      : "raise --max-length to keep them whole";
  return [
    warning(
      "truncated",
      `${truncatedCount} of ${count} training examples are longer than ${maxLength} tokens and were cut; ${mend}`,
    ),
  ];
}

/** Words that no token is left of: what a text's label says of them is lost, and scores do not count them. */
function cutWords(train: EncodedExamples, evaluation: EncodedExamples): WarningEvent[] {
  const [learned, scored] = [train, evaluation].map((examples) => (isWords(examples) ? examples.cutWords : 0));
  if (learned === 0 && scored === 0) return [];
  const message = `${learned} words of the training examples and ${scored} of the evaluation examples lie behind ${train.maxLength} tokens: they are neither learned nor scored`;
  return [warning("truncated", message)];
}
