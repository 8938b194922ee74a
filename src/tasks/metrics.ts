// The metrics of GLUE, equal to scikit-learn's and SciPy's, and an interval for the difference of two runs.
import { mean, quantileSorted, sampleCorrelation, sampleRankCorrelation } from "simple-statistics";
import { InternalError, ShapeError } from "../errors.ts";
import { randomStream } from "../tensor/index.ts";

/** Metric names, spelled as Hugging Face's GLUE metric writes them; `f1_macro` is the mean of every class's F1. */
export const METRIC_NAMES = ["accuracy", "f1", "f1_macro", "matthews_correlation", "pearson", "spearmanr"] as const;

export type MetricName = (typeof METRIC_NAMES)[number];

/** True for a metric of classes or numbers, which `glueMetrics` computes. */
export function isGlueMetric(name: string): name is MetricName {
  return (METRIC_NAMES as readonly string[]).includes(name);
}

/** Metric name to value; accuracy and F1 as fractions. */
export type Metrics = Readonly<Record<string, number>>;

/** Collects predictions batch by batch: classification metrics keep counts only, correlations keep the numbers. */
export interface MetricAccumulator {
  /**
   * One prediction and one label per example: class indices, or numbers for a regression.
   * @throws {ShapeError} when the lengths differ.
   */
  add(predictions: ArrayLike<number>, labels: ArrayLike<number>): void;
  /** The metrics of all examples so far, in the order the names were given. */
  result(): Metrics;
}

/** Counts by class: `counts[label][prediction]`, as scikit-learn orders it. */
export type ConfusionMatrix = readonly (readonly number[])[];

export interface BootstrapInterval {
  /** Mean of `a − b` over the examples. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
}

const METRICS: { readonly [M in MetricName]: { of: "counts" | "pairs"; value(seen: Seen): number } } = {
  accuracy: { of: "counts", value: (seen) => accuracyOf(seen.counts) },
  f1: { of: "counts", value: (seen) => f1Of(seen.counts) },
  f1_macro: { of: "counts", value: (seen) => macroF1Of(seen.counts) },
  matthews_correlation: { of: "counts", value: (seen) => matthewsOf(seen.counts) },
  pearson: { of: "pairs", value: (seen) => pearson(seen.predictions, seen.labels) },
  spearmanr: { of: "pairs", value: (seen) => spearman(seen.predictions, seen.labels) },
};

interface Seen {
  readonly counts: number[][];
  readonly predictions: number[];
  readonly labels: number[];
}

/** An empty accumulator for `names`. */
export function metricAccumulator(names: readonly MetricName[]): MetricAccumulator {
  const seen: Seen = { counts: [], predictions: [], labels: [] };
  const keepsCounts = names.some((name) => METRICS[name].of === "counts");
  const keepsPairs = names.some((name) => METRICS[name].of === "pairs");
  return {
    add(predictions, labels) {
      sameLength("metrics", predictions, labels);
      if (keepsCounts) count(seen.counts, predictions, labels);
      if (!keepsPairs) return;
      for (let i = 0; i < labels.length; i++) {
        seen.predictions.push(predictions[i]!);
        seen.labels.push(labels[i]!);
      }
    },
    result: () => Object.fromEntries(names.map((name) => [name, METRICS[name].value(seen)])),
  };
}

/**
 * The named metrics of predictions against labels.
 *
 * An undefined value is NaN, which JSON writes as null: correlations of constants or of fewer than two examples, and
 * everything of no examples. F1 and Matthews follow scikit-learn instead and give 0.
 *
 * @throws {ShapeError} when the lengths differ.
 */
export function glueMetrics(
  names: readonly MetricName[],
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
): Metrics {
  const accumulator = metricAccumulator(names);
  accumulator.add(predictions, labels);
  return accumulator.result();
}

/** Share of predictions equal to their label; NaN without examples. */
export function accuracy(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  return accuracyOf(confusionMatrix(predictions, labels));
}

/** `2·TP / (2·TP + FP + FN)` for class 1; 0 when no example is or was called class 1, NaN without examples. */
export function f1(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  return f1Of(confusionMatrix(predictions, labels));
}

/**
 * Mean F1 over the classes that occur among predictions or labels, as scikit-learn's `f1_score(average="macro")`; NaN without examples.
 */
export function macroF1(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  return macroF1Of(confusionMatrix(predictions, labels));
}

/**
 * Matthews correlation for two or more classes, in [−1, 1]; 0 when labels or predictions are all of one class.
 * @see Gorodkin, Comparing two K-category assignments by a K-category correlation coefficient, 2004
 */
export function matthewsCorrelation(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  return matthewsOf(confusionMatrix(predictions, labels));
}

/** Pearson's r, in [−1, 1]; NaN for a constant input or fewer than two pairs. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  sameLength("pearson", x, y);
  return isConstant(x) || isConstant(y) ? Number.NaN : clamp(sampleCorrelation(Array.from(x), Array.from(y)));
}

/** Spearman's ρ: Pearson's r of the ranks, ties sharing their mean rank; NaN where `pearson` is. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  sameLength("spearman", x, y);
  return isConstant(x) || isConstant(y) ? Number.NaN : clamp(sampleRankCorrelation(Array.from(x), Array.from(y)));
}

/**
 * The square matrix `counts[label][prediction]`, as large as the largest class met and at least `numClasses`.
 * @throws {ShapeError} when the lengths differ.
 */
export function confusionMatrix(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  numClasses = 0,
): ConfusionMatrix {
  const counts: number[][] = [];
  grow(counts, numClasses);
  count(counts, predictions, labels);
  return counts;
}

/**
 * Percentile bootstrap interval of the mean difference between two runs' scores on the same examples.
 *
 * @param a - Score per example of one run (1 for a right answer, 0 for a wrong one; or a negative squared error).
 * @param b - Score per example of the other run, in the same order.
 * @throws {ShapeError} when the lengths differ or there is no example.
 * @see Efron, Tibshirani, An Introduction to the Bootstrap, §13.3
 */
export function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { resamples = 10_000, seed = 0, confidence = 0.95 } = {},
): BootstrapInterval {
  sameLength("pairedBootstrap", a, b);
  if (a.length === 0) throw new ShapeError("pairedBootstrap", "at least one example", ["[0]"]);
  const differences = Float64Array.from(a, (score, i) => score - b[i]!);
  const random = randomStream(seed, "bootstrap");
  const means = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < differences.length; i++) sum += differences[random.integer(differences.length)]!;
    means[r] = sum / differences.length;
  }
  const sorted = Array.from(means.sort());
  const tail = (1 - confidence) / 2;
  return {
    difference: mean(Array.from(differences)),
    low: quantileSorted(sorted, tail),
    high: quantileSorted(sorted, 1 - tail),
    confidence,
  };
}

function count(counts: number[][], predictions: ArrayLike<number>, labels: ArrayLike<number>): void {
  sameLength("confusionMatrix", predictions, labels);
  for (let i = 0; i < labels.length; i++) {
    const label = classIndex(labels[i]!);
    const prediction = classIndex(predictions[i]!);
    grow(counts, Math.max(label, prediction) + 1);
    counts[label]![prediction]!++;
  }
}

function grow(counts: number[][], size: number): void {
  if (counts.length >= size) return;
  for (const row of counts) while (row.length < size) row.push(0);
  while (counts.length < size) counts.push(Array.from({ length: size }, () => 0));
}

function classIndex(value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InternalError(`metrics: expected a class index, got ${value}`);
}

function accuracyOf(counts: ConfusionMatrix): number {
  let right = 0;
  counts.forEach((row, c) => {
    right += row[c]!;
  });
  return right / total(counts);
}

function f1Of(counts: ConfusionMatrix): number {
  if (total(counts) === 0) return Number.NaN;
  const named = namedAs(counts, 1);
  return named === 0 ? 0 : (2 * counts[1]![1]!) / named;
}

function macroF1Of(counts: ConfusionMatrix): number {
  const occurring = counts.map((_, c) => c).filter((c) => namedAs(counts, c) > 0);
  return occurring.reduce((sum, c) => sum + (2 * counts[c]![c]!) / namedAs(counts, c), 0) / occurring.length;
}

/** How often a class was the label, and how often the prediction. */
function namedAs(counts: ConfusionMatrix, index: number): number {
  return counts[index] === undefined ? 0 : rowSum(counts, index) + columnSum(counts, index);
}

function matthewsOf(counts: ConfusionMatrix): number {
  const n = total(counts);
  if (n === 0) return Number.NaN;
  let right = 0;
  let both = 0;
  let labelled = 0;
  let predicted = 0;
  for (let c = 0; c < counts.length; c++) {
    const row = rowSum(counts, c);
    const column = columnSum(counts, c);
    right += counts[c]![c]!;
    both += row * column;
    labelled += row * row;
    predicted += column * column;
  }
  const variance = (n * n - labelled) * (n * n - predicted);
  return variance === 0 ? 0 : (right * n - both) / Math.sqrt(variance);
}

function rowSum(counts: ConfusionMatrix, label: number): number {
  return counts[label]!.reduce((sum, cell) => sum + cell, 0);
}

function columnSum(counts: ConfusionMatrix, prediction: number): number {
  return counts.reduce((sum, row) => sum + row[prediction]!, 0);
}

function total(counts: ConfusionMatrix): number {
  return counts.reduce((sum, _, label) => sum + rowSum(counts, label), 0);
}

// fewer than two values count as constant: neither leaves a variance
function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false;
  return true;
}

function clamp(r: number): number {
  return Math.max(-1, Math.min(1, r));
}

function sameLength(op: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length) throw new ShapeError(op, "equal lengths", [`[${a.length}]`, `[${b.length}]`]);
}
