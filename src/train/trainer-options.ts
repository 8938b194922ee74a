// What a training run is given: its batches, schedules, checkpoints and what it is judged by.

import type { Schedule } from "../optim/index.ts";
import type { RemovalOptions } from "../prune/index.ts";
import type { ModelBatch } from "../tasks/index.ts";
import type { Files, Tensor } from "../tensor/index.ts";
import type { DensityWeightControllerOptions } from "./density-weight-controller.ts";
import type { EvalEvent, TrainEvent } from "./events.ts";
import type { TrainStep } from "./open-optimizer.ts";
import type { KeepRule } from "./progress.ts";

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
  readonly control?: DensityWeightControllerOptions | null;
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
  readonly optimizer: TrainStep;
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
  /** Which evaluation's parameters are kept. */
  readonly keepRule: KeepRule;
  /** The metric that decides what is best. */
  readonly metricName: string;
  /** Steps between evaluations; null: at the end of each epoch. */
  readonly evalSteps: number | null;
  /** Evaluations without gain before stopping; null: never. */
  readonly patience: number | null;
  /** Told apart from a fault of the run: fails with a {FileError} where the weights that steps read are no longer those that were opened. */
  readonly checkBase?: () => Promise<void>;
  /** Null: nothing is kept on disk. */
  readonly checkpoints: CheckpointOptions | null;
  /** Facts of the run for its first event. */
  readonly describe: Omit<Extract<TrainEvent, { type: "start" }>, "type" | "time" | "totalSteps" | "fromStep">;
  readonly rssBytes: () => number;
  readonly signal?: AbortSignal;
}
