// What a model said on examples, as the task scores it, and what one model may have lost of another's score.
import { type EncodedExamples, isSpans, metricClasses, type Task } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import { glueMetrics, METRIC_NAMES, predictionsOf } from "../infer/index.ts";
import { randomStream } from "../tensor/index.ts";
import { answerScores, bestSpans, type TextScores, writtenScores } from "../workflow/index.ts";
import type { CompressData } from "./compress-data.ts";
import { windowLogits } from "./encoder-logits.ts";

/** A model's answers to some examples. */
export interface Said {
  /** The task's metrics over all examples. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The main one. */
  readonly score: number;
  /** Examples that count: questions, not their windows. */
  readonly count: number;
  /** The main metric over these examples, of which one may be named more than once. */
  scoreOn(indices: readonly number[]): number;
}

/** Logits `[examples, C]` as answers of a task of labels. */
export function saidLabels(logits: Float32Array, { labels: targets, count }: EncodedExamples, task: Task): Said {
  const names = METRIC_NAMES.filter((name) => (task.metrics as readonly string[]).includes(name));
  const main = names.find((name) => name === (task.mainMetric as string));
  if (main === undefined) throw new InternalError(`no metric ${task.mainMetric}`);
  const predictions = metricClasses(task, predictionsOf(logits, logits.length / count));
  const labels = metricClasses(task, targets);
  const metrics: Record<string, number> = { ...glueMetrics(names, predictions, labels) };
  return {
    metrics,
    score: metrics[main]!,
    count,
    scoreOn(indices) {
      const pick = (values: ArrayLike<number>) => Float64Array.from(indices, (i) => values[i]!);
      return glueMetrics([main], pick(predictions), pick(labels))[main]!;
    },
  };
}

/** An encoder's logits, as `logitsOf` has them: labels, or answers that are pointed at. */
export function saidLogits(
  logits: Float32Array,
  examples: EncodedExamples,
  { task, pointing }: Pick<CompressData, "task" | "pointing">,
): Said {
  if (!isSpans(examples)) return saidLabels(logits, examples, task);
  return saidOf(answerScores(task, examples, bestSpans(examples, windowLogits(logits, examples), pointing)), task);
}

/** Texts, one for each row, as answers of a task that is written. */
export function saidTexts(texts: Parameters<typeof writtenScores>[2], examples: EncodedExamples, task: Task): Said {
  return saidOf(writtenScores(task, examples, texts), task);
}

function saidOf({ metrics, scores }: TextScores, task: Task): Said {
  return {
    metrics,
    score: metrics[task.mainMetric]!,
    count: scores.length,
    scoreOn: (indices) => indices.reduce((sum, i) => sum + scores[i]!, 0) / indices.length,
  };
}

const RESAMPLES = 200;

/** What the main metric lost from one model to another, and how far that depends on the examples. */
export interface LostScore {
  readonly lost: number;
  /** By a paired bootstrap, as the interval of 95 %. */
  readonly standardError: number;
  readonly low: number;
  readonly high: number;
}

/** What the main metric lost from `dense` to `said`. */
export function lostScore(dense: Said, said: Said): LostScore {
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
