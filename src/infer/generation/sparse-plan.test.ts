// What is decided from magnitudes and times: thresholds, which layers are read by rows, and how far a budget lets them go.
import { describe, expect, test } from "vitest";
import type { Backend } from "../../runtime/index.ts";
import { expectedMs, type GatherShape, type GatherTimes } from "./gather-times.ts";
import { chooseSparseMlp, Magnitudes, planSparseMlp, type SparseCalibration } from "./sparse-plan.ts";

const SHAPE: GatherShape = { hidden: 4, neurons: 8, isGated: false, rows: 2 };
const times: GatherTimes = {
  shape: SHAPE,
  denseMs: 1,
  gathered: [
    { active: 0.1, ms: 0.3 },
    { active: 0.3, ms: 0.7 },
    { active: 0.5, ms: 1.2 },
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

const calibration = (zeros: readonly number[], obstacle: string | null = null): SparseCalibration => ({
  rows: 2,
  steps: 1,
  layers: zeros.map((count, i) => ({ site: `mlp.${i}`, ...SHAPE, obstacle, magnitudes: magnitudes(count) })),
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

describe("the plan", () => {
  test("a share costs what lies between the shares that were measured", () => {
    expect([0.01, 0.1, 0.2, 0.5].map((active) => expectedMs(times, active))).toEqual([0.3, 0.3, 0.5, 1.2]);
    expect(expectedMs(times, 0.6)).toBeNull();
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
