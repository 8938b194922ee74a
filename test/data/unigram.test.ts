// T5's tokenizer: ids and texts equal transformers' and the Rust library's, on odd Unicode, white space of every kind and sentinels.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { Tokenizer as RustTokenizer } from "tokenizers";
import { beforeAll, expect, test } from "vitest";
import { loadTokenizer, type Tokenizer, type Truncation } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";

const FOLDER = fileURLToPath(new URL("../golden/tokenizers/t5", import.meta.url));

interface Golden {
  readonly cases: readonly {
    readonly text: string;
    readonly pair?: string;
    readonly maxLength?: number;
    readonly truncation?: Truncation;
  }[];
  readonly expected: readonly (readonly number[])[];
  /** Without and with special tokens. */
  readonly decoded: readonly (readonly [string, string])[];
}

const golden = JSON.parse(readFileSync(`${FOLDER}/golden.json`, "utf8")) as Golden;
let ours: Tokenizer;
let rust: RustTokenizer;
beforeAll(async () => {
  ours = await loadTokenizer(nodeFiles(), FOLDER);
  rust = RustTokenizer.fromFile(`${FOLDER}/tokenizer.json`);
});

test("every golden case has transformers' ids", () => {
  const wrong = golden.cases.flatMap((one, i) => {
    const { text, pair, maxLength, truncation } = one;
    const options = { maxLength: maxLength ?? null, ...(truncation === undefined ? {} : { truncation }) };
    const { ids } = ours.encode(text, pair ?? null, options);
    return ids.join() === golden.expected[i]!.join() ? [] : [{ case: one, expected: golden.expected[i], got: ids }];
  });
  expect(wrong).toEqual([]);
  expect(golden.cases.length).toBeGreaterThan(300);
});

test("every golden case's ids are transformers' text again", () => {
  const wrong = golden.expected.flatMap((ids, i) => {
    const got = [true, false].map((skipSpecialTokens) => ours.decode(ids, { skipSpecialTokens }));
    return got.join("\0") === golden.decoded[i]!.join("\0") ? [] : [{ ids, expected: golden.decoded[i], got }];
  });
  expect(wrong).toEqual([]);
});

test("roles and sizes", () => {
  expect(ours.padId).toBe(0);
  expect(ours.special).toMatchObject({ pad: 0, eos: 1, unk: 2 });
  expect(ours.maxLength).toBeNull();
  expect(ours.tokenId("<extra_id_4>")).toBe(ours.vocabSize - 1);
});

const oddText = fc
  .array(
    fc.constantFrom(
      ...Array.from(
        " \t\n▁'sStTé́̈ßΣσİıſﬁ中𠀀あ한각😀‍👩🏽🇩1½²٣אبाक्ท.,!?#-_«»…～Å①ｆ\u0007\u0085\u00a0\u00ad\u1680\u180e\u200b\u2028\u3000\ufeff\ufffd\ue000\u061d",
      ),
      "</s>",
      "<unk>",
      "<extra_id_2>",
      "the",
      " License",
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));

test("any text, well-formed or not, as the Rust library", async () => {
  const anyText = fc.oneof(oddText, fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
  await fc.assert(
    fc.asyncProperty(anyText, async (text) => {
      expect(ours.encode(text).ids).toEqual((await rust.encode(text)).getIds());
    }),
    { numRuns: 1000 },
  );
});

test("a text of 200,000 characters", async () => {
  const text = "The License, 中文 and more; ".repeat(8_000);
  expect(ours.encode(text).ids).toEqual((await rust.encode(text)).getIds());
});
