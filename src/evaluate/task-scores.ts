// What a model said on examples, as the task scores it, and what one model may have lost of another's score.
import type { EncodedExamples, Task } from "../data/index.ts";
import {
  exampleLogits,
  type HeadKind,
  readingHead,
  readingTask,
  type SpanOptions,
  type TaskScore,
} from "../tasks/index.ts";
import { randomStream } from "../tensor/index.ts";

/** A reading model's logits, as `logitsOf` has them. */
export function scoreLogits(
  all: Float32Array,
  examples: EncodedExamples,
  options: { readonly task: Task; readonly head: HeadKind; readonly pointing: SpanOptions },
): TaskScore {
  const { task, head } = options;
  return readingTask(task.kind).score(exampleLogits(all, head, readingHead(head), examples), examples, options);
}

const RESAMPLES = 200;

/** What the main metric lost from one model to another, and how far that depends on the examples. */
export interface ScoreDrop {
  readonly lost: number;
  /** By a paired bootstrap, as the interval of 95 %. */
  readonly standardError: number;
  readonly low: number;
  readonly high: number;
}

/** What the main metric lost from `dense` to `said`. */
export function scoreDrop(dense: Pick<TaskScore, "count" | "scoreOn">, said: Pick<TaskScore, "scoreOn">): ScoreDrop {
  const { count } = dense;
  const random = randomStream(0, "lost score");
  const lostOn = (indices: readonly number[]) => dense.scoreOn(indices) - said.scoreOn(indices);
  const all = Array.from({ length: count }, (_, i) => i);
  const differences = Array.from({ length: RESAMPLES }, () => lostOn(all.map(() => random.integer(count)))).filter(
    Number.isFinite,
  );
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / differences.length;
  const sorted = differences.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return { lost: lostOn(all), standardError: Math.sqrt(variance), low: at(0.025), high: at(0.975) };
}
