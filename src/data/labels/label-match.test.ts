// Labels find their class by name in every spelling, by number only where names hold numbers, and by index only where none does.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arePlaceholders, classFinder, doubtfulReading, matchClasses } from "./label-match.ts";

const STARS = ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"];
const NLI = ["contradiction", "neutral", "entailment"];

describe("one label", () => {
  test.each<[readonly string[], Readonly<Record<string, number | null>>]>([
    [
      NLI,
      {
        neutral: 1,
        Neutral: 1,
        ENTAILMENT: 2,
        " entailment": 2,
        "0": 0,
        "2": 2,
        "2.0": 2,
        "3": null,
        "-1": null,
        "1.5": null,
        "": null,
        other: null,
      },
    ],
    [["not_entailment", "entailment"], { "not entailment": 0, "Not-Entailment": 0, notentailment: null }],
    [["a_b", "a b"], { a_b: 0, "a b": 1, "a-b": null }],
    [["Yes", "YES", "no"], { Yes: 0, YES: 1, yes: null, NO: 2 }],
    [STARS, { "1": 0, "5": 4, "1.0": 0, "0": null, "6": null, "5 STARS": 4, "2_stars": 1, stars: null }],
    [["1", "2", "10"], { "1": 0, "10": 2, "10.0": 2, "0": null, "3": null }],
    [["1.0", "1.5", "2.0"], { "1": 0, "1.5": 1, "2": 2, "0": null }],
    [["-1", "0", "1"], { "-1": 0, "-1.0": 0, "0": 1, "+1": 2, "2": null }],
    [["LABEL_0", "LABEL_1"], { "0": 0, "1": 1, LABEL_1: 1, label_0: 0, "2": null }],
    [["1-2 stars", "3-4 stars"], { "1": null, "3": null, "0": null }],
    [["covid19", "flu"], { "0": null, "19": null, FLU: 1 }],
    [["score -1", "score 1"], { "-1": 0, "1": 1 }],
    [["e\u0301te\u0301", "hiver"], { "\u00e9t\u00e9": 0, "\u00c9T\u00c9": 0 }],
    [["1", "1.0"], { "1": 0, "1.0": 1, "1.00": null }],
  ])("among %j", (names, cases) => {
    const find = classFinder(names);
    expect(Object.fromEntries(Object.keys(cases).map((label) => [label, find(label)?.index ?? null]))).toEqual(cases);
  });

  test("a label of very many digits that is no number is none", () => {
    const label = `${"1".repeat(1_000_000)}x`;
    expect(classFinder(["0", "1"])(label)).toBeNull();
  });

  test("every name finds itself, whatever the names", () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(names, (all) => {
        const find = classFinder(all);
        expect(all.map((name) => find(name)?.index)).toEqual(all.map((_, index) => index));
      }),
    );
  });
});

describe("lists", () => {
  const official = { isOfficial: true };
  const found = { isOfficial: false };
  test.each<[string, readonly string[], readonly string[], { readonly isOfficial: boolean }, readonly number[] | null]>(
    [
      ["another order", ["entailment", "neutral", "contradiction"], NLI, official, [2, 1, 0]],
      ["another case", ["entailment", "not_entailment"], ["NOT ENTAILMENT", "Entailment"], official, [1, 0]],
      ["placeholders keep the order", ["negative", "positive"], ["LABEL_0", "label_1"], found, [0, 1]],
      ["placeholders of another count", ["a", "b", "c"], ["LABEL_0", "LABEL_1"], official, null],
      [
        "numbers that start at 1 over placeholders",
        ["1", "2", "3"],
        ["LABEL_0", "LABEL_1", "LABEL_2"],
        found,
        [0, 1, 2],
      ],
      ["bare indices of an official order", ["negative", "positive"], ["0", "1"], official, [0, 1]],
      ["a word before indices", ["negative", "positive"], ["class 0", "class 1"], official, [0, 1]],
      ["bare indices of what was sorted", ["negative", "positive"], ["0", "1"], found, null],
      ["numbers in names", ["5", "4", "3", "2", "1"], STARS, found, [4, 3, 2, 1, 0]],
      ["indices of names without numbers", ["1", "0"], ["negative", "positive"], found, [1, 0]],
      ["other names", ["positive", "negative"], ["toxic", "harmless"], official, null],
      ["some other names", ["entailment", "neutral", "other"], NLI, official, null],
      ["two labels of one class", ["Yes", "yes"], ["yes", "no"], official, null],
      ["fewer", ["entailment"], NLI, official, null],
    ],
  )("%s", (_, labels, names, options, expected) => expect(matchClasses(labels, names, options)).toEqual(expected));

  test("a match is a permutation that names agree on, in any order and spelling", () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{3,8}( [a-z]{2,5})?$/), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(names, fc.integer(), (all, seed) => {
        const order = all.map((_, i) => i).sort((a, b) => ((a * 7919 + seed) % 13) - ((b * 7919 + seed) % 13));
        const spelled = order.map((i) => all[i]!.toUpperCase().replace(" ", "_"));
        expect(matchClasses(all, spelled, official)).toEqual(all.map((_, i) => order.indexOf(i)));
      }),
    );
  });

  test("what counts as placeholders", () => {
    expect(
      [["LABEL_0", "LABEL_1"], ["LABEL_1", "LABEL_0"], ["label_0"], ["LABEL_0", "other"]].map(arePlaceholders),
    ).toEqual([true, false, true, false]);
  });
});

describe("which reading was taken", () => {
  const said = (names: readonly string[], ...labels: string[]) => {
    const find = classFinder(names);
    return doubtfulReading(new Map(labels.map((label) => [label, find(label)!])), names);
  };
  test("is said where an index would do and differ", () => {
    expect(said(STARS, "4", "1", "2", "3")).toBe(
      'the labels 1, 2, 3, 4 are taken as the numbers in the classes\' names (4 is "4 stars"), not as indices from 0',
    );
    expect(said(["1", "2", "10"], "1", "2")).toContain('(1 is "1")');
  });
  test("and not where there is no doubt", () => {
    expect(said(STARS, "1", "5")).toBeNull();
    expect(said(STARS, "1 star", "2")).toBeNull();
    expect(said(["0", "1", "2"], "0", "1")).toBeNull();
    expect(said(["negative", "positive"], "0", "1")).toBeNull();
    expect(said(NLI, "neutral")).toBeNull();
  });
});
