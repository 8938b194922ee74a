// What the faces ask of the workflow: types of its functions, their arguments and results.
import type { DensityReport } from "../density/index.ts";
import type { Evaluation } from "../infer/index.ts";
import type { Hooks } from "../nn/index.ts";
import type { SettingsInput } from "../settings/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type { Comparison, ComparisonRow } from "./comparison.ts";
import type { RunRecord } from "./run-record.ts";

/** Work that can be stopped: when `signal` aborts, the step under way is finished and saved. */
export interface Stoppable {
  readonly signal?: AbortSignal;
}

/** Events while it runs, a result when it has ended; the result fails with what the iteration threw. */
export interface Running<Event, Result> extends AsyncIterable<Event> {
  readonly result: Promise<Result>;
}

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

/** What eval, predict and profile open: a run's folder, or a model with an optional adapter. */
export type RunTarget =
  | { readonly kind: "run"; readonly folder: string }
  | {
      readonly kind: "model";
      readonly model: string;
      readonly adapter: string | null;
      /** Middleware of the forward pass, after the adapter's own. */
      readonly hooks?: Hooks;
    };

/** Settings that replace those of the run: data, split, columns, lengths, threads. */
export type RunOverrides = SettingsInput;

/** One text, or a pair of texts; or a question about a context. */
export type PredictInput =
  | { readonly text: string; readonly pair?: string }
  | { readonly question: string; readonly context: string };

/** One prediction; a JSON line of `deft predict`. */
export type Prediction =
  | { readonly label: string; readonly score: number; readonly logits: readonly number[] }
  | { readonly value: number; readonly logits: readonly number[] }
  /** Of a question the answer, empty for none, and its probability; else what was written. */
  | { readonly text: string; readonly score?: number };

/** A comparison's progress: a training event of one of its runs, or a finished row. */
export type CompareEvent =
  | {
      readonly type: "run";
      readonly method: string;
      readonly seed: number;
      readonly variant: "peft" | "deft";
      /** Runs before this one, and in all. */
      readonly index: number;
      readonly total: number;
      readonly event: TrainEvent;
    }
  | { readonly type: "row"; readonly row: ComparisonRow };

/** The demo's outcome: a comparison with the facts a reader needs to judge it. */
export interface DemoResult {
  readonly comparison: Comparison;
  /** One sentence each: what the model and the data are, and their licences. */
  readonly model: string;
  readonly data: string;
  readonly durationMs: number;
  readonly runs: readonly {
    readonly name: string;
    readonly record: RunRecord;
    readonly events: readonly TrainEvent[];
  }[];
}

/** A density measurement without labels. */
export interface Profile {
  readonly model: string;
  readonly examples: number;
  /** Attended tokens measured. */
  readonly tokens: number;
  readonly density: DensityReport;
  readonly timing: Evaluation["timing"];
}
