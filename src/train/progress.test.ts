import { describe, expect, test } from "vitest";
import { type KeepRule, Progress } from "./progress.ts";

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

describe("the evaluation that is kept", () => {
  const judge = (progress: Progress, rule: KeepRule, all: readonly (readonly [number, (number | null)?, number?])[]) =>
    all.map(([score, density = null, loss = 1], i) => progress.noteEvaluation(i, { score, density, loss }, rule));

  test("is the one of the greatest score; of equal ones that of the lower density, else of the lower loss, else the later", () => {
    const progress = new Progress();
    expect(
      judge(progress, "best", [
        [0.5],
        [0.7, 0.8, 2],
        [0.7, 0.6, 3],
        [0.7, 0.6, 4],
        [0.7, 0.6, 3],
        [0.7, 0.7, 1],
        [0.6, 0.1],
      ]),
    ).toEqual([true, true, true, false, true, false, false]);
    expect(progress).toMatchObject({ bestMetric: 0.7, bestStep: 4, bestDensity: 0.6, bestLoss: 3, evaluatedStep: 6 });
    expect(
      judge(new Progress(), "best", [
        [1, null, 2],
        [1, null, 3],
        [1, null, 2],
        [1, null, 1],
      ]),
    ).toEqual([true, false, true, true]);
  });

  test("patience counts scores alone", () => {
    const progress = new Progress();
    judge(progress, "best", [
      [0.5, 0.9],
      [0.5, 0.8],
      [0.5, 0.7],
    ]);
    expect(progress).toMatchObject({ bestStep: 2, evaluationsWithoutGain: 2 });
    const last = new Progress();
    expect(judge(last, "last", [[0.5], [0.7], [0.6]])).toEqual([true, true, true]);
    expect(last).toMatchObject({ bestMetric: 0.7, bestStep: 2, evaluationsWithoutGain: 1 });
  });

  test("is the earliest of equal scores in runs of version 0.1.0", () => {
    const progress = new Progress();
    expect(judge(progress, "earliest", [[0.5], [0.7, 0.9], [0.7, 0.1], [0.6]])).toEqual([true, true, false, false]);
    expect(progress).toMatchObject({ bestMetric: 0.7, bestStep: 1, evaluationsWithoutGain: 2 });
  });

  test("has a score where any has: NaN is kept only until a number comes", () => {
    const progress = new Progress();
    expect(
      judge(progress, "best", [[Number.NaN, null, 1], [Number.NaN, null, 2], [-0.1], [Number.NaN, null, 0]]),
    ).toEqual([true, false, true, false]);
    expect(progress).toMatchObject({ bestMetric: -0.1, bestStep: 2 });
  });

  test("is decided the same after a resume", () => {
    const before = new Progress();
    judge(before, "best", [[0.5, 0.4, 1]]);
    const after = new Progress();
    after.restore(before.snapshot());
    expect(after.noteEvaluation(1, { score: 0.5, density: 0.5, loss: 0 }, "best")).toBe(false);
    expect(after.noteEvaluation(2, { score: 0.5, density: 0.3, loss: 2 }, "best")).toBe(true);
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
