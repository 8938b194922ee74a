import { expect, test } from "vitest";
import { keptShareAt } from "./schedule.ts";

test("what is kept falls as a cubic from 1 to the target, then stays", () => {
  const at = (step: number) => keptShareAt(0.2, 10, 20, step);
  expect([at(0), at(10), at(20), at(99)]).toEqual([1, 1, 0.2, 0.2]);
  expect(at(15)).toBeCloseTo(0.2 + 0.8 / 8, 12);
  // half of all that goes has gone after a fifth of the time
  expect(at(12)).toBeLessThan(0.62);
  for (let step = 10; step < 20; step++) expect(at(step + 1)).toBeLessThan(at(step));
});
