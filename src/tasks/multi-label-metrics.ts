// F1 over several labels an example, and the share of examples with every label right, equal to scikit-learn's.

/** Labels that were found, given wrongly and missed, of each class. */
export interface LabelCounts {
  readonly found: Float64Array;
  readonly wrong: Float64Array;
  readonly missed: Float64Array;
  /** Examples with every label right, and examples. */
  exact: number;
  examples: number;
}

/** Counts of nothing, for `classes` classes. */
export function noLabelCounts(classes: number): LabelCounts {
  const of = () => new Float64Array(classes);
  return { found: of(), wrong: of(), missed: of(), exact: 0, examples: 0 };
}

/** Adds one example: the classes that were given, and those that are true. */
export function countLabels(counts: LabelCounts, given: ReadonlySet<number>, right: ReadonlySet<number>): void {
  for (const label of given) (right.has(label) ? counts.found : counts.wrong)[label]!++;
  for (const label of right) if (!given.has(label)) counts.missed[label]!++;
  counts.examples++;
  if (given.size === right.size && [...given].every((label) => right.has(label))) counts.exact++;
}

/**
 * `f1_micro` over all labels together, `f1_macro` as the mean over classes, and `accuracy`, the share of examples with every label right
 * (subset accuracy). A class that is neither given nor true anywhere has an F1 of 0; NaN without examples.
 * @see scikit-learn `f1_score(average="micro" | "macro", zero_division=0)`, `accuracy_score`
 */
export function multiLabelMetrics({ found, wrong, missed, exact, examples }: LabelCounts): Record<string, number> {
  const f1 = (hits: number, others: number) => (hits + others === 0 ? 0 : (2 * hits) / (2 * hits + others));
  const sum = (of: Float64Array) => of.reduce((total, count) => total + count, 0);
  const each = Array.from(found, (hits, c) => f1(hits, wrong[c]! + missed[c]!));
  return {
    f1_micro: examples === 0 ? Number.NaN : f1(sum(found), sum(wrong) + sum(missed)),
    f1_macro: examples === 0 ? Number.NaN : each.reduce((total, one) => total + one, 0) / each.length,
    accuracy: exact / examples,
  };
}
