import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchPlan, evaluationPlan, trainingPlan } from "./batch-plan.ts";

const lengths = fc.array(fc.integer({ min: 1, max: 128 }), { maxLength: 400 });
const batchSize = fc.integer({ min: 1, max: 40 });
const options = fc.record({ batchSize, seed: fc.integer(), epoch: fc.nat(9), bucketBatches: fc.nat(6) });

const batchesOf = (plan: BatchPlan) => Array.from({ length: plan.batchCount }, (_, i) => [...plan.indices(i)]);
const sorted = (numbers: number[]) => numbers.sort((a, b) => a - b);

test("a training plan has every example exactly once, in full batches but the last", () => {
  fc.assert(
    fc.property(lengths, options, (of, plan) => {
      const batches = batchesOf(trainingPlan(of, plan));
      expect(sorted(batches.flat())).toEqual(of.map((_, i) => i));
      expect(batches.slice(0, -1).every((batch) => batch.length === plan.batchSize)).toBe(true);
    }),
  );
});

test("a training plan is a function of seed and epoch", () => {
  fc.assert(
    fc.property(lengths, options, (of, plan) => {
      expect(batchesOf(trainingPlan(of, plan))).toEqual(batchesOf(trainingPlan(of, plan)));
    }),
  );
  const of = Array.from({ length: 200 }, (_, i) => i % 17);
  const plans = [
    [1, 0],
    [1, 1],
    [2, 0],
  ].map(([seed, epoch]) => batchesOf(trainingPlan(of, { batchSize: 8, seed: seed!, epoch: epoch! })));
  expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(3);
});

test("buckets cut padding and leave long and short batches mixed", () => {
  const of = Array.from({ length: 3200 }, (_, i) => 4 + ((i * 37) % 61));
  const padded = (plan: BatchPlan) =>
    batchesOf(plan).reduce((sum, batch) => sum + batch.length * Math.max(...batch.map((i) => of[i]!)), 0);
  const tokens = of.reduce((sum, n) => sum + n, 0);
  const plan = trainingPlan(of, { batchSize: 32, seed: 3, epoch: 0 });
  expect(tokens / padded(plan)).toBeGreaterThan(0.95);
  expect(tokens / padded(trainingPlan(of, { batchSize: 32, seed: 3, epoch: 0, bucketBatches: 0 }))).toBeLessThan(0.6);
  const longest = batchesOf(plan).map((batch) => Math.max(...batch.map((i) => of[i]!)));
  expect(longest).not.toEqual(sorted([...longest]));
});

test("an evaluation plan goes from long to short, each example once", () => {
  fc.assert(
    fc.property(lengths, batchSize, (of, size) => {
      const order = batchesOf(evaluationPlan(of, size)).flat();
      expect(order.map((i) => of[i]!)).toEqual(sorted([...of]).reverse());
      expect(sorted(order)).toEqual(of.map((_, i) => i));
    }),
  );
});
