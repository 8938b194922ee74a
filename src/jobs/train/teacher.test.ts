// The loss of guessing under a teacher: no constant answer does better, and one does as well.
import { expect, test } from "vitest";
import { taughtChance } from "./teacher-logits.ts";

const WEIGHT = 0.3;
const grid = Array.from({ length: 9999 }, (_, i) => (i + 1) / 10_000);

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
  const chance = taughtChance(labels, logits, { kind: "classification", labels: ["a", "b"] }, WEIGHT);
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
  const chance = taughtChance(labels, logits, { kind: "regression", labels: [] }, WEIGHT);
  expect(chance).toBeCloseTo(Math.min(...grid.map(lossOf)), 6);
});
