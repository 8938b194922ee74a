// What is decided from magnitudes and times: thresholds, which layers are read by rows, and how far a budget lets them go.
import { describe, expect, test } from "vitest";
import type { Backend } from "../../runtime/index.ts";
import { expectedMs, type GatherShape, type GatherTimes } from "./gather-times.ts";
import { Magnitudes } from "./magnitudes.ts";
import { Predictions } from "./predictions.ts";
import { chooseSparseMlp, planSparseMlp, type SparseCalibration } from "./sparse-plan.ts";

const SHAPE: GatherShape = { hidden: 4, neurons: 8, isGated: false, rows: 2 };
const times: GatherTimes = {
  shape: SHAPE,
  denseMs: 1,
  gathered: [
    { active: 0.1, ms: 0.3 },
    { active: 0.3, ms: 0.7 },
    { active: 0.5, ms: 1.2 },
  ],
  predicted: [
    { active: 0.1, ms: 0.2 },
    { active: 0.3, ms: 0.4 },
  ],
};
// `times` is given, so nothing is measured
const options = { backend: {} as Backend, times: () => Promise.resolve(times) };

/** Eight neurons at one token, the first `zeros` of them silent and the rest 1, 2, 4, … times 2⁻⁴. */
function magnitudes(zeros: number): Magnitudes {
  const seen = new Magnitudes();
  seen.add(
    Float32Array.from({ length: 8 }, (_, f) => (f < zeros ? 0 : (f % 2 === 0 ? 1 : -1) * 2 ** (f - zeros - 4))),
    8,
  );
  return seen;
}

/** The same neurons, predicted to be what they are, or −1 where they are silent. */
function predictions(zeros: number): Predictions {
  const seen = new Predictions();
  const activations = Float32Array.from({ length: 8 }, (_, f) => (f < zeros ? 0 : 2 ** (f - zeros - 4)));
  seen.add(
    activations.map((a) => a || -1),
    activations,
    8,
  );
  return seen;
}

const calibration = (zeros: readonly number[], obstacle: string | null = null): SparseCalibration => ({
  rows: 2,
  steps: 1,
  layers: zeros.map((count, i) => ({
    site: `mlp.${i}`,
    ...SHAPE,
    obstacle,
    predictionObstacle: obstacle,
    magnitudes: magnitudes(count),
    predictions: predictions(count),
  })),
});

describe("magnitudes", () => {
  test("a neuron is active in a step when it is for one of its tokens", () => {
    const seen = new Magnitudes();
    seen.add(Float32Array.of(0, 0, 3, 0, /**/ 0, -1, 0, -0), 4);
    seen.add(Float32Array.of(0, 0, 0, 0, /**/ 0, 0, 0, 0), 4);
    expect(seen.active(0)).toBe(2 / 8);
    expect(seen.active(1)).toBe(1 / 8);
    expect(seen.active(3)).toBe(0);
  });

  test("the threshold leaves at most the share, and is 0 where that needs none", () => {
    const seen = magnitudes(4); // 1/16, 1/8, 1/4, 1/2
    expect(seen.threshold(0.5)).toBe(0);
    for (const share of [0.375, 0.25, 0.125, 0]) {
      const threshold = seen.threshold(share);
      expect(seen.active(threshold)).toBe(share);
      expect(threshold).toBeCloseTo(2 ** (-1 - 8 * share), 6);
    }
  });
});

describe("predictions", () => {
  test("the floor is the highest that finds the share, and tells what it reads", () => {
    const seen = new Predictions();
    // four neurons, two tokens: of the active ones one is predicted far too low
    seen.add(Float32Array.of(2, -4, 1, -3, /**/ 0.5, -5, -2, -6), Float32Array.of(1, 0, 1, 0, /**/ 1, 0, 1, 0), 4);
    const most = seen.floor(0, 0.75);
    expect(most).toMatchObject({ recall: 0.75, selected: 0.5 });
    expect(most.floor).toBeLessThan(0.5 * (1 + 1e-6));
    expect(most.floor).toBeGreaterThan(0.45);
    const all = seen.floor(0, 1);
    expect(all).toMatchObject({ recall: 1, selected: 0.5 });
    expect(all.floor).toBeLessThanOrEqual(-2);
    expect(all.floor).toBeGreaterThan(-2.1);
  });

  test("only what is above the threshold is to be found", () => {
    const seen = new Predictions();
    seen.add(Float32Array.of(3, 1, -1, -8), Float32Array.of(4, 2, 0.5, 0), 4);
    expect(seen.floor(0, 1)).toMatchObject({ recall: 1, selected: 0.75 });
    expect(seen.floor(0.5, 1)).toMatchObject({ recall: 1, selected: 0.5 });
    expect(seen.floor(2, 1)).toMatchObject({ recall: 1, selected: 0.25 });
    expect(seen.floor(4, 1)).toMatchObject({ recall: 1, selected: 0 });
  });
});

describe("the plan", () => {
  test("a share costs what lies between the shares that were measured", () => {
    expect([0.01, 0.1, 0.2, 0.5].map((active) => expectedMs(times.gathered, active))).toEqual([0.3, 0.3, 0.5, 1.2]);
    expect(expectedMs(times.gathered, 0.6)).toBeNull();
  });

  test("rows are read where that is expected to pay, and nothing changes elsewhere", async () => {
    const plan = await planSparseMlp(calibration([7, 5, 4, 0]), options);
    expect(plan.layers.map(({ isGathered, active, gatheredMs }) => ({ isGathered, active, gatheredMs }))).toEqual([
      { isGathered: true, active: 0.125, gatheredMs: 0.35 },
      { isGathered: true, active: 0.375, gatheredMs: 0.8875 },
      { isGathered: false, active: 0.5, gatheredMs: 1.2 },
      { isGathered: false, active: 1, gatheredMs: null },
    ]);
    expect(plan).toMatchObject({ rows: 2, exactness: "exact" });
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  test("rows of all matrices are read where predicting them is faster than the rest, and only where predictions are allowed", async () => {
    const decide = async (ms: number, predicts = true) =>
      planSparseMlp(calibration([7, 1]), {
        backend: options.backend,
        predicts,
        times: () => Promise.resolve({ ...times, predicted: [{ active: 0.5, ms }] }),
      });
    // by rows of the last matrix 0.35 of a millisecond is left
    const fast = await decide(0.31);
    expect(fast.exactness).toBe("calibrated");
    expect(fast.layers[0]).toMatchObject({ isGathered: true, denseMs: 1, gatheredMs: 0.31, prediction: { recall: 1 } });
    expect(fast.layers[0]!.prediction!.selected).toBe(0.125);
    // seven of eight are more than the table knows
    expect(fast.layers[1]).toMatchObject({ isGathered: false });
    expect(JSON.parse(JSON.stringify(fast))).toEqual(fast);
    for (const plan of [await decide(0.32), await decide(0.1, false)]) {
      expect(plan.exactness).toBe("exact");
      expect(plan.layers[0]).toMatchObject({ isGathered: true, denseMs: 1, gatheredMs: 0.35 });
      expect(plan.layers[0]).not.toHaveProperty("prediction");
    }
  });

  test("predictions are dropped where they cost more than the budget", async () => {
    const choose = (loss: number) =>
      chooseSparseMlp(calibration([7]), {
        ...options,
        predicts: true,
        budget: 0.1,
        shares: [],
        score: (plan) => Promise.resolve(plan?.layers[0]?.prediction ? 0.9 - loss : 0.9),
      });
    expect(await choose(0.05)).toMatchObject({ keepActive: null, plan: { layers: [{ prediction: { recall: 1 } }] } });
    const { plan, score } = await choose(0.2);
    expect(plan).toMatchObject({ exactness: "exact", layers: [{ isGathered: true }] });
    expect(score).toEqual({ dense: 0.9, sparse: 0.9 });
  });

  test("an obstacle is told, and nothing is measured for it", async () => {
    const never = () => Promise.reject(new Error("measured"));
    const plan = await planSparseMlp(calibration([7], "it is trained"), { ...options, times: never });
    expect(plan.layers[0]).toMatchObject({ isGathered: false, denseMs: null, reason: "it is trained" });
  });

  test("thresholds go as far as the budget lets them", async () => {
    const score = (plan: Awaited<ReturnType<typeof planSparseMlp>> | null) =>
      Promise.resolve(plan === null ? 0.9 : 0.9 - (1 - plan.layers[0]!.active) ** 4);
    const choose = (budget: number) => chooseSparseMlp(calibration([0]), { ...options, budget, score });
    expect(await choose(0.2)).toMatchObject({ keepActive: 0.4, plan: { exactness: "calibrated" } });
    expect(await choose(0.5)).toMatchObject({ keepActive: 0.3 });
    const none = await choose(0.01);
    expect(none).toMatchObject({ keepActive: null, plan: { exactness: "exact" }, score: { dense: 0.9, sparse: 0.9 } });
    expect(none.plan.layers[0]!.isGathered).toBe(false);
  });
});
