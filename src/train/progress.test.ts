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
  /** Evaluations, by index, for which a warning is due; they stand ten steps apart. */
  const judged = (progress: Progress, answers: readonly boolean[], lastAt = Number.POSITIVE_INFINITY) =>
    answers.flatMap((is, i) => {
      progress.noteMajority(10 * (i + 1), is ? "one class" : null, i === lastAt);
      return progress.takeMajority() === null ? [] : [i];
    });

  test("is told at the second of several evaluations in a row, once, and again after a better one", () => {
    expect(judged(new Progress(), [true, true, true, false, true, true])).toEqual([1, 5]);
  });

  test("is not told of a single evaluation, unless it is the last", () => {
    expect(judged(new Progress(), [true, false, true, false])).toEqual([]);
    expect(judged(new Progress(), [false, true], 1)).toEqual([1]);
  });

  test("is not told of the first two steps, in which every model answers as it was initialised", () => {
    const progress = new Progress();
    progress.noteMajority(2, "one class", true);
    expect(progress.takeMajority()).toBeNull();
    progress.noteMajority(3, "one class", true);
    expect(progress.takeMajority()).toBe("at the evaluation of step 3, one class");
    expect(progress.takeMajority()).toBeNull();
  });

  test("is not told where the collapse of the task was", () => {
    const progress = new Progress();
    noted(progress, CHANCE);
    expect(judged(progress, [true, true])).toEqual([]);
  });

  test("is told after a resume what was yet to be told, and nothing twice", () => {
    const before = new Progress();
    judged(before, [true]);
    before.noteMajority(20, "one class", false);
    const after = new Progress();
    after.restore(before.snapshot());
    expect(after.takeMajority()).toBe("at the evaluation of step 20, one class");
    const later = new Progress();
    later.restore(after.snapshot());
    expect(judged(later, [true, true])).toEqual([]);
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
