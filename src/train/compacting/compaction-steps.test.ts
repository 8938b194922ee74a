import { expect, test } from "vitest";
import { keptShareAt } from "../../optim/index.ts";
import { compactionSteps } from "./compaction-steps.ts";

test("points lie between the first removal and the last, which is one; short removals have fewer", () => {
  const points = (startStep: number, endStep: number, keep = 0.25) => compactionSteps({ keep, startStep, endStep });
  expect(points(200, 600)).toEqual([239, 283, 332, 391, 469, 600]);
  expect(points(20, 60)).toEqual([35, 60]);
  expect(points(20, 60, 0.9)).toEqual([60]);
  expect(points(4, 12)).toEqual([12]);
});

test("no other three points cost less", () => {
  const [keep, start, end] = [0, 0, 100];
  const cost = (points: readonly number[]) => {
    const all = [start, ...points, end];
    return points.concat(end).reduce((sum, to, i) => sum + (to - all[i]!) * keptShareAt(keep, start, end, all[i]!), 0);
  };
  const [a, b, c] = compactionSteps({ keep, startStep: start, endStep: end }) as [number, number, number, number];
  for (const others of [
    [a - 8, b, c],
    [a + 8, b, c],
    [a, b - 8, c],
    [a, b + 8, c],
    [a, b, c - 8],
    [a, b, c + 8],
  ])
    expect(cost(others)).toBeGreaterThan(cost([a, b, c]));
  expect(cost([a, b, c]) / (end - start)).toBeCloseTo(0.367, 2);
});
