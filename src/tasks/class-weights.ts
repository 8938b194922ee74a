// Weights of classes in the loss: as a table of numbers by name, or balanced by how often each class occurs.
import type { EncodedExamples, Task } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { gather, max, type Value } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import type { ClassWeighing, LossTerm } from "./head.ts";
import { IGNORED_LABEL, type ModelBatch } from "./model-batch.ts";

/** `n / (k · n_c)` of each class, as scikit-learn's `compute_class_weight("balanced")`; infinite for one that does not occur. */
export function balancedWeights(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => total / (counts.length * count));
}

/** The weight of each label, `[N]` int64 → `[N]`; a label that is no class has the first one's, which multiplies nothing. */
export function weightsOf(labels: Value, weights: readonly number[]): Value {
  return gather(labels.graph.constant(float32([weights.length], weights)), max(labels, 0));
}

/** The sum over labelled things, divided by the sum of their weights: torch's mean of `CrossEntropyLoss(weight)`. */
export const overWeights = (values: Value, weights: readonly number[]): LossTerm => ({
  scale: "classWeightScale",
  values,
  count: weightIn(weights.map(Math.fround)),
});

const weightIn =
  (weights: readonly number[]) =>
  ({ inputs }: ModelBatch): number => {
    let sum = 0;
    for (const label of inputs.labels!.data) if (Number(label) !== IGNORED_LABEL) sum += weights[Number(label)]!;
    return sum;
  };

/** What is asked for: the weights that balance the training examples, or a number for each class name. */
export type ClassWeightChoice = "balanced" | Readonly<Record<string, number>>;

/**
 * The weight of each of a task's classes.
 * @throws {ConfigError} naming the classes without a weight and the names that are no class; where balance is asked for, the classes that no
 * number of times balances.
 */
export function classWeights(
  choice: ClassWeightChoice,
  examples: EncodedExamples,
  { labels }: Pick<Task, "labels">,
  { balanced, needs }: ClassWeighing,
): readonly number[] {
  if (choice === "balanced") return checked(balanced(examples, labels.length), labels, needs);
  const missing = labels.filter((name) => !Object.hasOwn(choice, name));
  const unknown = Object.keys(choice).filter((name) => !labels.includes(name));
  if (missing.length === 0 && unknown.length === 0) return labels.map((name) => choice[name]!);
  const got = [
    ...(missing.length === 0 ? [] : [`none for ${listed(missing)}`]),
    ...(unknown.length === 0 ? [] : [`${listed(unknown)}, which the data do not have`]),
  ];
  const expected = `a weight for each class of the data: ${listed(labels)}`;
  throw new ConfigError([{ path: "--class-weights", expected, got: got.join("; ") }]);
}

/** Whether `balanced` has a weight for every class. */
export function canBalance(examples: EncodedExamples, classes: number, { balanced }: ClassWeighing): boolean {
  return balanced(examples, classes).every(isWeight);
}

const isWeight = (weight: number) => weight > 0 && Number.isFinite(weight);

function checked(weights: readonly number[], labels: readonly string[], needs: string): readonly number[] {
  const without = labels.filter((_, c) => !isWeight(weights[c]!));
  if (without.length === 0) return weights;
  throw new ConfigError(
    [{ path: "--class-weights balanced", expected: needs, got: `no such for ${listed(without)}` }],
    {
      hint: "Give a weight for each class by its name in place of balanced, or more training examples.",
    },
  );
}

const listed = (names: readonly string[]) => names.map((name) => JSON.stringify(name)).join(", ");
