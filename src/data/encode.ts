// A split as token ids, packed: one array for all tokens, a few numbers for each example.
import { UnsupportedError } from "../errors.ts";
import type { Example } from "./examples.ts";
import type { Truncation } from "./tokenizer/template.ts";
import type { Encoding, Tokenizer } from "./tokenizer/tokenizer.ts";

/** Encoded examples, by index in the order of the split. */
export interface EncodedExamples {
  readonly count: number;
  /** Tokens of each example, special tokens included. */
  readonly lengths: Int32Array;
  /** Line of each example in its file, from 1. */
  readonly lines: Int32Array;
  /** Class index or score of each example; NaN where there is none. */
  readonly labels: Float64Array;
  /**
   * Class indices of one example: of a text all that are true, of words one for each token, −100 where a token has none. Null where the
   * example has no labels; absent where labels are no lists.
   */
  readonly labelList?: (index: number) => ArrayLike<number> | null;
  readonly totalTokens: number;
  /** Examples that lost tokens to `maxLength`. */
  readonly truncatedCount: number;
  /** Tokens of the longest example, before it was cut. */
  readonly longest: number;
  readonly padId: number;
  readonly maxLength: number;
  /** The ids of one example, not copied. */
  tokens(index: number): Uint16Array | Int32Array;
  /** Where segment 1 starts in one example; its length where there is none. */
  segmentStart(index: number): number;
}

export interface EncodeExamplesOptions {
  /** Largest number of tokens, special ones included. */
  readonly maxLength: number;
  readonly truncation?: Truncation;
  /** Called now and then with the number of examples encoded. */
  readonly onProgress?: (done: number) => void;
}

const PROGRESS_EVERY = 1000;

/**
 * Encodes a stream of examples; its texts are not kept.
 * @throws {UnsupportedError} when a tokenizer's segments are not all 0, or 0 then 1.
 */
export async function encodeExamples(
  examples: AsyncIterable<Example> | Iterable<Example>,
  tokenizer: Tokenizer,
  { maxLength, truncation = "longest_first", onProgress }: EncodeExamplesOptions,
): Promise<EncodedExamples> {
  const packer = examplePacker(tokenizer, maxLength);
  for await (const { text, pair, label, line } of examples) {
    packer.add(tokenizer.encode(text, pair ?? null, { maxLength, truncation }), line, label);
    if (packer.count() % PROGRESS_EVERY === 0) onProgress?.(packer.count());
  }
  onProgress?.(packer.count());
  return packer.packed();
}

/** Encodes a stream of examples whose labels are lists of classes. Errors as `encodeExamples`. */
export async function encodeLists(
  examples: AsyncIterable<Example> | Iterable<Example>,
  tokenizer: Tokenizer,
  options: EncodeExamplesOptions,
): Promise<EncodedExamples> {
  const lists: (readonly number[] | null)[] = [];
  async function* noted() {
    for await (const example of examples) {
      lists.push(example.labelList ?? null);
      yield example;
    }
  }
  const encoded = await encodeExamples(noted(), tokenizer, options);
  return { ...encoded, labelList: (index) => lists[index]! };
}

/** What is packed of an encoding; without `wholeLength` nothing of it was cut. */
export type PackedEncoding = Pick<Encoding, "ids" | "typeIds" | "truncated"> & Partial<Pick<Encoding, "wholeLength">>;

/** Collects encodings into one array. */
export interface ExamplePacker {
  /** @throws {UnsupportedError} as `encodeExamples`. */
  add(encoding: PackedEncoding, line: number, label: number | null): void;
  count(): number;
  packed(): EncodedExamples;
}

/** An empty packer for ids of a tokenizer. */
export function examplePacker(tokenizer: Tokenizer, maxLength: number): ExamplePacker {
  const ids = growingIds(tokenizer);
  const ends = growing(Float64Array);
  const segments = growing(Int32Array);
  const lines = growing(Int32Array);
  const labels = growing(Float64Array);
  let truncatedCount = 0;
  let longest = 0;
  return {
    add(encoding, line, label) {
      if (encoding.truncated) truncatedCount++;
      longest = Math.max(longest, encoding.wholeLength ?? encoding.ids.length);
      ids.push(encoding.ids);
      ends.push([ids.length()]);
      segments.push([segmentStartOf(encoding.typeIds)]);
      lines.push([line]);
      labels.push([label ?? Number.NaN]);
    },
    count: () => lines.length(),
    packed: () =>
      pack(ids.trimmed(), ends.trimmed(), segments.trimmed(), {
        lines: lines.trimmed(),
        labels: labels.trimmed(),
        truncatedCount,
        longest,
        padId: tokenizer.padId,
        maxLength,
      }),
  };
}

/** A growing array for token ids; two bytes hold every id of BERT's and RoBERTa's vocabularies. */
export function growingIds(tokenizer: Pick<Tokenizer, "vocabSize">): Growing<Uint16Array | Int32Array> {
  return tokenizer.vocabSize <= 0x10000 ? growing(Uint16Array) : growing(Int32Array);
}

type Facts = Pick<EncodedExamples, "lines" | "labels" | "truncatedCount" | "longest" | "padId" | "maxLength">;

function pack(ids: Uint16Array | Int32Array, ends: Float64Array, segments: Int32Array, facts: Facts): EncodedExamples {
  const startOf = (index: number) => (index === 0 ? 0 : ends[index - 1]!);
  return {
    ...facts,
    count: ends.length,
    lengths: Int32Array.from(ends, (end, i) => end - startOf(i)),
    totalTokens: ids.length,
    tokens: (index) => ids.subarray(startOf(index), ends[index]!),
    segmentStart: (index) => segments[index]!,
  };
}

function segmentStartOf(typeIds: readonly number[]): number {
  const start = typeIds.indexOf(1);
  const from = start < 0 ? typeIds.length : start;
  if (typeIds.some((type, i) => type !== (i < from ? 0 : 1))) {
    throw new UnsupportedError("a tokenizer with segments other than 0 then 1", ["BERT's", "RoBERTa's"]);
  }
  return from;
}

/** An array that grows. */
export interface Growing<A> {
  push(values: readonly number[]): void;
  length(): number;
  /** The filled part, in an array of its own size. */
  trimmed(): A;
}

/** An empty array of a kind. */
export function growing<A extends Uint16Array | Int32Array | Float64Array>(
  make: new (length: number) => A,
): Growing<A> {
  let data = new make(1024);
  let filled = 0;
  return {
    push(values) {
      if (filled + values.length > data.length) {
        const larger = new make(Math.max(2 * data.length, filled + values.length));
        larger.set(data);
        data = larger;
      }
      data.set(values, filled);
      filled += values.length;
    },
    length: () => filled,
    trimmed: () => data.slice(0, filled) as A,
  };
}
