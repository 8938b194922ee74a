// One training run from settings to a finished folder.

import { openEvaluator } from "../../evaluate/index.ts";
import { writeTrainedPart } from "../../load/index.ts";
import type { Environment, RunRecord } from "../../runs/index.ts";
import { type Running, RunWriter, running, writeOutcomes } from "../../runs/index.ts";
import type { Settings } from "../../settings/index.ts";
import type { Evaluation, Outcome } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type EvalEvent, type TrainEvent, train } from "../../train/index.ts";
import {
  type Job,
  openTrainStep,
  prepareTraining,
  type TrainOptions,
  totalCount,
  trainableCount,
  trainerFacts,
} from "./run-job.ts";
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
  settings: Settings,
  options: TrainOptions,
): AsyncGenerator<TrainEvent, TrainedRun> {
  const { job, plain, lesson } = yield* prepareTraining(environment, settings, options);
  const { files } = environment;
  const { signal } = options;
  const record: RunRecord = { ...job.record, result: null };
  if (lesson === null) return { record, folder: null, interrupted: true };
  const optimizer = await openTrainStep(job);
  const evaluator = await openEvaluator({
    bundle: job.bundle,
    tokenizer: job.base.tokenizer,
    task: job.task,
    backend: job.backend,
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
  const { job, lesson } = await running(prepareTraining(environment, settings, {}, TIMED_STEPS)).result;
  const optimizer = await openTrainStep(job);
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
  const { environment, bundle, base, task, dataset, settings } = job;
  await writer.trained((folder) =>
    writeTrainedPart(environment.files, folder, trained, {
      method: bundle.method,
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
