import { describe, expect, test } from "vitest";
import { batches, makeBatch } from "./batch.ts";
import { trainingPlan } from "./batch-plan.ts";
import { encodeExamples } from "./encode.ts";
import type { Example } from "./examples.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer/tokenizer.ts";

const WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "##c"];
const token = (content: string) => ({ content, id: WORDS.indexOf(content), special: true, normalized: false });
const tokenizer: Tokenizer = createTokenizer({
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(WORDS.map((w, i) => [w, i])),
  },
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: { type: "BertProcessing", cls: ["[CLS]", 2], sep: ["[SEP]", 3] },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  added_tokens: WORDS.slice(0, 5).map((w) => ({ ...token(w), single_word: false, lstrip: false, rstrip: false })),
});

const EXAMPLES: Example[] = [
  { text: "a b", label: 1, line: 2 },
  { text: "a", pair: "bc x", label: 0, line: 3 },
  { text: "a a a a a a a a", label: 1, line: 4 },
];
const encoded = await encodeExamples(EXAMPLES, tokenizer, { maxLength: 8 });
const numbers = (data: ArrayLike<number | bigint>) => Array.from(data, Number);
const options = { padding: "longest" } as const;

describe("encoded examples", () => {
  test("hold ids, segments, labels and lines, and count what was cut", () => {
    expect([...encoded.tokens(0)]).toEqual([2, 5, 6, 3]);
    expect([...encoded.tokens(1)]).toEqual([2, 5, 3, 6, 8, 1, 3]);
    expect([encoded.segmentStart(0), encoded.segmentStart(1)]).toEqual([4, 3]);
    expect([...encoded.lengths]).toEqual([4, 7, 8]);
    expect([...encoded.lines]).toEqual([2, 3, 4]);
    expect(encoded).toMatchObject({ count: 3, totalTokens: 19, truncatedCount: 1, padId: 0, maxLength: 8 });
    expect(encoded.tokens(0)).toBeInstanceOf(Uint16Array);
  });

  test("grow past the first arrays", async () => {
    const many = Array.from({ length: 3000 }, (_, i) => ({ text: i % 2 ? "a" : "b b", label: i % 2, line: i + 1 }));
    let done = 0;
    const out = await encodeExamples(many, tokenizer, { maxLength: 8, onProgress: (n) => (done = n) });
    expect(out.totalTokens).toBe(1500 * 3 + 1500 * 4);
    expect([...out.tokens(2999)]).toEqual([2, 5, 3]);
    expect(out.labels[2998]).toBe(0);
    expect(done).toBe(3000);
  });
});

describe("a batch", () => {
  test("is padded to its longest example", () => {
    const batch = makeBatch(encoded, [1, 0], options);
    expect(batch.tokenIds.shape).toEqual([2, 7]);
    expect(numbers(batch.tokenIds.data)).toEqual([2, 5, 3, 6, 8, 1, 3, 2, 5, 6, 3, 0, 0, 0]);
    expect(numbers(batch.attentionMask.data)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    expect(numbers(batch.tokenTypeIds.data)).toEqual([0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    expect(batch).toMatchObject({ indices: [1, 0], attendedTokens: 11 });
  });

  test("is padded to a multiple, but not past maxLength; or to maxLength", () => {
    expect(makeBatch(encoded, [0], { ...options, padToMultiple: 3 }).tokenIds.shape).toEqual([1, 6]);
    expect(makeBatch(encoded, [1], { ...options, padToMultiple: 5 }).tokenIds.shape).toEqual([1, 8]);
    expect(makeBatch(encoded, [0], { ...options, padding: "max" }).tokenIds.shape).toEqual([1, 8]);
  });

  test("the batches of a plan can start anywhere", () => {
    const plan = trainingPlan(encoded.lengths, { batchSize: 1, seed: 0, epoch: 0 });
    const all = [...batches(encoded, plan, options)];
    expect(all.length).toBe(3);
    expect([...batches(encoded, plan, { ...options, from: 2 })]).toEqual(all.slice(2));
  });
});
