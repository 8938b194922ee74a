// Axes end where a quantity ends, and their labels tell ticks apart.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  amountAxis,
  decimalTicks,
  densityAxis,
  metricAxis,
  metricBounds,
  niceDomain,
  niceTicks,
  percentTicks,
  stepAxis,
} from "./axes.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });
const labelsOf = ({ ticks, tickFormat }: { ticks: readonly number[]; tickFormat: (value: number) => string }) =>
  ticks.map((tick) => tickFormat(tick));

describe("metricAxis", () => {
  test("never has a tick above what a share can be, nor two ticks of one label", () => {
    fc.assert(
      fc.property(fc.array(share, { minLength: 1, maxLength: 20 }), (values) => {
        const axis = metricAxis("accuracy", values);
        const [least, most] = axis.domain;
        expect(least).toBeGreaterThanOrEqual(0);
        expect(most).toBeLessThanOrEqual(1);
        for (const value of values) expect(value >= least - 1e-9 && value <= most + 1e-9).toBe(true);
        for (const tick of axis.ticks) expect(tick >= least - 1e-9 && tick <= most + 1e-9).toBe(true);
        expect(new Set(labelsOf(axis)).size).toBe(axis.ticks.length);
      }),
    );
  });

  test("has one label at least where all values are equal", () => {
    expect(labelsOf(metricAxis("accuracy", [1])).at(-1)).toBe("100 %");
    expect(labelsOf(metricAxis("accuracy", [0.5])).length).toBeGreaterThan(1);
    expect(metricAxis("accuracy", []).domain).toEqual([0, 0.01]);
  });

  test.each<[string, [number, number] | null]>([
    ["accuracy", [0, 1]],
    ["f1", [0, 1]],
    ["rougeL", [0, 1]],
    ["matthews_correlation", [-1, 1]],
    ["pearson", [-1, 1]],
    ["spearmanr", [-1, 1]],
    ["eval_loss", null],
    ["mse", null],
  ])("%s is bounded by %j", (metric, bounds) => {
    expect(metricBounds(metric)).toEqual(bounds);
    if (bounds !== null) expect(metricAxis(metric, [bounds[1], bounds[1] * 0.99]).domain[1]).toBe(bounds[1]);
  });
});

test("a domain ends on round numbers around its values", () => {
  expect(niceDomain([0.2133, 0.2533], [0, 1])).toEqual([0.21, 0.26]);
  expect(niceDomain([1024], null, { zero: true })).toEqual([0, 1200]);
  expect(niceDomain([0.97, 1], [0, 1])).toEqual([0.97, 1]);
  expect(niceDomain([-0.2, -0.1], [-1, 1])).toEqual([-0.2, -0.1]);
  expect(niceDomain([0, 0], null, { zero: true })[0]).toBe(0);
});

test("ticks are round, inside, and as many as asked for", () => {
  expect(niceTicks([0, 1])).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(niceTicks([0.21, 0.26], 5)).toEqual([0.21, 0.22, 0.23, 0.24, 0.25, 0.26]);
  expect(niceTicks([-0.0117, 0.0117], 5)).toEqual([-0.01, -0.005, 0, 0.005, 0.01]);
});

test("labels have the decimals that all ticks need, and no more", () => {
  expect(labelsOf(percentTicks([0.21, 0.215, 0.22]))).toEqual(["21.0 %", "21.5 %", "22.0 %"]);
  expect(labelsOf(percentTicks([0.9995, 1]))).toEqual(["99.95 %", "100.00 %"]);
  expect(labelsOf(decimalTicks([-0.2, 0, 0.2]))).toEqual(["−0.2", "0.0", "0.2"]);
  expect(labelsOf(densityAxis([0.4, 1])).at(-1)).toBe("100 %");
  expect(labelsOf(amountAxis([3e-4], String)).at(0)).toBe("0");
});

test("steps have ticks at whole numbers alone", () => {
  for (const last of [0, 1, 2, 3, 7, 60, 12_345]) {
    const { ticks, domain } = stepAxis(last);
    expect(ticks.every(Number.isInteger)).toBe(true);
    expect(ticks.every((tick) => tick <= domain[1]!)).toBe(true);
    expect(ticks.length).toBeGreaterThan(1);
  }
});
