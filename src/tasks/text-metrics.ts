// Metrics of texts written for texts: exact match and ROUGE, as means over the examples.
import { rouge } from "./rouge.ts";

/** Metric names for written texts, in the order they are shown. */
export const TEXT_METRICS = ["exact_match", "rouge1", "rouge2", "rougeL"] as const;

export type TextMetric = (typeof TEXT_METRICS)[number];

/** Means over (prediction, target); exact match looks past whitespace at the ends. NaN without examples. */
export function textMetrics(pairs: readonly (readonly [string, string])[]): Record<TextMetric, number> {
  const sums = { exact_match: 0, rouge1: 0, rouge2: 0, rougeL: 0 };
  for (const [prediction, target] of pairs) {
    sums.exact_match += Number(prediction.trim() === target.trim());
    const scores = rouge(prediction, target);
    sums.rouge1 += scores.rouge1;
    sums.rouge2 += scores.rouge2;
    sums.rougeL += scores.rougeL;
  }
  for (const name of TEXT_METRICS) sums[name] /= pairs.length;
  return sums;
}
