// Scores of tasks with one label an example, a class or a number.
import type { EncodedExamples, Task } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import type { Outcome } from "./evaluation.ts";
import { glueMetrics, isGlueMetric } from "./metrics.ts";
import type { TaskScore } from "./task.ts";

/** What a prediction is called, and whether it is right (null: not a matter of right and wrong). */
export interface LabelWords {
  readonly named: (value: number, task: Task) => string | number;
  readonly score: (prediction: number, target: number) => number | null;
  /** How sure the model was of an example; `target` is null where it has no label. */
  readonly certainty: (index: number, prediction: number, target: number | null) => Certainty;
}

/** How sure a model was of one example. */
export type Certainty = Pick<Outcome, "probability" | "loss">;

/** Probability of a prediction and loss of the label from one row of class logits `[C]`, in double precision. */
export function certaintyOf(logits: ArrayLike<number>, prediction: number, label: number | null): Certainty {
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < logits.length; c++) largest = Math.max(largest, logits[c]!);
  let total = 0;
  for (let c = 0; c < logits.length; c++) total += Math.exp(logits[c]! - largest);
  const logProbability = (c: number) => logits[c]! - largest - Math.log(total);
  return {
    probability: Math.exp(logProbability(prediction)),
    ...(label === null ? {} : { loss: -logProbability(label) }),
  };
}

/** Classes as metrics of two classes count them: the positive one as 1. */
export function metricClasses(
  { positiveLabel = 1 }: Pick<Task, "positiveLabel">,
  classes: ArrayLike<number>,
): ArrayLike<number> {
  return positiveLabel === 1 ? classes : Float64Array.from(classes, (index) => 1 - index);
}

/**
 * Scores one prediction an example against its label.
 * @throws {InternalError} where the task's main metric is none of these.
 */
export function scoreLabels(
  predictions: Float64Array,
  examples: EncodedExamples,
  task: Task,
  words: LabelWords,
): TaskScore {
  const names = task.metrics.filter(isGlueMetric);
  const main = names.find((name) => name === task.mainMetric);
  if (main === undefined) throw new InternalError(`no metric ${task.mainMetric}`);
  const [given, right] = [metricClasses(task, predictions), metricClasses(task, examples.labels)];
  const metrics: Record<string, number> = { ...glueMetrics(names, given, right) };
  return {
    metrics,
    score: metrics[main]!,
    count: examples.count,
    scoreOn(indices) {
      const pick = (values: ArrayLike<number>) => Float64Array.from(indices, (i) => values[i]!);
      return glueMetrics([main], pick(given), pick(right))[main]!;
    },
    outcomes: () => Array.from(predictions, (prediction, i) => outcomeOf(prediction, i, examples, task, words)),
  };
}

function outcomeOf(
  prediction: number,
  index: number,
  examples: EncodedExamples,
  task: Task,
  { named, score, certainty }: LabelWords,
): Outcome {
  const target = examples.labels[index]!;
  const isKnown = !Number.isNaN(target);
  return {
    line: examples.lines[index]!,
    prediction: named(prediction, task),
    target: isKnown ? named(target, task) : null,
    score: isKnown ? score(prediction, target) : null,
    ...certainty(index, prediction, isKnown ? target : null),
  };
}

/** One number of each example's logits. */
export function perExample(count: number, of: (index: number) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => of(index));
}
