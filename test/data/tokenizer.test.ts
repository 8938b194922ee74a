// Token ids equal transformers' and the Rust library's, on odd Unicode, empty and long text, pairs and truncation.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { Tokenizer as RustTokenizer } from "tokenizers";
import { beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer, type Tokenizer, type Truncation } from "../../src/data/index.ts";
import { keptLengths } from "../../src/data/tokenizer/template.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { describeWithMinilm } from "../support/python.ts";

const GOLDEN = fileURLToPath(new URL("../golden/tokenizers", import.meta.url));

interface Case {
  readonly text: string;
  readonly pair?: string;
  readonly maxLength?: number;
  readonly truncation?: Truncation;
}
/** Ids, positions of special tokens, start of segment 1 or −1. */
type Expected = readonly [readonly number[], readonly number[], number];

const golden = JSON.parse(readFileSync(`${GOLDEN}/golden.json`, "utf8")) as {
  readonly cases: readonly Case[];
  readonly truncation: readonly (readonly [number, number, number, number, number])[];
  readonly expected: Readonly<Record<string, readonly Expected[]>>;
};
const files = nodeFiles();

function encodeCase(tokenizer: Tokenizer, { text, pair, maxLength, truncation }: Case): Expected {
  const options = { maxLength: maxLength ?? null, ...(truncation === undefined ? {} : { truncation }) };
  const { ids, typeIds, specialTokensMask } = tokenizer.encode(text, pair ?? null, options);
  return [ids, specialTokensMask.flatMap((mask, i) => (mask === 1 ? [i] : [])), typeIds.indexOf(1)];
}

function goldenSuite(name: string, folder: string): void {
  test("every golden case has transformers' ids, segments and special tokens", async () => {
    const tokenizer = await loadTokenizer(files, folder);
    const wrong = golden.cases.flatMap((c, i) => {
      const expected = golden.expected[name]![i]!;
      const got = encodeCase(tokenizer, c);
      return JSON.stringify(got) === JSON.stringify(expected) ? [] : [{ case: c, expected, got }];
    });
    expect(wrong).toEqual([]);
    expect(golden.cases.length).toBeGreaterThan(300);
  });
}

describe.each(["bert", "bert-legacy", "roberta", "roberta-legacy"])("%s", (name) =>
  goldenSuite(name, `${GOLDEN}/${name}`),
);

describeWithMinilm("all-MiniLM-L6-v2", (folder) => goldenSuite("minilm", folder));

test("longest_first keeps what the Python library keeps, for all small lengths", () => {
  const wrong = golden.truncation.filter(([first, second, room, keptFirst, keptSecond]) => {
    const kept = keptLengths(first, second, room, "longest_first");
    return kept[0] !== keptFirst || kept[1] !== keptSecond;
  });
  expect(wrong).toEqual([]);
  expect(golden.truncation.length).toBe(8 * 8 * 9);
});

const oddCharacters = fc.constantFrom(
  ...Array.from(
    " \t\n'sStTé́̈ßΣσİıſﬁ中𠀀あ한各😀‍👩🏽🇩1½²٣אبाक्ท.,!?#-_«»…\u0000\u0007\u0085\u00a0\u00ad\u1680\u200b\u2028\ufeff\ufffd\ue000\u061d\u08d3",
  ),
  "[MASK]",
  "<mask>",
  "</s>",
  "[SEP]",
  "the",
  " License",
);
const oddText = fc.array(oddCharacters, { maxLength: 40 }).map((parts) => parts.join(""));

describe.each(["bert", "roberta"])("%s against the Rust library, live", (name) => {
  let ours: Tokenizer;
  let rust: RustTokenizer;
  beforeAll(async () => {
    ours = await loadTokenizer(files, `${GOLDEN}/${name}`);
    rust = RustTokenizer.fromFile(`${GOLDEN}/${name}/tokenizer.json`);
  });

  test("any text, well-formed or not", async () => {
    const anyText = fc.oneof(oddText, fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        expect(ours.encode(text, null, { maxLength: null }).ids).toEqual((await rust.encode(text)).getIds());
      }),
      { numRuns: 500 },
    );
  });

  test("any pair", async () => {
    await fc.assert(
      fc.asyncProperty(oddText, oddText, async (text, pair) => {
        const expected = await rust.encode(text, pair);
        const got = ours.encode(text, pair, { maxLength: null });
        expect(got.ids).toEqual(expected.getIds());
        expect(got.typeIds).toEqual(expected.getTypeIds());
        expect(got.specialTokensMask).toEqual(expected.getSpecialTokensMask());
      }),
      { numRuns: 300 },
    );
  });

  test("a text of 200,000 characters", async () => {
    const text = "The License, 中文 and more; ".repeat(8_000);
    const got = ours.encode(text, null, { maxLength: null }).ids;
    expect(got).toEqual((await rust.encode(text)).getIds());
    expect(ours.encode(text, null, { maxLength: 128 })).toMatchObject({ truncated: true, ids: { length: 128 } });
  });

  test("decoding gives the words back", () => {
    const { ids } = ours.encode("this license, of a work.");
    expect(ours.decode(ids)).toBe("this license, of a work.");
    expect(ours.decode(ids, { skipSpecialTokens: false })).toMatch(/^(\[CLS\] |<s>)/);
  });
});
