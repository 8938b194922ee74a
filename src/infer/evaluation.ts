// The result of an evaluation: the JSON of `deft eval --json`.
import type { DensityReport } from "../density/index.ts";

export interface Evaluation {
  readonly task: string;
  readonly split: string;
  readonly examples: number;
  /** Mean task loss over the examples. */
  readonly loss: number;
  /** Metric name to value, in the metric's own unit (accuracy and F1 as fractions). */
  readonly metrics: Readonly<Record<string, number>>;
  readonly density: DensityReport;
  readonly timing: { readonly examplesPerSecond: number; readonly totalMs: number };
}
