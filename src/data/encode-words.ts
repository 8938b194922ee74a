// Texts that are given in words as token ids, with a label on each word's first token.
// Source: transformers' run_ner.py, `tokenize_and_align_labels` without `label_all_tokens`.
import { ConfigError } from "../errors.ts";
import { type EncodedExamples, examplePacker } from "./encode.ts";
import type { Example } from "./examples.ts";
import type { TokenSpans } from "./tokenizer/pipeline.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** Texts with labels for their words, or texts whose words are to be labelled. */
export interface EncodedWords extends EncodedExamples {
  readonly labelList: (index: number) => Int32Array | null;
  /** Words that were cut off: no token of theirs is left, so they are neither learned nor scored. */
  readonly cutWords: number;
  readonly sources: readonly Example[];
}

/** Whether examples are texts with labels for their words. */
export function isWords(examples: EncodedExamples): examples is EncodedWords {
  return "cutWords" in examples;
}

/** Of tokens that bear no label: special ones, and all but the first of a word. */
const NO_LABEL = -100;

/**
 * Encodes texts given in words, each word tokenized by itself; a text without words is tokenized whole. What is longer than
 * `maxLength` is cut at its end.
 * @throws {ConfigError} when `maxLength` leaves no room for the special tokens.
 */
export async function encodeWords(
  examples: AsyncIterable<Example> | Iterable<Example>,
  tokenizer: Tokenizer,
  { maxLength }: { readonly maxLength: number },
): Promise<EncodedWords> {
  const around = tokenizer.join([]).ids.length;
  if (around > maxLength) {
    const expected = `at least ${around}, the special tokens of one input`;
    throw new ConfigError([{ path: "maxLength", expected, got: String(maxLength) }]);
  }
  const packer = examplePacker(tokenizer, maxLength);
  const lists: (Int32Array | null)[] = [];
  const sources: Example[] = [];
  let cutWords = 0;
  for await (const example of examples) {
    const { ids, owners } = ownedTokens(tokenizer, example);
    const kept = ids.slice(0, maxLength - around);
    const encoding = tokenizer.join(kept);
    const wholeLength = around + ids.length;
    packer.add({ ...encoding, truncated: kept.length < ids.length, wholeLength }, example.line, null);
    const { labelList = null } = example;
    const first = Math.max(0, encoding.specialTokensMask.indexOf(0));
    lists.push(labelList && tokenLabels(labelList, owners.slice(0, kept.length), first, encoding.ids.length));
    if (example.words !== undefined) cutWords += new Set(owners).size - new Set(owners.slice(0, kept.length)).size;
    sources.push(example);
  }
  return { ...packer.packed(), labelList: (index) => lists[index]!, cutWords, sources };
}

function ownedTokens(tokenizer: Tokenizer, { text, words }: Example) {
  if (words !== undefined) return tokenizer.words(words);
  return { ids: tokenizer.encode(text, null, { maxLength: null, addSpecialTokens: false }).ids, owners: [] };
}

/** The labels of `length` tokens: each word's on its first one, which stands `first` behind the special tokens. */
function tokenLabels(labels: readonly number[], owners: readonly number[], first: number, length: number): Int32Array {
  const list = new Int32Array(length).fill(NO_LABEL);
  owners.forEach((owner, i) => {
    if (owner !== owners[i - 1]) list[first + i] = labels[owner]!;
  });
  return list;
}

/** Tokens of an example, no special ones added, with the characters of its text that each stands for, in UTF-16 units. */
export function tokenPlaces(tokenizer: Tokenizer, { text, words }: Pick<Example, "text" | "words">): TokenSpans {
  if (words === undefined) return tokenizer.spans(text);
  const ofWords = tokenizer.ofWords();
  const [ids, starts, ends]: [number[], number[], number[]] = [[], [], []];
  let at = 0;
  for (const word of words) {
    const spans = ofWords.spans(word);
    ids.push(...spans.ids);
    starts.push(...spans.starts.map((start) => at + start));
    ends.push(...spans.ends.map((end) => at + end));
    at += word.length + 1;
  }
  return { ids, starts, ends };
}
