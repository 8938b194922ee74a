// Scores of several labels as scikit-learn's, and of entities as seqeval's, on recorded cases.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { countEntities, entitiesOf, entityMetrics, groupTokens } from "./entities.ts";
import { countLabels, multiLabelMetrics, noLabelCounts } from "./multi-label-metrics.ts";

interface Several {
  readonly name: string;
  readonly classes: number;
  readonly given: readonly (readonly number[])[];
  readonly right: readonly (readonly number[])[];
}
interface Tagged {
  readonly name: string;
  readonly given: readonly (readonly string[])[];
  readonly right: readonly (readonly string[])[];
}
type Scores = Readonly<Record<string, number>>;

const GOLDEN = JSON.parse(readFileSync(new URL("../../test/golden/label-metrics.json", import.meta.url), "utf8")) as {
  readonly several: readonly (Several & Scores)[];
  readonly tags: readonly (Tagged & Scores)[];
};

describe("several labels, as scikit-learn", () => {
  test.each(GOLDEN.several)("$name", ({ classes, given, right, f1_micro, f1_macro, accuracy }) => {
    const counts = noLabelCounts(classes);
    for (const [i, labels] of given.entries()) countLabels(counts, new Set(labels), new Set(right[i]));
    const metrics = multiLabelMetrics(counts);
    expect(metrics.f1_micro).toBeCloseTo(f1_micro!, 12);
    expect(metrics.f1_macro).toBeCloseTo(f1_macro!, 12);
    expect(metrics.accuracy).toBeCloseTo(accuracy!, 12);
  });

  test("without examples nothing is known", () => {
    expect(multiLabelMetrics(noLabelCounts(2))).toEqual({
      f1_micro: Number.NaN,
      f1_macro: Number.NaN,
      accuracy: Number.NaN,
    });
  });
});

describe("entities, as seqeval", () => {
  test.each(GOLDEN.tags)("$name", ({ given, right, precision, recall, f1, accuracy }) => {
    const metrics = entityMetrics(given.map((tags, i) => countEntities(tags, right[i]!)));
    expect(metrics.precision).toBeCloseTo(precision!, 12);
    expect(metrics.recall).toBeCloseTo(recall!, 12);
    expect(metrics.f1).toBeCloseTo(f1!, 12);
    expect(metrics.accuracy).toBeCloseTo(accuracy!, 12);
  });

  test.each([
    [
      ["B-PER", "I-PER", "O", "B-LOC"],
      ["PER 0-1", "LOC 3-3"],
    ],
    [
      ["I-PER", "I-PER", "B-PER"],
      ["PER 0-1", "PER 2-2"],
    ],
    [
      ["B-PER", "I-LOC"],
      ["PER 0-0", "LOC 1-1"],
    ],
    [
      ["S-PER", "E-PER", "E-PER"],
      ["PER 0-0", "PER 1-1", "PER 2-2"],
    ],
    [["B-work-of-art", "I-work-of-art"], ["work-of-art 0-1"]],
    [["O", "O"], []],
    [[], []],
  ])("%j", (tags, expected) => {
    expect(entitiesOf(tags).map(({ type, start, end }) => `${type} ${start}-${end}`)).toEqual(expected);
  });
});

test("tokens go into one group while their type stays and none begins anew", () => {
  const labels = ["B-PER", "I-PER", "B-PER", "I-LOC", "O", "I-LOC", "LOC", "O"];
  const tokens = labels.map((label, i) => ({
    label,
    score: (i + 1) / 10,
    word: `w${i}`,
    start: 3 * i,
    end: 3 * i + 2,
  }));
  const groups = groupTokens(tokens, (words) => words.join(" "));
  expect(groups.map(({ entity_group: type, word }) => `${type}: ${word}`)).toEqual([
    "PER: w0 w1",
    "PER: w2",
    "LOC: w3",
    "LOC: w5 w6",
  ]);
  expect(groups[0]).toEqual({
    entity_group: "PER",
    score: expect.closeTo(0.15, 12) as number,
    word: "w0 w1",
    start: 0,
    end: 5,
  });
});
