import { describe, expect, test } from "vitest";
import { Progress } from "./progress.ts";

const CHANCE = Math.log(2);

/** Notes `steps` equal losses from step 1 on; the steps that warned. */
function noted(progress: Progress, taskLoss: number, { weight = 1, steps = 200, warmup = 0 } = {}): number[] {
  const all = Array.from({ length: steps }, (_, i) => i + 1);
  return all.filter((step) => progress.noteLoss(step, taskLoss, weight, CHANCE, warmup));
}

describe("collapse", () => {
  test("is told once, when enough steps have shown it", () => {
    expect(noted(new Progress(), CHANCE)).toEqual([100]);
  });

  test("waits for the end of a longer warm-up", () => {
    expect(noted(new Progress(), CHANCE, { warmup: 150 })).toEqual([150]);
  });

  test("is none without a density loss, or when the task is learnt", () => {
    expect(noted(new Progress(), CHANCE, { weight: 0 })).toEqual([]);
    expect(noted(new Progress(), 0.9 * CHANCE)).toEqual([]);
  });

  test("is judged by the running mean, not by one bad step", () => {
    const progress = new Progress();
    expect(noted(progress, 0.5 * CHANCE, { steps: 120 })).toEqual([]);
    expect(progress.noteLoss(121, 3 * CHANCE, 1, CHANCE, 0)).toBe(false);
  });

  test("is not told again after a resume", () => {
    const before = new Progress();
    noted(before, CHANCE);
    const after = new Progress();
    after.restore(before.snapshot());
    expect(noted(after, CHANCE)).toEqual([]);
    expect(after.meanTaskLoss).toBe(before.meanTaskLoss);
  });
});

describe("a majority-class answer", () => {
  test("is told at the first of several evaluations in a row, and again after a better one", () => {
    const progress = new Progress();
    expect([true, true, false, false, true, true].map((is) => progress.noteMajority(is))).toEqual([
      true,
      false,
      false,
      false,
      true,
      false,
    ]);
  });

  test("is not told again after a resume", () => {
    const before = new Progress();
    before.noteMajority(true);
    const after = new Progress();
    after.restore(before.snapshot());
    expect(after.noteMajority(true)).toBe(false);
  });
});

describe("the best evaluation", () => {
  test("is the greatest or the least, the first of equals", () => {
    const progress = new Progress();
    expect([0.5, 0.7, 0.7, 0.6].map((metric, i) => progress.noteMetric(i, metric, true))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(progress).toMatchObject({ bestMetric: 0.7, bestStep: 1, evaluationsWithoutGain: 2, evaluatedStep: 3 });
    const least = new Progress();
    expect([0.5, 0.7, 0.4].map((metric, i) => least.noteMetric(i, metric, false))).toEqual([true, false, true]);
  });

  test("is never NaN, but a first one is kept until a number comes", () => {
    const progress = new Progress();
    expect(progress.noteMetric(1, Number.NaN, true)).toBe(true);
    expect(progress.noteMetric(2, Number.NaN, true)).toBe(false);
    expect(progress.noteMetric(3, -0.1, true)).toBe(true);
    expect(progress).toMatchObject({ bestMetric: -0.1, bestStep: 3 });
  });
});
