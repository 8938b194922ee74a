import { describe, expect, test } from "vitest";
import { randomStream } from "../tensor/index.ts";
import { DensityWeightController, FIRST_WEIGHT } from "./density-weight-controller.ts";

const STEPS = 400;
const reference = Array.from({ length: STEPS }, (_, i) => 0.7 * 0.99 ** i + 0.1 * Math.sin(i));
const control = (rest: { margin?: number; targetDensity?: number | null } = {}) =>
  new DensityWeightController({ reference, margin: 0.05, targetDensity: null, totalSteps: STEPS, ...rest });

/** A task that loses 0.02 · weight after a while, and a density that falls with the weight. */
function live(controller: DensityWeightController, cost: number) {
  let loss = 0;
  let density = 1;
  const seen = [];
  for (let step = 1; step <= STEPS; step++) {
    const { weight } = controller;
    loss += 0.1 * (cost * weight - loss);
    density += 0.1 * (1 / (1 + weight) - density);
    controller.note(step, reference[step - 1]! + loss, density);
    seen.push({ weight, loss, density });
  }
  return seen;
}

describe("DensityWeightController", () => {
  test("doubles the weight every 12th of the run while the task loses nothing", () => {
    const seen = live(control(), 0);
    expect(seen[0]!.weight).toBe(FIRST_WEIGHT);
    expect(seen[160]!.weight / FIRST_WEIGHT).toBeCloseTo(2 ** 5, 6);
    expect(seen.at(-1)!.weight).toBe(100);
  });

  test("comes to rest where the task loses what it may", () => {
    const seen = live(control(), 0.02);
    const rest = seen.slice(-100);
    for (const { loss } of rest) expect(Math.abs(loss / 0.05 - 1)).toBeLessThan(0.15);
    // it overshoots on its way, by no more than it takes to see it
    expect(Math.max(...seen.map(({ loss }) => loss))).toBeLessThan(0.08);
  });

  test("stops before a cliff that shows late", () => {
    const controller = control({ margin: 0.035 });
    const random = randomStream(1, "noise");
    let [silence, loss, worst] = [0, 0, 0];
    for (let step = 1; step <= STEPS; step++) {
      // neurons fall silent behind the weight, and the task follows them: little by little, then all at once
      silence += 0.08 * (controller.weight - silence);
      loss += 0.1 * (Math.min(0.5, 0.006 * silence + 0.3 * Math.max(0, silence / 3 - 1) ** 2) - loss);
      worst = Math.max(worst, loss);
      controller.note(step, reference[step - 1]! + loss + 0.05 * random.normal(), undefined);
    }
    expect(worst).toBeLessThan(0.06);
    expect(controller.weight).toBeGreaterThan(0.5);
  });

  test("gives way where the task loses more whatever the weight", () => {
    const controller = control();
    for (let step = 1; step <= 300; step++) controller.note(step, reference[step - 1]! + 1, undefined);
    expect(controller.weight).toBe(0.01);
  });

  test("comes to rest at the target density", () => {
    const seen = live(control({ targetDensity: 0.3 }), 0);
    for (const { density } of seen.slice(-100)) expect(Math.abs(density - 0.3)).toBeLessThan(0.03);
  });

  test("goes on from a stored state as if nothing had happened", () => {
    const whole = control();
    for (let step = 1; step <= 50; step++) whole.note(step, reference[step - 1]! + 0.02, undefined);
    const stored = JSON.parse(JSON.stringify(whole.state));
    const resumed = control();
    resumed.restore(stored);
    for (const one of [whole, resumed]) for (let step = 51; step <= 60; step++) one.note(step, 0.5, undefined);
    expect(resumed.state).toEqual(whole.state);
  });
});
