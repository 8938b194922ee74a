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
  const metrics: Record<string, number> = { ...glueMetrics(names, predictions, examples.labels) };
  return {
    metrics,
    score: metrics[main]!,
    count: examples.count,
    scoreOn(indices) {
      const pick = (values: ArrayLike<number>) => Float64Array.from(indices, (i) => values[i]!);
      return glueMetrics([main], pick(predictions), pick(examples.labels))[main]!;
    },
    outcomes: () => Array.from(predictions, (prediction, i) => outcomeOf(prediction, i, examples, task, words)),
  };
}

function outcomeOf(
  prediction: number,
  index: number,
  examples: EncodedExamples,
  task: Task,
  { named, score }: LabelWords,
): Outcome {
  const target = examples.labels[index]!;
  const isKnown = !Number.isNaN(target);
  return {
    line: examples.lines[index]!,
    prediction: named(prediction, task),
    target: isKnown ? named(target, task) : null,
    score: isKnown ? score(prediction, target) : null,
  };
}

/** One number of each example's logits. */
export function perExample(count: number, of: (index: number) => number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => of(index));
}
