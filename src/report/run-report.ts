// A run as a report takes it.

import type { RunRecord } from "../runs/index.ts";
import type { Outcome } from "../tasks/index.ts";
import type { TrainEvent } from "../train/index.ts";

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
