// One training run from settings to a finished folder.

import { openEvaluator } from "../../evaluate/index.ts";
import { explainNotFinite, writeTrainedPart } from "../../load/index.ts";
import type { Environment, RunRecord } from "../../runs/index.ts";
import { checkFree, type Running, RunWriter, running, writeOutcomes } from "../../runs/index.ts";
import type { Settings } from "../../settings/index.ts";
import type { Evaluation, Outcome } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type EvalEvent, GateImportance, type TrainEvent, type TrainResult, train } from "../../train/index.ts";
import { majorityMessage } from "./majority.ts";
import { ownScore } from "./own-metric.ts";
import {
  openTrainStep,
  prepareTraining,
  type TrainingJob,
  type TrainOptions,
  totalCount,
  trainableCount,
  trainerFacts,
} from "./run-job.ts";
import { onSwappedBase, withoutPrints } from "./swapped-base.ts";
import { gateValues } from "./train-extras.ts";

/** Newest checkpoints kept besides the best. */
const KEPT_CHECKPOINTS = 2;
/** Larger than a training batch: nothing is kept for a backward pass. */
const EVAL_BATCH = 32;
/** Steps that an estimate is made from. */
const TIMED_STEPS = 2;

/** A finished or interrupted training run. */
export interface TrainedRun {
  readonly record: RunRecord;
  /** The run's folder; null when nothing was written. */
  readonly folder: string | null;
  readonly interrupted: boolean;
}

/** `--dry-run`: sizes and an estimate; nothing is trained or written. */
export interface TrainEstimate {
  readonly trainableParameters: number;
  readonly totalParameters: number;
  readonly trainExamples: number;
  readonly evalExamples: number;
  readonly totalSteps: number;
  readonly weightBytes: number;
  /** Null where it was not estimated. */
  readonly peakRssBytes: number | null;
  /** From a few timed steps; null where none was run. */
  readonly durationMs: number | null;
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
  given: Settings,
  asked: TrainOptions,
): AsyncGenerator<TrainEvent, TrainedRun> {
  if (given.activation !== null && given.output !== null) await checkFree(environment.files, given.output);
  const settings = await onSwappedBase(environment, given, given.output, asked);
  const options: TrainOptions = given.activation === null ? asked : withoutPrints(asked);
  const early: TrainEvent[] = [];
  const prepared = yield* keeping(early, prepareTraining(environment, settings, options));
  const record: RunRecord = { ...prepared.job.record, result: null };
  if (prepared.lesson === null) return { record, folder: null, interrupted: true };
  const programs = await openPrograms(prepared.job, options.signal);
  let writer: RunWriter | null = null;
  try {
    // last, when all input has proved good: a refused run leaves nothing behind
    writer = settings.output === null ? null : await RunWriter.open(environment, settings.output, record);
    const kept: Kept = { event: null, outcomes: [] };
    const events = train({
      ...trainerFacts(prepared.job, prepared.lesson, programs.optimizer, prepared.plain),
      ...programs.trainerOptions(kept, writer),
    });
    for (;;) {
      const next = await events.next();
      if (next.done) return await finished(prepared.job, record, programs, writer, kept, next.value);
      if (next.value.type === "eval" && next.value.best) {
        kept.event = next.value;
        // before the event: a resume from behind it must find them
        if (writer) await writeOutcomes(environment.files, writer.folder, kept.outcomes, prepared.job.evalExcerpts);
      }
      const { warnings } = prepared.job;
      for (const event of next.value.type === "start" ? [next.value, ...warnings] : [next.value]) {
        // a resumed run's file has its first events from its first start
        const isKnown = event !== next.value && next.value.type === "start" && next.value.fromStep > 0;
        if (!isKnown) await writer?.event(event, event.type === "start" && event.fromStep === 0 ? early : []);
        yield event;
      }
    }
  } catch (error) {
    throw await explainNotFinite(prepared.job.base, error);
  } finally {
    await writer?.close();
    await programs.dispose();
  }
}

/** Passes on what `source` yields and keeps it in `list`. */
async function* keeping<Event, Result>(
  list: Event[],
  source: AsyncGenerator<Event, Result>,
): AsyncGenerator<Event, Result> {
  for (;;) {
    const next = await source.next();
    if (next.done) return next.value;
    list.push(next.value);
    yield next.value;
  }
}

/** The evaluation whose parameters are kept so far, as this process met it. */
interface Kept {
  event: EvalEvent | null;
  outcomes: readonly Outcome[];
}

/** The programs of a run: the training step and the evaluation. */
async function openPrograms(job: TrainingJob, signal: AbortSignal | undefined) {
  const { environment, settings } = job;
  const optimizer = await openTrainStep(job);
  const evaluator = await openEvaluator({
    bundle: job.bundle,
    tokenizer: job.base.tokenizer,
    generation: job.base.generation,
    task: job.task,
    backend: job.backend,
    batchSize: EVAL_BATCH,
    padding: settings.data.padding,
    answers: settings.answers,
    maxTargetLength: settings.data.maxTargetLength,
    seed: settings.seed,
    // beside the step, whose memory is what a run is measured by
    packed: settings.memory === "fast",
    signal,
  });
  const evaluate = (trained: ReadonlyMap<string, Tensor>, kept: Kept) =>
    evaluator.evaluate(trained, job.evalSplit, job.evalExamples, (found) => {
      kept.outcomes = found;
    });
  return {
    optimizer,
    evaluate,
    trainerOptions: (kept: Kept, writer: RunWriter | null) => ({
      optimizer,
      evaluate: async (trained: ReadonlyMap<string, Tensor>) => {
        const { split, examples, loss, metrics, density } = await evaluate(trained, kept);
        const majority = majorityMessage(job.task.labels, kept.outcomes, settings, job);
        const own = await ownScore(job.metric, kept.outcomes);
        return { split, examples, loss, metrics: { ...metrics, ...own }, density, majority };
      },
      checkpoints: writer && {
        files: environment.files,
        folder: writer.checkpoints,
        keep: KEPT_CHECKPOINTS,
        saveSteps: settings.saveSteps,
        fingerprint: job.stateKey,
        resume: settings.resume,
        beforeSave: () => writer.flush(),
      },
      checkBase: () => job.base.checkUnchanged(),
      rssBytes: () => environment.rssBytes(),
      ...(signal ? { signal } : {}),
    }),
    async dispose() {
      await optimizer.dispose();
      await evaluator.dispose();
    },
  };
}

/** The run's result with its files written; of an interrupted run nothing but what is there already. */
async function finished(
  job: TrainingJob,
  record: RunRecord,
  { evaluate }: Awaited<ReturnType<typeof openPrograms>>,
  writer: RunWriter | null,
  kept: Kept,
  { trained, gates, interrupted }: TrainResult,
): Promise<TrainedRun> {
  const folder = job.settings.output;
  if (interrupted) return { record, folder, interrupted };
  const result = await bestEvaluation(job, writer, kept.event, () => evaluate(trained, kept));
  const trainedFormat = writer === null ? null : await saveTrained(job, writer, { trained, gates }, result);
  const ended: RunRecord = { ...record, result, ...(trainedFormat === null ? {} : { trainedFormat }) };
  await writer?.record(ended);
  await writer?.seal();
  return { record: ended, folder, interrupted };
}

/** What `--dry-run` says: everything is opened and checked, nothing trained or written. */
export async function estimateRun(environment: Environment, settings: Settings): Promise<TrainEstimate> {
  const { job, lesson } = await running(prepareTraining(environment, settings, {}, TIMED_STEPS)).result;
  const optimizer = await openTrainStep(job);
  try {
    const started = performance.now();
    const timed = Math.min(TIMED_STEPS, job.totalSteps);
    const epoch = lesson!.batches.epoch(0);
    const { density } = settings;
    const gateFeeds = new GateImportance(optimizer.graph.gates).feeds;
    const rates = { learningRate: 0, densityWeight: density.weight, epsilon: density.epsilon.to, gateFeeds };
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

/** The evaluation of the best parameters: as it was noted when they were found, in this process or before a resume. */
async function bestEvaluation(
  job: TrainingJob,
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
  job: TrainingJob,
  writer: RunWriter,
  { trained, gates }: Pick<TrainResult, "trained" | "gates">,
  result: Evaluation | null,
): Promise<NonNullable<RunRecord["trainedFormat"]>> {
  const { environment, bundle, base, task, dataset, settings } = job;
  return writer.trained((folder) =>
    writeTrainedPart(environment.files, folder, trained, {
      method: bundle.method,
      base,
      head: bundle.head,
      labels: task.labels,
      toolVersion: environment.versions["deft-tune"] ?? "0",
      density: settings.density.weight === 0 ? null : { ...settings.density },
      removal: settings.removal && { ...settings.removal },
      gates: settings.gates && { ...settings.gates, values: gates ?? gateValues(trained) },
      report: result ? { ...result.density } : null,
      data: {
        task: task.name,
        fingerprint: dataset.fingerprint,
        ...(task.unanswerable ? { unanswerable: true } : {}),
      },
    }),
  );
}
