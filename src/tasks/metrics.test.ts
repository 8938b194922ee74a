import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ShapeError } from "../errors.ts";
import {
  accuracy,
  confusionMatrix,
  f1,
  glueMetrics,
  METRIC_NAMES,
  macroF1,
  matthewsCorrelation,
  metricAccumulator,
  pairedBootstrap,
  pearson,
  spearman,
} from "./metrics.ts";

interface Golden {
  classification: {
    name: string;
    predictions: number[];
    labels: number[];
    accuracy: number;
    f1: number | null;
    matthews_correlation: number;
    confusion: number[][];
    report: { macro: readonly number[] };
  }[];
  regression: {
    name: string;
    predictions: number[];
    labels: number[];
    pearson: number | null;
    spearmanr: number | null;
  }[];
  bootstrap: {
    a: number[];
    b: number[];
    confidence: number;
    difference: number;
    low: number;
    high: number;
    standardError: number;
  }[];
}

const golden = JSON.parse(readFileSync(new URL("../../test/golden/metrics.json", import.meta.url), "utf8")) as Golden;

// NaN in the library is null in the golden file
const near = (got: number, want: number | null) =>
  want === null ? expect(got).toBeNaN() : expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9);

describe("as scikit-learn", () => {
  test.each(golden.classification)("$name", (c) => {
    near(accuracy(c.predictions, c.labels), c.accuracy);
    near(matthewsCorrelation(c.predictions, c.labels), c.matthews_correlation);
    // the report's third column is f1_score(average="macro")
    near(macroF1(c.predictions, c.labels), c.report.macro[2]!);
    if (c.f1 !== null) near(f1(c.predictions, c.labels), c.f1);
    expect(confusionMatrix(c.predictions, c.labels)).toEqual(c.confusion);
  });

  test("covers both metrics away from 0 and 1", () => {
    expect(golden.classification.filter((c) => c.f1 !== null && c.f1 > 0.1 && c.f1 < 0.9).length).toBeGreaterThan(5);
  });
});

describe("as SciPy", () => {
  test.each(golden.regression)("$name", (c) => {
    near(pearson(c.predictions, c.labels), c.pearson);
    near(spearman(c.predictions, c.labels), c.spearmanr);
    const { pearson: p, spearmanr } = glueMetrics(["pearson", "spearmanr"], c.predictions, c.labels);
    near(p!, c.pearson);
    near(spearmanr!, c.spearmanr);
  });
});

describe("glueMetrics", () => {
  test("gives the named metrics in their order, whole or batch by batch", () => {
    const c = golden.classification.at(-4)!;
    const names = ["matthews_correlation", "accuracy", "f1", "spearmanr", "pearson"] as const;
    const accumulator = metricAccumulator(names);
    for (let i = 0; i < c.labels.length; i += 3) {
      accumulator.add(c.predictions.slice(i, i + 3), Float32Array.from(c.labels.slice(i, i + 3)));
    }
    expect(Object.keys(accumulator.result())).toEqual(names);
    expect(accumulator.result()).toEqual(glueMetrics(names, c.predictions, c.labels));
  });

  test("is NaN without examples, null in JSON", () => {
    const none = glueMetrics(METRIC_NAMES, [], []);
    for (const name of METRIC_NAMES) expect(none[name]).toBeNaN();
    expect(JSON.stringify(glueMetrics(["pearson"], [1, 1], [1, 2]))).toBe('{"pearson":null}');
  });

  test("regression numbers need no class index", () => {
    expect(glueMetrics(["pearson"], [0.5, -1.5, 2], [1, -3, 4]).pearson).toBeCloseTo(1, 3);
  });

  test("refuses unequal lengths", () => {
    expect(() => glueMetrics(["accuracy"], [1], [1, 0])).toThrow(ShapeError);
    expect(() => pearson([1], [1, 0])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: pearson: expected equal lengths, got [1] · [2]]`,
    );
  });
});

describe("pairedBootstrap", () => {
  test.each(golden.bootstrap)("agrees with SciPy's percentile interval", (c) => {
    const got = pairedBootstrap(c.a, c.b, { resamples: 5000, seed: 3 });
    expect(got.difference).toBeCloseTo(c.difference, 12);
    // both ends carry the resampling's own error, and steps of 1/n
    const tolerance = 0.15 * c.standardError + 1 / c.a.length;
    expect(Math.abs(got.low - c.low)).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(got.high - c.high)).toBeLessThanOrEqual(tolerance);
  });

  test("depends on the seed alone, and widens with the confidence", () => {
    const { a, b } = golden.bootstrap[0]!;
    const options = { resamples: 500, seed: 1 };
    expect(pairedBootstrap(a, b, options)).toEqual(pairedBootstrap(a, b, options));
    expect(pairedBootstrap(a, b, { ...options, confidence: 0.5 }).low).toBeGreaterThan(
      pairedBootstrap(a, b, options).low,
    );
  });

  test("of equal runs is exactly zero; of none is refused", () => {
    expect(pairedBootstrap([1, 0, 1], [1, 0, 1])).toMatchObject({ difference: 0, low: 0, high: 0 });
    expect(() => pairedBootstrap([], [])).toThrow(ShapeError);
  });
});
