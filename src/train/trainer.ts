// The loop: steps, evaluations, checkpoints, early stopping. It yields events and draws nothing.
import type { ModelBatch } from "../infer/index.ts";
import type { Schedule } from "../optim/index.ts";
import type { Files, Tensor } from "../tensor/index.ts";
import type { EvalEvent, TrainEvent } from "./events.ts";
import type { Stepper } from "./open-optimizer.ts";
import type { RemovalOptions } from "./removal.ts";
import { Run } from "./run.ts";
import type { WeightControlOptions } from "./weight-control.ts";

/** Training examples in batches; the order is a pure function of the epoch, so that a resumed run meets the same. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  /** The batches of an epoch, counted from 0, in order. */
  epoch(epoch: number): EpochBatches;
}

export interface EpochBatches {
  /** Batch `index` of the epoch. */
  batch(index: number): ModelBatch;
  /** Says which examples batch `index` holds, for messages. */
  describe(index: number): string;
}

/** When the density loss weighs how much. */
export interface DensitySchedule {
  readonly weight: number;
  /** Finds the weight by feedback instead, from its own first one; absent: it is `weight`. */
  readonly control?: WeightControlOptions | null;
  /** Steps over which the weight rises from 0, and ε goes from `from` to `to`. */
  readonly warmupSteps: number;
  /** Last steps over which the weight falls to 0 again, so that the task recovers what neurons gone quiet cost it. */
  readonly cooldownSteps: number;
  /** Annealed geometrically over `annealSteps`, then kept. */
  readonly epsilon: { readonly from: number; readonly to: number };
  readonly annealSteps: number;
}

export interface CheckpointOptions {
  readonly files: Files;
  /** Folder of the `step-N` folders. */
  readonly folder: string;
  /** Newest checkpoints kept, besides the best. */
  readonly keep: number;
  /** Steps between checkpoints; null: at every evaluation. */
  readonly saveSteps: number | null;
  /** What the steps depend on, as text: a checkpoint goes on only under the same. */
  readonly fingerprint: string;
  /** Go on from the newest checkpoint, when there is one. */
  readonly resume: boolean;
  /** Called before a checkpoint appears: whoever keeps the events has them on disk when this returns. */
  readonly beforeSave?: () => Promise<void>;
}

/** What an evaluation gives the trainer. */
export interface Evaluated extends Pick<EvalEvent, "split" | "examples" | "loss" | "metrics" | "density"> {
  /** Says that the model answers no better than by naming one class always; null or absent: it does better. */
  readonly majority?: string | null;
}

export interface TrainerOptions {
  readonly optimizer: Stepper;
  readonly batches: BatchSource;
  readonly accumulate: number;
  readonly totalSteps: number;
  readonly schedule: Schedule;
  readonly density: DensitySchedule;
  /** Neurons that go while training; absent: all stay. The optimizer must give their energies. */
  readonly removal?: RemovalOptions | null;
  /** Loss of the best constant answer on the training labels. */
  readonly chanceLoss: number;
  readonly evaluate: (trained: ReadonlyMap<string, Tensor>) => Promise<Evaluated>;
  /** The metric that decides what is best. */
  readonly metricName: string;
  /** Steps between evaluations; null: at the end of each epoch. */
  readonly evalSteps: number | null;
  /** Evaluations without gain before stopping; null: never. */
  readonly patience: number | null;
  /** Null: nothing is kept on disk. */
  readonly checkpoints: CheckpointOptions | null;
  /** Facts of the run for its first event. */
  readonly describe: Omit<Extract<TrainEvent, { type: "start" }>, "type" | "time" | "totalSteps" | "fromStep">;
  readonly rssBytes: () => number;
  readonly signal?: AbortSignal;
}

export interface TrainResult {
  /** The parameters at the best evaluation; the last ones when the run was interrupted. */
  readonly trained: ReadonlyMap<string, Tensor>;
  readonly step: number;
  readonly bestStep: number | null;
  readonly bestMetric: number | null;
  readonly interrupted: boolean;
}

/**
 * Trains and yields what happens; the generator's return value is the result.
 * @throws {TrainingError} when a loss or gradient is not finite, naming step, batch and last good checkpoint.
 * @throws {ConfigError} when asked to resume under other settings than the checkpoint's.
 * @throws {FileError} when a checkpoint cannot be written; the older ones stay whole.
 */
export async function* train(options: TrainerOptions): AsyncGenerator<TrainEvent, TrainResult> {
  const run = new Run(options);
  await run.begin();
  yield { type: "start", time: Date.now(), ...options.describe, totalSteps: options.totalSteps, fromStep: run.step };
  const started = performance.now();
  let reason: "finished" | "early-stopping" | "interrupted" = run.outOfPatience ? "early-stopping" : "finished";
  while (!run.isDone && reason === "finished") {
    if (!run.owesEvaluation) {
      const event = await run.next();
      yield event;
      const collapsed = run.noteLoss(event);
      if (collapsed) yield collapsed;
      const majority = run.majorityWarning();
      if (majority) yield majority;
    }
    const isAborted = () => options.signal?.aborted ?? false;
    const evaluated = run.owesEvaluation && !isAborted() ? await run.evaluate() : null;
    if (evaluated) yield evaluated.event;
    if (evaluated?.warning) yield evaluated.warning;
    if (run.outOfPatience) reason = "early-stopping";
    else if (isAborted() && !run.isDone) reason = "interrupted";
    if (reason !== "finished" || run.saveDue(evaluated?.event ?? null)) {
      const folder = await run.save();
      if (folder !== null) yield { type: "checkpoint", time: Date.now(), step: run.step, folder };
    }
  }
  const { bestStep, bestMetric } = run.progress;
  yield {
    type: "end",
    time: Date.now(),
    step: run.step,
    reason,
    bestStep,
    bestMetric,
    metricName: options.metricName,
    durationMs: performance.now() - started,
  };
  const interrupted = reason === "interrupted";
  return { trained: interrupted ? run.trained() : await run.best(), step: run.step, bestStep, bestMetric, interrupted };
}
