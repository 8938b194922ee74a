// The result of an evaluation: the JSON of `deft eval --json`.
import type { DensityReport } from "../density/index.ts";

/** What was answered for one example: a JSON line of a run's `predictions.jsonl`. */
export interface Outcome {
  /** Of the example in its file, from 1. */
  readonly line: number;
  /** A class's name, a number, or what was written. */
  readonly prediction: string | number;
  /** What was right: a question may have several answers; null where there was no label. */
  readonly target: string | number | readonly string[] | null;
  /** 1 for right, 0 for wrong; F1 of an answer to a question; null for a number. */
  readonly score: number | null;
}

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
  /** What a person should know of how the data were read; absent where there is nothing. */
  readonly notes?: readonly string[];
}
