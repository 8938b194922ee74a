// Texts given in words: ids and labels as transformers' run_ner.py makes them, places in the text, and words that are cut off.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { encodeWords, loadTokenizer, tokenPlaces } from "../../src/data/index.ts";
import { ConfigError } from "../../src/errors.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";

const FOLDER = fileURLToPath(new URL("../golden/tokenizers", import.meta.url));

interface Case {
  readonly words: readonly string[];
  readonly labels: readonly number[];
  readonly maxLength: number | null;
  readonly ids: readonly number[];
  readonly tokenLabels: readonly number[];
}

const GOLDEN = JSON.parse(readFileSync(`${FOLDER}/words.json`, "utf8")) as Readonly<Record<string, readonly Case[]>>;
const example = (words: readonly string[], labels: readonly number[] | null) => ({
  text: words.join(" "),
  words,
  label: null,
  labelList: labels,
  line: 1,
});

describe.each(Object.keys(GOLDEN))("words of %s", (name) => {
  test("have transformers' ids, and each word's label on its first token", async () => {
    const tokenizer = await loadTokenizer(nodeFiles(), `${FOLDER}/${name}`);
    for (const { words, labels, maxLength, ids, tokenLabels } of GOLDEN[name]!) {
      const encoded = await encodeWords([example(words, labels)], tokenizer, { maxLength: maxLength ?? 10_000 });
      expect([words, maxLength, [...encoded.tokens(0)]]).toEqual([words, maxLength, ids]);
      expect([words, maxLength, [...encoded.labelList(0)!]]).toEqual([words, maxLength, tokenLabels]);
    }
  });

  test("that are cut off are counted, and none where nothing is cut", async () => {
    const tokenizer = await loadTokenizer(nodeFiles(), `${FOLDER}/${name}`);
    const words = ["EU", "rejects", "German", "call"];
    const whole = await encodeWords([example(words, [0, 1, 2, 3])], tokenizer, { maxLength: 100 });
    expect([whole.cutWords, whole.truncatedCount]).toEqual([0, 0]);
    const cut = await encodeWords([example(words, [0, 1, 2, 3]), example(["a"], [1])], tokenizer, { maxLength: 3 });
    expect([cut.cutWords, cut.truncatedCount]).toEqual([3, 1]);
    expect([...cut.labelList(0)!]).toEqual([-100, 0, -100]);
    await expect(encodeWords([], tokenizer, { maxLength: 1 })).rejects.toThrow(ConfigError);
  });

  test("stand at their places in the text, by the same tokens", async () => {
    const tokenizer = await loadTokenizer(nodeFiles(), `${FOLDER}/${name}`);
    const words = ["EU", "rejects", "😀x", "New-York"];
    const places = tokenPlaces(tokenizer, { text: words.join(" "), words });
    expect(places.ids).toEqual(tokenizer.words(words).ids);
    const { owners } = tokenizer.words(words);
    const begins = words.map((_, i) => words.slice(0, i).join(" ").length + (i > 0 ? 1 : 0));
    for (const [i, owner] of owners.entries()) {
      expect(places.starts[i]).toBeGreaterThanOrEqual(begins[owner]!);
      expect(places.ends[i]).toBeLessThanOrEqual(begins[owner]! + words[owner]!.length);
    }
    expect(places.starts[0]).toBe(0);
  });
});

test("texts without words are read whole and have no labels", async () => {
  const tokenizer = await loadTokenizer(nodeFiles(), `${FOLDER}/bert`);
  const encoded = await encodeWords([{ text: "EU rejects", label: null, line: 3 }], tokenizer, { maxLength: 16 });
  expect([...encoded.tokens(0)]).toEqual(tokenizer.encode("EU rejects").ids);
  expect([encoded.labelList(0), encoded.lines[0]]).toEqual([null, 3]);
});
