// Scores of each class against scikit-learn's classification_report, and when an answer counts as the majority class's.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ClassScores, classificationReport, majorityAnswer } from "./class-metrics.ts";
import { confusionMatrix } from "./metrics.ts";

type Row = readonly [precision: number, recall: number, f1: number, support: number];
interface Golden {
  readonly classification: readonly {
    readonly name: string;
    readonly predictions: readonly number[];
    readonly labels: readonly number[];
    readonly accuracy: number;
    readonly report: { readonly classes: Readonly<Record<string, Row>>; readonly macro: Row; readonly weighted: Row };
  }[];
}

const golden = JSON.parse(readFileSync(new URL("../../test/golden/metrics.json", import.meta.url), "utf8")) as Golden;

const expectRow = (got: ClassScores, want: Row) =>
  [got.precision, got.recall, got.f1, got.support].forEach((value, i) => {
    expect(value).toBeCloseTo(want[i]!, 12);
  });

describe("classificationReport as scikit-learn's", () => {
  test.each(golden.classification)("$name", ({ predictions, labels, accuracy, report }) => {
    const got = classificationReport(confusionMatrix(predictions, labels));
    for (const [index, row] of Object.entries(report.classes)) expectRow(got.classes[Number(index)]!, row);
    expectRow(got.macro, report.macro);
    expectRow(got.weighted, report.weighted);
    expect(got.accuracy).toBeCloseTo(accuracy, 12);
  });

  test("classes that do not occur have a row and change no mean", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 5, max: 9 }),
        (pairs, numClasses) => {
          const [predictions, labels] = [pairs.map(([p]) => p), pairs.map(([, l]) => l)];
          const wide = classificationReport(confusionMatrix(predictions, labels, numClasses));
          const { macro, weighted, accuracy } = classificationReport(confusionMatrix(predictions, labels));
          expect(wide.classes).toHaveLength(numClasses);
          expect(wide.classes.at(-1)).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
          expect({ macro: wide.macro, weighted: wide.weighted, accuracy: wide.accuracy }).toEqual({
            macro,
            weighted,
            accuracy,
          });
        },
      ),
    );
  });
});

describe("majorityAnswer", () => {
  const oneClass = { classIndex: 1, reason: "one-class" };
  const cases: [string, number[][], object | null][] = [
    [
      "all of one class, balanced labels",
      [
        [0, 50],
        [0, 50],
      ],
      { ...oneClass, predictedShare: 1, labelShare: 0.5 },
    ],
    [
      "99 % of one class",
      [
        [2, 98],
        [0, 100],
      ],
      { ...oneClass, predictedShare: 0.99, labelShare: 0.5 },
    ],
    [
      "98.5 % of one class",
      [
        [3, 97],
        [0, 100],
      ],
      null,
    ],
    [
      "one class, and it is not the most frequent label",
      [
        [0, 60],
        [0, 40],
      ],
      { ...oneClass, labelShare: 0.4 },
    ],
    [
      "labels of one class only",
      [
        [0, 0],
        [0, 80],
      ],
      null,
    ],
    [
      "rare labels, all of them found",
      [
        [2, 0],
        [0, 498],
      ],
      null,
    ],
    [
      "rare labels, fewer than half of them found",
      [
        [1, 4],
        [0, 495],
      ],
      oneClass,
    ],
    [
      "other answers, but right as often as the majority class alone",
      [
        [40, 20],
        [20, 20],
      ],
      { classIndex: 0, reason: "baseline-accuracy", predictedShare: 0.6, labelShare: 0.6 },
    ],
    [
      "better than the majority class",
      [
        [50, 10],
        [10, 30],
      ],
      null,
    ],
    [
      "worse than the majority class, with other answers",
      [
        [30, 30],
        [20, 20],
      ],
      null,
    ],
    [
      "three classes, one answered",
      [
        [0, 0, 10],
        [0, 0, 10],
        [0, 0, 10],
      ],
      { classIndex: 2, reason: "one-class" },
    ],
    ["no examples", [], null],
  ];
  test.each(cases)("%s", (_, counts, expected) => {
    const got = majorityAnswer(counts);
    if (expected === null) expect(got).toBeNull();
    else expect(got).toMatchObject(expected);
  });
});
