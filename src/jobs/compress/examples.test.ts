import { expect, test } from "vitest";
import type { EncodedExamples } from "../../data/index.ts";
import { sampleCount } from "./examples.ts";

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
