// Answers and their scores equal utils_qa.py, SQuAD's official scripts and Google's rouge_score on recorded cases.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  answerMetrics,
  bestSpan,
  rouge,
  type SpanOptions,
  scoreAnswer,
  textMetrics,
  type WindowLogits,
} from "../../src/tasks/index.ts";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../golden/${name}`, import.meta.url)), "utf8"));

/** Prediction, right answers, score of no answer. */
type Case = readonly [string, readonly string[], number];
interface Metrics {
  readonly cases: readonly Case[];
  readonly expected: { readonly each: readonly (readonly [number, number])[]; readonly [name: string]: unknown };
}
interface Chosen {
  readonly text: string;
  readonly nbest: readonly (readonly [string, number, number, number])[];
  readonly nullScore: number | null;
}
interface SpanCase {
  readonly context: string;
  readonly offsets: readonly (readonly (readonly [number, number] | null)[])[];
  readonly starts: readonly (readonly number[])[];
  readonly ends: readonly (readonly number[])[];
  readonly v1: Chosen;
  readonly v2: Chosen;
}
const golden = read("squad/golden.json") as {
  readonly spans: readonly SpanCase[];
  readonly metrics: { readonly v1: Metrics; readonly v2: Metrics };
};

describe.each([
  ["version 1.1", golden.metrics.v1, false],
  ["version 2.0", golden.metrics.v2, true],
] as const)("official scores, %s", (_, { cases, expected }, unanswerable) => {
  const questions = cases.map(([prediction, golds, noAnswerScore]) => ({ prediction, golds, noAnswerScore }));

  test("of every question", () => {
    const wrong = questions.flatMap((question, i) => {
      const { exactMatch, f1 } = scoreAnswer(question, unanswerable);
      const [exact, words] = expected.each[i]!;
      return exactMatch === exact && Math.abs(f1 - words) < 1e-12 ? [] : [{ question, exactMatch, f1, exact, words }];
    });
    expect(wrong).toEqual([]);
    expect(new Set(expected.each.map(([, f1]) => f1)).size).toBeGreaterThan(5);
  });

  test("of all together", () => {
    const { each: _each, ...wanted } = expected;
    const metrics = answerMetrics(questions, unanswerable);
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(wanted).sort());
    for (const [name, value] of Object.entries(wanted)) expect(metrics[name], name).toBeCloseTo(value as number, 10);
  });
});

test("without scores of no answer there is no best threshold", () => {
  const metrics = answerMetrics([{ prediction: "", golds: [] }], true);
  expect(metrics).toMatchObject({ exact_match: 1, f1: 1, no_answer_accuracy: 1 });
  expect(metrics).not.toHaveProperty("best_f1");
});

describe.each([
  ["v1", { unanswerable: false }],
  ["v2", { unanswerable: true }],
] as const)("best spans, %s", (version, options: SpanOptions) => {
  test.each(golden.spans.map((c, i) => [i, c] as const))("case %i", (_, spanCase) => {
    const windows = spanCase.offsets.map((offsets, i): WindowLogits => {
      const contextAt = offsets.findIndex((place) => place !== null);
      const places = offsets.filter((place) => place !== null);
      return {
        start: Float32Array.from(spanCase.starts[i]!),
        end: Float32Array.from(spanCase.ends[i]!),
        offsets: {
          contextAt: contextAt < 0 ? offsets.length : contextAt,
          starts: places.map(([from]) => from),
          ends: places.map(([, to]) => to),
        },
      };
    });
    const expected = spanCase[version];
    const got = bestSpan(spanCase.context, windows, options);
    expect(got.text).toBe(expected.text);
    if (expected.nullScore === null) expect(got.nullScore).toBeNull();
    else expect(got.nullScore).toBeCloseTo(expected.nullScore, 5);
    const nBest = got.nBest.slice(0, expected.nbest.length);
    expect(nBest.map(({ text, startLogit, endLogit }) => [text, startLogit, endLogit])).toEqual(
      expected.nbest.map(([text, start, end]) => [text, start, end]),
    );
    nBest.forEach(({ score }, i) => {
      expect(score).toBeCloseTo(expected.nbest[i]![3], 6);
    });
  });
});

test("a threshold turns an answer into none, and the other way", () => {
  const offsets = { contextAt: 1, starts: [0], ends: [3] };
  const window = { start: Float32Array.of(1, 2), end: Float32Array.of(1, 2), offsets };
  const answer = (nullThreshold: number) => bestSpan("cat", [window], { unanswerable: true, nullThreshold });
  expect(answer(0)).toMatchObject({ text: "cat", nullScore: -2 });
  expect(answer(-3)).toMatchObject({ text: "", nullScore: -2 });
  expect(answer(-3).score).toBeCloseTo(1 / (1 + Math.exp(2)), 6);
});

test("ROUGE is Google's, for every pair", () => {
  const rows = read("rouge.json") as [string, string, number, number, number][];
  for (const [prediction, target, rouge1, rouge2, rougeL] of rows) {
    const got = rouge(prediction, target);
    expect(got.rouge1, prediction).toBeCloseTo(rouge1, 12);
    expect(got.rouge2, prediction).toBeCloseTo(rouge2, 12);
    expect(got.rougeL, prediction).toBeCloseTo(rougeL, 12);
  }
  const all = textMetrics(rows.map(([prediction, target]) => [prediction, target]));
  expect(all.rougeL).toBeCloseTo(rows.reduce((sum, row) => sum + row[4], 0) / rows.length, 10);
  const same = rows.filter(([prediction, target]) => prediction.trim() === target.trim());
  expect(all.exact_match).toBeCloseTo(same.length / rows.length, 12);
});
