// One training run from settings to a finished folder.
import { type Dataset, type EncodedExamples, splitOf } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { jsonText } from "../hub/index.ts";
import type { Evaluation, Outcome } from "../infer/index.ts";
import { isHead } from "../peft/index.ts";
import { methodName, type Settings } from "../settings/index.ts";
import { sizeOf, type Tensor } from "../tensor/index.ts";
import {
  type EvalEvent,
  openOptimizer,
  type Stepper,
  type TrainEvent,
  train,
  type WarningEvent,
} from "../train/index.ts";
import type { Running, Stoppable, TrainEstimate, TrainedRun } from "./api.ts";
import { type BaseModel, linearSites, missingHead, openBaseModel } from "./base-model.ts";
import type { Environment } from "./environment.ts";
import { openEvaluator } from "./evaluator.ts";
import type { OpenedTarget } from "./opened-target.ts";
import { writeOutcomes } from "./outcomes.ts";
import { methodOver } from "./quantized-base.ts";
import { referenceLosses } from "./reference.ts";
import { methodOnBase, runExtras, usualTargets, withExtras } from "./run-method.ts";
import type { RunRecord } from "./run-record.ts";
import { RunWriter } from "./run-writer.ts";
import { running } from "./running.ts";
import { trainingBatches } from "./task-batches.ts";
import { encodeSplit, headOf, openData } from "./task-data.ts";
import { type Lesson, learnedFrom, openTeacher } from "./teacher.ts";
import { gateValues, removalOptions, weightControl } from "./train-extras.ts";
import { writeTrainedPart } from "./trained-part.ts";
import { checkPositions, initTokenIds } from "./virtual-tokens.ts";

/** Newest checkpoints kept besides the best. */
const KEPT_CHECKPOINTS = 2;
/** Larger than a training batch: nothing is kept for a backward pass. */
const EVAL_BATCH = 32;
/** Steps that an estimate is made from. */
const TIMED_STEPS = 2;

export interface TrainOptions extends Stoppable {
  /** What the plain run of a comparison said; without it, it is read from `--reference`. */
  readonly reference?: readonly TrainEvent[];
  /** The settings' teacher where it is open already; without it, it is opened by its name. */
  readonly teacher?: OpenedTarget;
}

/** Trains by `settings`; events are also written to the run's folder when there is one. */
export function trainRun(
  environment: Environment,
  settings: Settings,
  options: TrainOptions = {},
): Running<TrainEvent, TrainedRun> {
  return running(trainEvents(environment, settings, options));
}

async function* trainEvents(
  environment: Environment,
  settings: Settings,
  options: TrainOptions,
): AsyncGenerator<TrainEvent, TrainedRun> {
  const { job, plain, lesson } = await prepareLesson(environment, settings, options);
  const { files } = environment;
  const { signal } = options;
  const record: RunRecord = { ...job.record, result: null };
  if (lesson === null) return { record, folder: null, interrupted: true };
  const optimizer = await openStepper(job);
  const evaluator = await openEvaluator({
    ...job,
    batchSize: EVAL_BATCH,
    padding: settings.data.padding,
    answers: settings.answers,
    maxTargetLength: settings.data.maxTargetLength,
    seed: settings.seed,
  });
  let lastBest: EvalEvent | null = null;
  let outcomes: readonly Outcome[] = [];
  let writer: RunWriter | null = null;
  try {
    // last, when all input has proved good: a refused run leaves nothing behind
    writer = settings.output === null ? null : await RunWriter.open(files, settings.output, record);
    const events = train({
      ...trainerFacts(job, lesson, optimizer, plain),
      optimizer,
      evaluate: async (trained) => {
        const { split, examples, loss, metrics, density } = await evaluator.evaluate(
          trained,
          job.evalSplit,
          job.evalExamples,
          (found) => {
            outcomes = found;
          },
        );
        return { split, examples, loss, metrics, density };
      },
      checkpoints: writer && {
        files,
        folder: writer.checkpoints,
        keep: KEPT_CHECKPOINTS,
        saveSteps: settings.saveSteps,
        fingerprint: job.stateKey,
        resume: settings.resume,
        beforeSave: () => writer!.flush(),
      },
      rssBytes: () => environment.rssBytes(),
      ...(signal ? { signal } : {}),
    });
    for (let next = await events.next(); ; next = await events.next()) {
      if (next.done) {
        const { trained, interrupted } = next.value;
        const result = interrupted
          ? null
          : await bestEvaluation(job, writer, lastBest, () =>
              evaluator.evaluate(trained, job.evalSplit, job.evalExamples),
            );
        const finished: RunRecord = { ...record, result };
        if (writer && !interrupted) {
          await saveTrained(job, writer, trained, result);
          await writer.record(finished);
        }
        return { record: finished, folder: settings.output, interrupted };
      }
      const event = next.value;
      if (event.type === "eval" && event.best) {
        lastBest = event;
        // before the event: a resume from behind it must find them
        if (writer) await writeOutcomes(files, writer.folder, outcomes);
      }
      await writer?.event(event);
      yield event;
      if (event.type === "start")
        for (const warning of job.warnings) {
          // a resumed run's file has them from its first start
          if (event.fromStep === 0) await writer?.event(warning);
          yield warning;
        }
    }
  } finally {
    // after a failure, what the disk still takes is kept; the failure itself is what must be told
    await writer?.flush().catch(() => {});
    await optimizer.dispose();
    await evaluator.dispose();
  }
}

/** What `--dry-run` says: everything is opened and checked, nothing trained or written. */
export async function estimateRun(environment: Environment, settings: Settings): Promise<TrainEstimate> {
  const { job, lesson } = await prepareLesson(environment, settings, {}, TIMED_STEPS);
  const optimizer = await openStepper(job);
  try {
    const started = performance.now();
    const timed = Math.min(TIMED_STEPS, job.totalSteps);
    const epoch = lesson!.batches.epoch(0);
    const rates = { learningRate: 0, densityWeight: settings.density.weight, epsilon: settings.density.epsilon.to };
    for (let step = 0; step < timed; step++)
      await optimizer.step(step + 1, [epoch.batch(step % job.batches.batchesPerEpoch)], rates);
    const stepMs = (performance.now() - started) / timed;
    return {
      trainableParameters: trainableCount(optimizer),
      totalParameters: totalCount(optimizer),
      trainExamples: job.trainExamples.count,
      evalExamples: job.evalExamples.count,
      totalSteps: job.totalSteps,
      weightBytes: 4 * totalCount(optimizer),
      peakRssBytes: environment.rssBytes(),
      durationMs: stepMs * job.totalSteps * settings.optim.accumulate,
    };
  } finally {
    await optimizer.dispose();
  }
}

type Job = Awaited<ReturnType<typeof prepareLesson>>["job"];

/** All that can be known and refused before a step; the teacher is asked last, and not kept. */
async function prepareLesson(
  environment: Environment,
  settings: Settings,
  { reference, teacher: open, signal }: TrainOptions,
  steps = Number.POSITIVE_INFINITY,
) {
  const { teacher, ...job } = await prepare(environment, settings, open);
  const plain = await referenceLosses(environment.files, settings, job.totalSteps, reference);
  const lesson = await learnedFrom(teacher, { ...job, steps: Math.min(steps, job.totalSteps), signal });
  return { job, plain, lesson };
}

async function prepare(environment: Environment, given: Settings, openedTeacher?: OpenedTarget) {
  const { files } = environment;
  const base = await openBaseModel(environment, given.model, undefined, given.quantize ?? null);
  const settings: Settings = { ...given, method: usualTargets(given.method, base) };
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
    method,
    dataset,
    task,
    head,
    alsoTrains,
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

function openStepper(job: Job): Promise<Stepper> {
  const { settings, base, method, head, alsoTrains, backend } = job;
  const { density, optim, seed, distillation = null } = settings;
  return openOptimizer({
    model: base.model,
    method,
    head,
    alsoTrains,
    distillation,
    weights: base.weights,
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

function trainerFacts(job: Job, { batches, chanceLoss }: Lesson, optimizer: Stepper, plain: readonly number[] | null) {
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
    removal: removalOptions(settings, job.base, job.method, totalSteps),
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

const trainableCount = (optimizer: Stepper) =>
  optimizer.graph.trainable.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
const totalCount = (optimizer: Stepper) =>
  optimizer.graph.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** The evaluation of the best parameters: as it was noted when they were found, in this process or before a resume. */
async function bestEvaluation(
  job: Job,
  writer: RunWriter | null,
  last: EvalEvent | null,
  measure: () => Promise<Evaluation>,
): Promise<Evaluation> {
  const history = writer ? await writer.history() : [];
  const noted = last ?? history.filter((event) => event.type === "eval").findLast((event) => event.best);
  if (!noted) return measure();
  const { split, examples, loss, metrics, density, durationMs } = noted;
  return {
    task: job.task.name,
    split,
    examples,
    loss,
    metrics,
    density,
    timing: { examplesPerSecond: (examples / durationMs) * 1000, totalMs: durationMs },
  };
}

async function saveTrained(
  job: Job,
  writer: RunWriter,
  trained: ReadonlyMap<string, Tensor>,
  result: Evaluation | null,
): Promise<void> {
  const { environment, method, base, task, dataset, settings } = job;
  await writer.trained((folder) =>
    writeTrainedPart(environment.files, folder, trained, {
      method,
      base,
      labels: task.labels,
      toolVersion: environment.versions["deft-tune"] ?? "0",
      density: settings.density.weight === 0 ? null : { ...settings.density },
      removal: settings.removal && { ...settings.removal },
      gates: settings.gates && { ...settings.gates, values: gateValues(trained) },
      report: result ? { ...result.density } : null,
      data: {
        task: task.name,
        fingerprint: dataset.fingerprint,
        ...(task.unanswerable ? { unanswerable: true } : {}),
      },
    }),
  );
}

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
