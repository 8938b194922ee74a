// The weights that balance classes, what is refused, and the loss of guessing under weights: no constant answer does better.
import { describe, expect, test } from "vitest";
import type { EncodedExamples } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { balancedWeights, type ClassWeightChoice, canBalance, classWeights } from "./class-weights.ts";
import type { ClassWeighing } from "./head.ts";
import { headRecord, readingHead } from "./table.ts";

const weighingOf = (kind: string): ClassWeighing => headRecord({ kind }).weighing!;
const oneLabel = (...labels: number[]) =>
  ({ labels: Float64Array.from(labels), count: labels.length }) as EncodedExamples;
const lists = (...rows: number[][]) =>
  ({ count: rows.length, labelList: (index: number) => Int32Array.from(rows[index]!) }) as unknown as EncodedExamples;

test("as compute_class_weight", () => {
  // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1, 2], y=[0]*6 + [1]*3 + [2])
  const weights = balancedWeights([6, 3, 1]);
  [0.5555555555555556, 1.1111111111111112, 3.3333333333333335].forEach((want, c) => {
    expect(weights[c]).toBeCloseTo(want, 14);
  });
});

describe("balanced", () => {
  const weigh = (kind: string, examples: EncodedExamples, labels: readonly string[]) =>
    classWeights("balanced", examples, { labels }, weighingOf(kind));

  test("classes: examples over classes and examples of the class", () => {
    expect(weigh("classification", oneLabel(0, 0, 0, 1), ["a", "b"])).toEqual([4 / 6, 2]);
  });

  test("tags: over words that have a label", () => {
    const examples = lists([-100, 0, 0, -100], [-100, 1, 0, -100]);
    expect(weigh("token-classification", examples, ["O", "B-X"])).toEqual([4 / 6, 2]);
  });

  test("several labels: examples without over examples with the label", () => {
    const [first, second] = weigh("multi-label", lists([0], [0, 1], [0], []), ["a", "b"]);
    expect(first).toBeCloseTo(1 / 3, 12);
    expect(second).toBeCloseTo(3, 12);
  });

  test.each<[string, EncodedExamples, string]>([
    ["classification", oneLabel(0, 0), 'expected training examples of every class, got no such for "b"'],
    [
      "token-classification",
      lists([-100, 0]),
      'expected training examples with a word of every label, got no such for "b"',
    ],
    ["multi-label", lists([0], []), 'expected training examples with and without every label, got no such for "b"'],
    ["multi-label", lists([0, 1], [0]), 'expected training examples with and without every label, got no such for "a"'],
  ])("%s without one", (kind, examples, message) => {
    expect(() => weigh(kind, examples, ["a", "b"])).toThrow(ConfigError);
    expect(() => weigh(kind, examples, ["a", "b"])).toThrow(message);
    expect(canBalance(examples, 2, weighingOf(kind))).toBe(false);
  });
});

test.each<[ClassWeightChoice, readonly number[] | string]>([
  [{ b: 2, a: 1 }, [1, 2]],
  [{ a: 1 }, 'expected a weight for each class of the data: "a", "b", got none for "b"'],
  [{ a: 1, b: 1, c: 2 }, 'got "c", which the data do not have'],
  [{ A: 1, c: 2 }, 'got none for "a", "b"; "A", "c", which the data do not have'],
  [{ a: 1, toString: 2 }, 'got none for "b"; "toString"'],
])("weights by name: %j", (choice, expected) => {
  const weigh = () => classWeights(choice, oneLabel(0, 1), { labels: ["a", "b"] }, weighingOf("classification"));
  if (typeof expected === "string") expect(weigh).toThrow(expected);
  else expect(weigh()).toEqual(expected);
});

describe("the loss of guessing", () => {
  const grid = Array.from({ length: 9999 }, (_, i) => (i + 1) / 10_000);
  const task = { labels: ["a", "b"] };
  const weights = [0.5, 3];
  const examples = oneLabel(0, 0, 0, 1);

  test("classes", () => {
    const lossOf = (first: number) => -(3 * 0.5 * Math.log(first) + 3 * Math.log(1 - first)) / (3 * 0.5 + 3);
    const chance = headRecord({ kind: "classification" }).chanceLoss(examples, task, { classWeights: weights });
    expect(chance).toBeCloseTo(Math.min(...grid.map(lossOf)), 6);
  });

  test("several labels", () => {
    const several = lists([0], [0], [0, 1], [1]);
    const lossOf = (share: number, weight: number) => (p: number) =>
      -(weight * share * Math.log(p) + (1 - share) * Math.log(1 - p));
    const best = [0.75, 0.5].map((share, c) => Math.min(...grid.map(lossOf(share, weights[c]!))));
    const chance = headRecord({ kind: "multi-label" }).chanceLoss(several, task, { classWeights: weights });
    expect(chance).toBeCloseTo((best[0]! + best[1]!) / 2, 6);
  });

  test.each([
    ["classification", examples],
    ["token-classification", lists([-100, 0, 0, -100], [0, 1])],
  ] as const)("%s beside a teacher", (kind, some) => {
    const weight = 0.3;
    // the same answers of the teacher for every example and token
    const shares = [0.2, 0.8];
    const row = shares.map(Math.log);
    const rows = Array.from({ length: some.count }, () => Float32Array.from([...row, ...row, ...row, ...row]));
    const lossOf = (first: number) => {
      const answer = [first, 1 - first];
      const hard = -(3 * 0.5 * Math.log(first) + 3 * Math.log(1 - first)) / (3 * 0.5 + 3);
      const soft = shares.reduce((sum, p, c) => sum + p * Math.log(p / answer[c]!), 0);
      return (1 - weight) * hard + weight * soft;
    };
    const chance = readingHead({ kind }).teacher.chanceLoss(
      some,
      rows.map((_, i) => i),
      kind === "classification" ? rows.map((logits) => logits.subarray(0, 2)) : rows,
      { task, weight, classWeights: weights },
    );
    expect(chance).toBeCloseTo(Math.min(...grid.map(lossOf)), 6);
  });
});
