// predictions.jsonl: written with the beginnings of texts, read back, also as earlier versions wrote it.
import { expect, test } from "vitest";
import type { Example, Split } from "../data/index.ts";
import { memoryFiles } from "../hub/index.ts";
import { readOutcomes, withExcerpts, writeOutcomes } from "./outcomes.ts";

const split = (list: readonly Example[]): Split => ({
  name: "dev",
  file: "dev.jsonl",
  count: list.length,
  labelCounts: [],
  async *examples() {
    yield* list;
  },
});

/** Reads the split through, as encoding does. */
async function excerptsOf(list: readonly Example[]) {
  const { split: excerpted, excerpts } = withExcerpts(split(list));
  const seen: Example[] = [];
  for await (const example of excerpted.examples()) seen.push(example);
  expect(seen).toEqual(list);
  return excerpts();
}

test("what was answered comes back as it was written", async () => {
  const files = memoryFiles();
  const outcomes = [
    { line: 2, prediction: "1", target: "0", score: 0 },
    { line: 3, prediction: 2.5, target: null, score: null },
    { line: 4, prediction: "a\nb", target: ["a b", "b"], score: 0.5 },
  ];
  expect(await readOutcomes(files, "run")).toBeNull();
  await writeOutcomes(files, "run", outcomes);
  expect(await readOutcomes(files, "run")).toEqual(outcomes);
});

test("texts stand with their answers, numbers in six digits", async () => {
  const files = memoryFiles();
  const excerpts = await excerptsOf([
    { text: "a film", label: 0, line: 2 },
    { text: "\uFEFFq", pair: "context", label: null, line: 5 },
  ]);
  await writeOutcomes(
    files,
    "run",
    [
      { line: 2, prediction: "a", target: "b", score: 0, probability: 0.123456789, loss: 2.0918640123 },
      { line: 5, prediction: "x", target: "y", score: 0, metric: 1 / 3 },
    ],
    excerpts,
  );
  expect(await readOutcomes(files, "run")).toEqual([
    { line: 2, prediction: "a", target: "b", score: 0, probability: 0.123457, loss: 2.09186, text: "a film" },
    { line: 5, prediction: "x", target: "y", score: 0, metric: 0.333333, text: "\uFEFFq", pair: "context" },
  ]);
});

test("a long text is cut at a character, and never between the halves of one", async () => {
  const [short, long, split] = await excerptsOf([
    { text: "x".repeat(240), label: 0, line: 1 },
    { text: `${"x".repeat(240)}y`, label: 0, line: 2 },
    { text: `${"x".repeat(239)}😀 and more`, label: 0, line: 3 },
  ]);
  expect(short!.text).toBe("x".repeat(240));
  expect(long!.text).toBe(`${"x".repeat(240)}…`);
  expect(split!.text).toBe(`${"x".repeat(239)}…`);
});

test("a second reading begins anew", async () => {
  const { split: excerpted, excerpts } = withExcerpts(split([{ text: "a", label: 0, line: 1 }]));
  for (let reading = 0; reading < 2; reading++) for await (const _ of excerpted.examples()) void _;
  expect(excerpts()).toEqual([{ line: 1, text: "a" }]);
});

test("texts of other examples are left out", async () => {
  const files = memoryFiles();
  await writeOutcomes(files, "run", [{ line: 2, prediction: "a", target: "b", score: 0 }], [{ line: 3, text: "no" }]);
  expect(await readOutcomes(files, "run")).toEqual([{ line: 2, prediction: "a", target: "b", score: 0 }]);
});

test("a line that is no outcome is named", async () => {
  const files = memoryFiles();
  await files.write("run/predictions.jsonl", '{"line":2,"prediction":"1","target":"1","score":1}\n{"line":3}\n');
  await expect(readOutcomes(files, "run")).rejects.toThrow(/predictions\.jsonl:2: expected JSON/);
});
