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
  /** What the model gives the prediction, in [0, 1]: of a class by softmax, of a span among the candidates, of a text the mean of its tokens. */
  readonly probability?: number;
  /** Task loss of this example: cross-entropy of the label in nats, or the squared error of a number. Only where there is a target. */
  readonly loss?: number;
  /** The task's main metric on this example alone, for written texts. */
  readonly metric?: number;
  /** The example's text, cut where it is long; for a question the question. */
  readonly text?: string;
  /** The second text, cut where it is long; for a question its context. */
  readonly pair?: string;
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
