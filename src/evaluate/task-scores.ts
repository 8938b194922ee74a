// What a model said on examples, as the task scores it, and what one model may have lost of another's score.
import { type EncodedExamples, isSpans, metricClasses, type Task } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import { predictionsOf } from "../infer/index.ts";
import { glueMetrics, METRIC_NAMES, type SpanOptions } from "../tasks/index.ts";
import { randomStream } from "../tensor/index.ts";
import { windowLogits } from "./encoder-logits.ts";
import { bestSpans } from "./span-answers.ts";
import { answerScores, type TextScores, writtenScores } from "./written-scores.ts";

/** A model's answers to some examples. */
export interface TaskScore {
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
export function scoreLabels(logits: Float32Array, { labels: targets, count }: EncodedExamples, task: Task): TaskScore {
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
export function scoreLogits(
  logits: Float32Array,
  examples: EncodedExamples,
  { task, pointing }: { readonly task: Task; readonly pointing: SpanOptions },
): TaskScore {
  if (!isSpans(examples)) return scoreLabels(logits, examples, task);
  return taskScore(answerScores(task, examples, bestSpans(examples, windowLogits(logits, examples), pointing)), task);
}

/** Texts, one for each row, as answers of a task that is written. */
export function scoreTexts(
  texts: Parameters<typeof writtenScores>[2],
  examples: EncodedExamples,
  task: Task,
): TaskScore {
  return taskScore(writtenScores(task, examples, texts), task);
}

function taskScore({ metrics, scores }: TextScores, task: Task): TaskScore {
  return {
    metrics,
    score: metrics[task.mainMetric]!,
    count: scores.length,
    scoreOn: (indices) => indices.reduce((sum, i) => sum + scores[i]!, 0) / indices.length,
  };
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
export function scoreDrop(dense: TaskScore, said: TaskScore): ScoreDrop {
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
