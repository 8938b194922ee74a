// SentencePiece's own model files, without a tokenizer.json: ids equal transformers', also from what is written for such a folder.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadTokenizer, writeTokenizer } from "../../src/data/index.ts";
import { readSentencePiece } from "../../src/data/tokenizer/sentencepiece.ts";
import { FileError } from "../../src/errors.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";

const GOLDEN = fileURLToPath(new URL("../golden/tokenizers/spiece", import.meta.url));
const golden = JSON.parse(readFileSync(`${GOLDEN}/golden.json`, "utf8")) as {
  readonly texts: readonly string[];
  readonly expected: Readonly<Record<string, readonly (readonly number[])[]>>;
};

test.each(["t5", "t5-added", "xlm-roberta"])("%s", async (name) => {
  const tokenizer = await loadTokenizer(nodeFiles(), `${GOLDEN}/${name}`);
  const ids = golden.texts.map((text) => tokenizer.encode(text).ids);
  expect(ids).toEqual(golden.expected[name]);
  const files = memoryFiles();
  await files.write("out/config.json", readFileSync(`${GOLDEN}/${name}/config.json`, "utf8"));
  await writeTokenizer(files, "out", tokenizer, { maxLength: null });
  const again = await loadTokenizer(files, "out");
  expect(golden.texts.map((text) => again.encode(text).ids)).toEqual(ids);
});

test("pieces with scores and kinds, and the map of the normalisation", () => {
  const model = readSentencePiece(readFileSync(`${GOLDEN}/t5/spiece.model`), "spiece.model");
  expect(model.pieces.slice(0, 4).map(({ piece, kind }) => [piece, kind])).toEqual([
    ["<pad>", "control"],
    ["</s>", "control"],
    ["<unk>", "unknown"],
    ["<ctl>", "control"],
  ]);
  expect(model.algorithm).toBe(1);
  expect(model.charsmap).not.toBeNull();
});

test("what is cut off, or another file, is refused by name", () => {
  const bytes = readFileSync(`${GOLDEN}/t5/spiece.model`);
  for (const wrong of [
    bytes.subarray(0, 1001),
    new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"),
    new Uint8Array(),
  ])
    expect(() => readSentencePiece(wrong, "m/spiece.model")).toThrow(FileError);
});
