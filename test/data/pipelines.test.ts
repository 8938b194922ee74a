// Every step of tokenizer.json against the Rust library, live: normalised texts, words, ids, offsets and decoded texts.
import fc from "fast-check";
import { Tokenizer as RustTokenizer } from "tokenizers";
import { describe, expect, test } from "vitest";
import { createTokenizer, type TokenizerJson } from "../../src/data/index.ts";
import { normalizerOf } from "../../src/data/tokenizer/normalizers.ts";
import { preTokenizerOf } from "../../src/data/tokenizer/pre-tokenizers.ts";
import { trackedText } from "../../src/data/tokenizer/tracked-text.ts";
import { wellFormed } from "../../src/data/tokenizer/unicode.ts";
import { DECODED_IDS, DECODERS, decodingWith, NORMALIZERS, PIPELINES, PRE_TOKENIZERS, TEXTS } from "./pipelines.ts";

/** The Rust library's tokenizer with one step, and a model that knows no word. */
function rustWith(part: Partial<Record<"normalizer" | "pre_tokenizer", unknown>>): RustTokenizer {
  const model = { type: "WordLevel", unk_token: "?", vocab: { "?": 0 } };
  const empty = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    post_processor: null,
    decoder: null,
  };
  return RustTokenizer.fromString(JSON.stringify({ ...empty, normalizer: null, pre_tokenizer: null, model, ...part }));
}

const texts = TEXTS.map(wellFormed);

/** Where two things differ, with the text that shows it; a few are enough. */
function differences<T>(among: readonly string[], ours: (text: string) => T, theirs: (text: string, i: number) => T) {
  return among
    .flatMap((text, i) => {
      const [got, expected] = [ours(text), theirs(text, i)];
      return JSON.stringify(got) === JSON.stringify(expected) ? [] : [{ text, got, expected }];
    })
    .slice(0, 3);
}

test("the texts are a few hundred", () => {
  expect(TEXTS.length).toBeGreaterThan(250);
});

test.each(NORMALIZERS)("normalizer %s", (_, json) => {
  const [ours, rust] = [normalizerOf(json), rustWith({ normalizer: json }).getNormalizer()!];
  for (const isTracked of [false, true]) {
    const normalize = (text: string) => ours(trackedText(text, isTracked)).text;
    expect(differences(texts, normalize, (text) => rust.normalizeString(text))).toEqual([]);
  }
});

test.each(PRE_TOKENIZERS)("pre-tokenizer %s", (_, json) => {
  const [ours, rust] = [preTokenizerOf(json), rustWith({ pre_tokenizer: json }).getPreTokenizer()!];
  const words = (text: string) => Array.from(ours(trackedText(text, true)), (word) => word.text);
  expect(differences(texts, words, (text) => rust.preTokenizeString(text).map(([word]) => word))).toEqual([]);
});

/** UTF-16 units of each code point's beginning, and of the end. */
function unitsOf(text: string): number[] {
  const units = [0];
  for (const char of text) units.push(units.at(-1)! + char.length);
  return units;
}

/** The Rust library counts characters without any token as if they were not there, and so misplaces what follows. */
const MISPLACED = /"unk_token":null/;

describe.each(PIPELINES)("%s", (name, json) => {
  const ours = createTokenizer(json as TokenizerJson);
  const rust = RustTokenizer.fromString(JSON.stringify(json));

  test("ids, segments and offsets", async () => {
    const encodings = await rust.encodeBatch(texts);
    const ids = (text: string) => ours.encode(text, null, { maxLength: null }).ids;
    expect(differences(texts, ids, (__, i) => encodings[i]!.getIds())).toEqual([]);
    if (MISPLACED.test(name)) return;
    const bare = await rust.encodeBatch(texts, { addSpecialTokens: false });
    const spans = (text: string) => {
      const { ids: tokens, starts, ends } = ours.spans(text);
      return tokens.map((id, at) => [id, starts[at], ends[at]]);
    };
    const theirs = (text: string, i: number) => {
      const units = unitsOf(text);
      const places = bare[i]!.getOffsets();
      return bare[i]!.getIds().map((id, at) => [id, units[places[at]![0]!], units[places[at]![1]!]]);
    };
    expect(differences(texts, spans, theirs)).toEqual([]);
  });
});

test.each(DECODERS)("decoder %s", async (_, json) => {
  const tokenizer = decodingWith(json);
  const [ours, rust] = [
    createTokenizer(tokenizer as TokenizerJson),
    RustTokenizer.fromString(JSON.stringify(tokenizer)),
  ];
  const ids = fc.array(fc.integer({ min: 0, max: DECODED_IDS - 1 }), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(ids, fc.boolean(), async (some, skipSpecialTokens) => {
      expect(ours.decode(some, { skipSpecialTokens })).toBe(await rust.decode(some, skipSpecialTokens));
    }),
    { numRuns: 300 },
  );
});

test("any text, in all pipelines", async () => {
  const pairs = PIPELINES.map(([name, json]) => {
    const rust = RustTokenizer.fromString(JSON.stringify(json));
    return { name, rust, ours: createTokenizer(json as TokenizerJson) };
  });
  const characters = [...new Set(texts.join(""))];
  const parts = fc.oneof(fc.constantFrom(...characters), fc.constantFrom(" ", " ", "[USR]", "dog", "the", "Café", "1"));
  const text = fc.oneof(
    fc.array(parts, { maxLength: 20 }).map((some) => some.join("")),
    fc.string({ unit: "grapheme" }).map(wellFormed),
  );
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom(...pairs), async (some, { ours, rust, name }) => {
      const got = [name, ours.encode(some, null, { maxLength: null }).ids];
      expect(got).toEqual([name, (await rust.encode(some)).getIds()]);
    }),
    { numRuns: 3000 },
  );
});
