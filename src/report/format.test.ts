import { expect, test } from "vitest";
import {
  bytes,
  clock,
  count,
  decimal,
  definitionLabel,
  duration,
  metricLabel,
  metricWord,
  percent,
  points,
  score,
  scoreChange,
  signedPercent,
  significant,
} from "./format.ts";

test("fractions become percentages, with a true minus and no signed zero", () => {
  expect(percent(0.91234)).toBe("91.2 %");
  expect(percent(-0.0001)).toBe("0.0 %");
  expect(signedPercent(-0.25)).toBe("−25.0 %");
  expect(signedPercent(0.25)).toBe("+25.0 %");
  expect(signedPercent(0.0001)).toBe("0.0 %");
  expect(points(-0.002, 2)).toBe("−0.20");
  expect([percent(Number.NaN), points(Number.NaN), decimal(Number.POSITIVE_INFINITY)]).toEqual(["–", "–", "–"]);
});

test("small numbers are shown in powers of ten, others to significant places", () => {
  expect([3e-4, 1e-7, 0.00123, 0.4123, 12.345, 123456, 0, 2.5e8].map((value) => significant(value))).toEqual([
    "3e-4",
    "1e-7",
    "0.00123",
    "0.412",
    "12.3",
    "123456",
    "0",
    "2.5e8",
  ]);
});

test("bytes, counts and spans of time", () => {
  expect([0, 1023, 1024, 1.4 * 2 ** 30, 500 * 2 ** 20].map(bytes)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.4 GiB",
    "500 MiB",
  ]);
  expect(count(1234567)).toBe("1,234,567");
  expect([999, 12_345, 59_999, 245_000, 3_723_000].map(duration)).toEqual([
    "999 ms",
    "12.3 s",
    "1:00",
    "4:05",
    "1:02:03",
  ]);
  expect(clock(7000)).toBe("0:07");
});

test("accuracy is a share, a correlation is not", () => {
  expect(score("accuracy", 0.912345)).toBe("91.23 %");
  expect(score("matthewsCorrelation", 0.6123)).toBe("0.6123");
  expect(scoreChange("f1", -0.0031)).toBe("−0.31");
  expect(scoreChange("pearson", 0.0031)).toBe("+0.0031");
  expect(metricLabel("matthewsCorrelation")).toBe("Matthews correlation");
  expect(score("best_f1_threshold", -1.5)).toBe("−1.5000");
  expect(["rougeL", "best_f1", "exact_match"].map(metricLabel)).toEqual(["ROUGE-L", "Best F1", "Exact match"]);
  expect(["accuracy", "f1", "matthews_correlation", "spearmanr"].map(metricWord)).toEqual([
    "accuracy",
    "F1",
    "Matthews correlation",
    "Spearman",
  ]);
  expect(definitionLabel("0.01")).toBe("|a| > 0.01");
});
