import { expect, test } from "vitest";
import { memoryFiles } from "../hub/index.ts";
import { readOutcomes, writeOutcomes } from "./outcomes.ts";

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

test("a line that is no outcome is named", async () => {
  const files = memoryFiles();
  await files.write("run/predictions.jsonl", '{"line":2,"prediction":"1","target":"1","score":1}\n{"line":3}\n');
  await expect(readOutcomes(files, "run")).rejects.toThrow(/predictions\.jsonl:2: expected JSON/);
});
