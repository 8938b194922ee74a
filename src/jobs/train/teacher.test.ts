// The loss of guessing under a teacher: no constant answer does better, and one does as well.
import { expect, test } from "vitest";
import type { EncodedExamples } from "../../data/index.ts";
import { readingHead } from "../../tasks/index.ts";

const WEIGHT = 0.3;
const grid = Array.from({ length: 9999 }, (_, i) => (i + 1) / 10_000);

/** The chance loss of a head, over logits of `width` an example. */
function taughtChance(kind: string, labels: Float64Array, logits: Float32Array, names: readonly string[]): number {
  const width = logits.length / labels.length;
  const rows = Array.from(labels, (_, i) => logits.subarray(i * width, (i + 1) * width));
  const indices = rows.map((_, i) => i);
  const options = { task: { labels: names }, weight: WEIGHT };
  return readingHead({ kind }).teacher.chanceLoss({ labels } as EncodedExamples, indices, rows, options);
}

test("classes", () => {
  const labels = Float64Array.of(0, 1, 1, 1);
  const logits = Float32Array.of(3, -1, 0.5, 0, -2, 2, 60, -60);
  const shares = [0, 1, 2, 3].map((i) => 1 / (1 + Math.exp(logits[2 * i + 1]! - logits[2 * i]!)));
  const divergence = (p: number, q: number) =>
    [
      [p, q],
      [1 - p, 1 - q],
    ].reduce((sum, [a, b]) => sum + (a! > 0 ? a! * Math.log(a! / b!) : 0), 0);
  const lossOf = (first: number) =>
    [0, 1, 2, 3].reduce((sum, i) => {
      const hard = -Math.log(labels[i] === 0 ? first : 1 - first);
      return sum + ((1 - WEIGHT) * hard + WEIGHT * divergence(shares[i]!, first)) / 4;
    }, 0);
  const chance = taughtChance("classification", labels, logits, ["a", "b"]);
  expect(chance).toBeCloseTo(Math.min(...grid.map(lossOf)), 6);
});

test("scores", () => {
  const labels = Float64Array.of(0.5, 0.2, 0.9);
  const logits = Float32Array.of(0.75, 0, 0.5);
  const lossOf = (score: number) =>
    labels.reduce(
      (sum, label, i) => sum + ((1 - WEIGHT) * (label - score) ** 2 + WEIGHT * (logits[i]! - score) ** 2) / 3,
      0,
    );
  const chance = taughtChance("regression", labels, logits, []);
  expect(chance).toBeCloseTo(Math.min(...grid.map(lossOf)), 6);
});
