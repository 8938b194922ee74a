// The words of the majority-class warning, and when there is none.
import { expect, test } from "vitest";
import { resolveSettings } from "../../settings/settings.ts";
import type { Outcome } from "../../tasks/evaluation.ts";
import { majorityMessage } from "./majority.ts";

const settings = (weight: number) =>
  resolveSettings({ flags: { model: "m", task: "sst2", data: "d", "density-weight": weight } });

/** `count` outcomes for each pair of a label and an answer. */
const outcomes = (list: readonly (readonly [target: string, prediction: string, count: number])[]): Outcome[] =>
  list.flatMap(([target, prediction, count]) =>
    Array.from({ length: count }, (_, i) => ({
      line: i + 1,
      prediction,
      target,
      score: Number(target === prediction),
    })),
  );

test("one answer for all examples", () => {
  const all = outcomes([
    ["no", "yes", 60],
    ["yes", "yes", 40],
  ]);
  expect(majorityMessage(["no", "yes"], all, settings(0), { canBalance: true })).toBe(
    'the model answers "yes" for 100.0 % of the evaluation examples, of which 40.0 % have this label. ' +
      "If this stays so, train longer, change --learning-rate, or weigh rare classes with --class-weights balanced.",
  );
});

test("an accuracy that the majority class alone has, under a density loss", () => {
  const all = outcomes([
    ["no", "no", 4],
    ["no", "yes", 2],
    ["yes", "no", 2],
    ["yes", "yes", 2],
  ]);
  expect(majorityMessage(["no", "yes"], all, settings(1), { canBalance: false })).toBe(
    'the accuracy equals the share of "no" among the evaluation labels (60.0 %): always answering "no" would score the same. ' +
      "If this stays so, train longer, change --learning-rate, or lower --density-weight.",
  );
});

test.each<[string, readonly string[], Outcome[]]>([
  [
    "good answers",
    ["no", "yes"],
    outcomes([
      ["no", "no", 9],
      ["yes", "yes", 9],
      ["no", "yes", 2],
    ]),
  ],
  ["numbers", [], [{ line: 1, prediction: 2.5, target: 2, score: null }]],
  ["written texts", [], [{ line: 1, prediction: "a", target: "a", score: 1 }]],
  ["labels of another model", ["x", "y"], outcomes([["no", "yes", 3]])],
  ["no labels", ["no", "yes"], [{ line: 1, prediction: "no", target: null, score: null }]],
])("none of %s", (_, labels, all) => {
  expect(majorityMessage(labels, all, settings(1), { canBalance: false })).toBeNull();
});
