import { expect, test } from "vitest";
import type { EncodedExamples } from "../../data/index.ts";
import { drawn, joined, notDrawn, sampleCount } from "./examples.ts";

const SIZE = { least: 8, most: 100, tokens: 1000 };
const examples = (count: number, meanTokens: number) => ({ count, totalTokens: count * meanTokens }) as EncodedExamples;

test.each([
  ["short texts: the most", 4, 100],
  ["longer ones: as many as have the tokens", 30, 33],
  ["very long ones: the least", 512, 8],
])("a sample of %s", (_, meanTokens, count) => expect(sampleCount(examples(400, meanTokens), SIZE)).toBe(count));

test("a sample of questions counts them with all their windows", () => {
  const windows = { ...examples(80, 25), owners: new Int32Array(80), questions: Array.from({ length: 40 }) };
  expect(sampleCount(windows as unknown as EncodedExamples, SIZE)).toBe(20);
});

test("a sample of a sorted file has of everything in it, is the same each time, and leaves the rest", () => {
  const count = 4000;
  const sorted = {
    ...examples(count, 4),
    lengths: new Int32Array(count).fill(4),
    lines: Int32Array.from({ length: count }, (_, i) => i + 1),
    labels: Float64Array.from({ length: count }, (_, i) => Math.floor((4 * i) / count)),
  } as unknown as EncodedExamples;
  const sample = drawn(sorted, 400);
  for (const label of [0, 1, 2, 3])
    expect(Math.abs(sample.labels.filter((of) => of === label).length - 100)).toBeLessThan(35);
  expect([...sample.lines]).toEqual([...sample.lines].sort((a, b) => a - b));
  expect(drawn(sorted, 400).lines).toEqual(sample.lines);
  // a smaller sample is part of a larger one
  expect([...drawn(sorted, 40).lines].every((line) => sample.lines.includes(line))).toBe(true);
  const rest = notDrawn(sorted, 400);
  expect(new Set([...sample.lines, ...rest.lines]).size).toBe(count);
});

test("200,000 examples are joined with as many", () => {
  const count = 200_000;
  const part = (first: number, kind: Readonly<Record<string, unknown>> = {}): EncodedExamples => ({
    count,
    lengths: Int32Array.from({ length: count }, (_, i) => 1 + (i % 7)),
    lines: Int32Array.from({ length: count }, (_, i) => first + i),
    labels: Float64Array.from({ length: count }, (_, i) => i % 3),
    totalTokens: count,
    truncatedCount: 1,
    longest: 9,
    padId: 0,
    maxLength: 8,
    tokens: (index) => Int32Array.of(first, index),
    segmentStart: (index) => index % 2,
    ...kind,
  });
  const places = () => Int32Array.from({ length: count }, (_, i) => i);
  const windows = {
    startPositions: places(),
    endPositions: places(),
    offsets: () => ({ contextAt: 0, starts: [], ends: [] }),
    targetLengths: places(),
    target: () => new Int32Array(0),
    questions: Array.from({ length: count }, () => ({})),
    owners: places(),
  };
  const all = joined(part(1, windows), part(1 + count, windows)) as EncodedExamples & typeof windows;
  expect(all.count).toBe(2 * count);
  expect([all.lines[count - 1], all.lines[count], all.lines.at(-1)]).toEqual([count, count + 1, 2 * count]);
  expect([all.lengths[count + 1], all.labels[count + 2], all.targetLengths[count + 5]]).toEqual([2, 2, 5]);
  expect([...all.tokens(count + 4)]).toEqual([count + 1, 4]);
  expect([all.owners.at(-1), all.questions.length]).toEqual([2 * count - 1, 2 * count]);
});
