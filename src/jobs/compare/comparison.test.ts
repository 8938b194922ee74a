import { expect, test } from "vitest";
import type { Density } from "../../density/index.ts";
import type { Evaluation } from "../../tasks/index.ts";
import { comparisonRow, pairedOverSeeds } from "./comparison.ts";

function evaluation(exact: number, active: number, accuracy: number): Evaluation {
  const encoder: Density = {
    paper: exact,
    exact,
    thresholds: { "0.01": active, "0.0001": exact },
    deadNeurons: 0,
    rareNeurons: 0,
    neurons: 8,
  };
  const timing = { examplesPerSecond: 1, totalMs: 1 };
  return {
    task: "sst2",
    split: "dev",
    examples: 4,
    loss: 1,
    metrics: { accuracy },
    density: { encoder, layers: [] },
    timing,
  };
}

test("the change is a share of PEFT's density, positive when sparser, by every definition", () => {
  const row = comparisonRow(
    { method: "lora", seed: 1, peft: evaluation(0.8, 0.5, 0.9), deft: evaluation(0.6, 0.1, 0.88) },
    "accuracy",
  );
  expect(row.densityChange).toEqual({ encoder: 0.8 });
  expect(Object.keys(row.densityChanges)).toEqual(["paper", "exact", "0.0001", "0.01"]);
  expect(row.densityChanges.exact?.encoder).toBeCloseTo(0.25, 12);
  expect(row.scoreChange).toBeCloseTo(-0.02, 12);
});

test("nothing can change what was 0: NaN, not 0 or infinity", () => {
  const row = comparisonRow({ method: "lora", seed: 1, peft: evaluation(0, 0, 1), deft: evaluation(0, 0.1, 1) }, "f1");
  expect(row.densityChange.encoder).toBeNaN();
  expect(row.scoreChange).toBeNaN();
});

const outcomes = (...scores: readonly (number | null)[]) =>
  scores.map((score, i) => ({ line: i + 1, prediction: "a", target: "a", score }));

test("an example is drawn with its answers under all seeds", () => {
  const peft = outcomes(0, 1, 1, 0);
  // under the second seed everything is the other way round: the mean of no example changes
  const opposed = pairedOverSeeds([
    { peft, deft: outcomes(1, 0, 0, 1) },
    { peft: outcomes(1, 0, 0, 1), deft: peft },
  ])!;
  expect(opposed).toMatchObject({ difference: 0, low: 0, high: 0 });
  const better = pairedOverSeeds([{ peft, deft: outcomes(1, 1, 1, 0) }])!;
  expect(better.difference).toBe(0.25);
  expect([better.low, better.high]).toEqual([0, 0.75]);
});

test("there is no interval without scores, or over other examples", () => {
  const peft = outcomes(0, 1);
  expect(pairedOverSeeds([])).toBeNull();
  expect(pairedOverSeeds([{ peft, deft: outcomes(0, null) }])).toBeNull();
  expect(pairedOverSeeds([{ peft, deft: outcomes(0, 1, 1) }])).toBeNull();
  expect(pairedOverSeeds([{ peft, deft: peft.map((outcome) => ({ ...outcome, line: outcome.line + 1 })) }])).toBeNull();
});
