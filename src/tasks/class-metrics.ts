// Scores of each class from a confusion matrix, equal to scikit-learn's `classification_report`, and the majority-class check.
import type { Outcome } from "./evaluation.ts";
import { type ConfusionMatrix, confusionMatrix } from "./metrics.ts";

/** Precision, recall and F1 as fractions; `support` counts examples with the label. */
export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly support: number;
}

/** What scikit-learn's `classification_report` prints, in fractions. */
export interface ClassificationReport {
  /** By class index, as long as the confusion matrix. */
  readonly classes: readonly ClassScores[];
  /** NaN without examples. */
  readonly accuracy: number;
  /** Unweighted mean over the classes that occur among labels or predictions. */
  readonly macro: ClassScores;
  /** Mean over classes, weighted by support. */
  readonly weighted: ClassScores;
}

/** Predictions that are no better than naming one class always. */
export interface MajorityAnswer {
  /** The class that is predicted most often (`one-class`), or that most labels have (`baseline-accuracy`). */
  readonly classIndex: number;
  /** Share of the predictions that name it. */
  readonly predictedShare: number;
  /** Share of the labels that name it. */
  readonly labelShare: number;
  readonly reason: "one-class" | "baseline-accuracy";
}

/** From this share of the predictions on, a model counts as answering one class only. */
const ONE_CLASS_SHARE = 0.99;
/** Found at least this share of the other classes' examples, it counts as answering them too. */
const OTHERS_FOUND = 0.5;

/**
 * Scores of each class, equal to scikit-learn's `classification_report(labels, predictions, zero_division=0)`: a class without
 * predictions has precision 0, one without labels recall 0, and a class that occurs in neither is left out of the means.
 *
 * @param counts - `counts[label][prediction]`, square.
 */
export function classificationReport(counts: ConfusionMatrix): ClassificationReport {
  const labelled = counts.map(sum);
  const predicted = counts.map((_, column) => sum(counts.map((row) => row[column]!)));
  const classes = counts.map((row, c): ClassScores => {
    const hits = row[c]!;
    const named = labelled[c]! + predicted[c]!;
    return {
      precision: predicted[c] === 0 ? 0 : hits / predicted[c]!,
      recall: labelled[c] === 0 ? 0 : hits / labelled[c]!,
      f1: named === 0 ? 0 : (2 * hits) / named,
      support: labelled[c]!,
    };
  });
  const examples = sum(labelled);
  const occurring = classes.filter((_, c) => labelled[c]! + predicted[c]! > 0);
  return {
    classes,
    accuracy: sum(counts.map((row, c) => row[c]!)) / examples,
    macro: meanScores(occurring, () => 1, examples),
    weighted: meanScores(occurring, ({ support }) => support, examples),
  };
}

/**
 * The confusion matrix of stored outcomes, with a row and a column for each of `labels`; outcomes without a target are left out.
 * Null where the outcomes are not of these classes: a regression, written texts, or other labels.
 */
export function outcomeConfusion(outcomes: readonly Outcome[], labels: readonly string[]): ConfusionMatrix | null {
  const indices = new Map<unknown, number>(labels.map((label, index) => [label, index]));
  const known = outcomes.filter(({ target }) => target !== null);
  if (known.length === 0 || known.some(({ prediction, target }) => !indices.has(prediction) || !indices.has(target)))
    return null;
  const [predictions, targets] = [
    known.map((of) => indices.get(of.prediction)!),
    known.map((of) => indices.get(of.target)!),
  ];
  return confusionMatrix(predictions, targets, labels.length);
}

function meanScores(
  classes: readonly ClassScores[],
  weightOf: (scores: ClassScores) => number,
  support: number,
): ClassScores {
  const total = sum(classes.map(weightOf));
  const mean = (key: "precision" | "recall" | "f1") =>
    sum(classes.map((scores) => weightOf(scores) * scores[key])) / total;
  return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1"), support };
}

/**
 * Tells when predictions are a majority-class answer: one class in at least 99 % of them while fewer than half of the other
 * classes' examples are found (`one-class`), or an accuracy equal to the share of the most frequent label (`baseline-accuracy`).
 * Null otherwise, and where all labels are of one class.
 *
 * @param counts - `counts[label][prediction]`, square.
 */
export function majorityAnswer(counts: ConfusionMatrix): MajorityAnswer | null {
  const labelled = counts.map(sum);
  const predicted = counts.map((_, column) => sum(counts.map((row) => row[column]!)));
  const examples = sum(labelled);
  if (labelled.filter((count) => count > 0).length < 2) return null;
  const right = sum(counts.map((row, c) => row[c]!));
  const answer = (classIndex: number, reason: MajorityAnswer["reason"]): MajorityAnswer => ({
    classIndex,
    predictedShare: predicted[classIndex]! / examples,
    labelShare: labelled[classIndex]! / examples,
    reason,
  });
  const top = largest(predicted);
  const others = examples - labelled[top]!;
  const othersFound = right - counts[top]![top]!;
  if (predicted[top]! >= ONE_CLASS_SHARE * examples && othersFound < OTHERS_FOUND * others)
    return answer(top, "one-class");
  const majority = largest(labelled);
  return right === labelled[majority] ? answer(majority, "baseline-accuracy") : null;
}

const largest = (values: readonly number[]) => values.indexOf(Math.max(...values));
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
