// A run as a report takes it.
import type { Outcome } from "../infer/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type { RunRecord } from "../workflow/index.ts";

/** A run as a report needs it: its name, `run.json`, the events of `events.jsonl` and the answers of `predictions.jsonl`. */
export interface RunReport {
  readonly name: string;
  /** Where it lies, as compressed models name their source. */
  readonly folder?: string;
  readonly record: RunRecord;
  readonly events: readonly TrainEvent[];
  /** What was answered at the kept evaluation; null or absent where the run kept none. */
  readonly outcomes?: readonly Outcome[] | null;
}
