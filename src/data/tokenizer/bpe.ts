// Byte-pair encoding: the pair that was learned first is merged first.
import { FileError, shownValue, UnsupportedError } from "../../errors.ts";
import type { TokenizerJson } from "./json.ts";
import { MergeQueue } from "./merge-queue.ts";
import { widthAt } from "./tracked-text.ts";
import { unknownWord, vocabularyOf } from "./vocabulary.ts";
import type { WordModel } from "./word-tokens.ts";

/** What two neighbouring tokens become, and how early that was learned. */
interface Merge {
  readonly rank: number;
  readonly id: number;
}

/** A token of a word while pairs are merged; `end` 0 when another has taken it in. */
interface Piece {
  id: number;
  start: number;
  end: number;
  before: number;
  behind: number;
}

/** @see tokenizers `models/bpe/model.rs`, `merge_word`; `word.rs`, `merge_all` */
export function bpeModel(json: TokenizerJson["model"], file: string): WordModel {
  const vocabulary = vocabularyOf(json.vocab, "BPE", file);
  if (typeof json.dropout === "number" && json.dropout > 0)
    throw new UnsupportedError(
      `a BPE model with dropout ${shownValue(json.dropout)}, which draws its tokens by chance`,
      ["dropout null"],
    );
  const unknown = typeof json.unk_token === "string" ? json.unk_token : null;
  const prefix = typeof json.continuing_subword_prefix === "string" ? json.continuing_subword_prefix : "";
  const merges = mergesOf(json.merges, vocabulary, prefix, file);
  const symbols = symbolizer(json, vocabulary, unknown, prefix);
  const ignoresMerges = json.ignore_merges === true;
  return {
    vocabulary,
    unknown,
    encode(word) {
      const whole = ignoresMerges ? vocabulary.get(word) : undefined;
      if (whole !== undefined) return { ids: [whole], starts: [0], ends: [word.length] };
      const merged = mergeAll(symbols(word), merges);
      return {
        ids: merged.map(({ id }) => id),
        starts: merged.map(({ start }) => start),
        ends: merged.map(({ end }) => end),
      };
    },
  };
}

interface Merges {
  readonly get: (left: number, right: number) => Merge | undefined;
  /** The token that a merge makes, by its rank. */
  readonly ids: readonly (number | undefined)[];
}

function mergesOf(given: unknown, vocabulary: ReadonlyMap<string, number>, prefix: string, file: string): Merges {
  if (!Array.isArray(given)) throw new FileError(file, 'expected a BPE model with "merges", a list of pairs, got none');
  let size = 1;
  for (const id of vocabulary.values()) size = Math.max(size, id + 1);
  const known = new Map<number, Merge>();
  const ids: (number | undefined)[] = Array.from({ length: given.length });
  const faults: string[] = [];
  const lines = given.filter((one) => typeof one !== "string" || !one.startsWith("#version"));
  lines.forEach((one: unknown, rank) => {
    const pair =
      typeof one === "string"
        ? one.split(" ")
        : Array.isArray(one)
          ? one.filter((part) => typeof part === "string")
          : [];
    const [left = "", right = ""] = pair;
    const [first, second, whole] = [left, right, left + right.slice(prefix.length)].map((part) => vocabulary.get(part));
    if (pair.length !== 2 || first === undefined || second === undefined || whole === undefined)
      faults.push(`merge ${rank + 1}, ${shownValue(one)}`);
    else {
      known.set(first * size + second, { rank, id: whole });
      ids[rank] = whole;
    }
  });
  if (faults.length > 0) {
    const some = `${faults.slice(0, 3).join("; ")}${faults.length > 3 ? "; …" : ""}`;
    throw new FileError(
      file,
      `expected merges of two tokens of the vocabulary to a third, got ${faults.length} others: ${some}`,
    );
  }
  return { get: (left, right) => known.get(left * size + right), ids };
}

/** Word → its characters as tokens, before anything is merged. */
function symbolizer(
  json: TokenizerJson["model"],
  vocabulary: ReadonlyMap<string, number>,
  unknown: string | null,
  prefix: string,
): (word: string) => Piece[] {
  const suffix = typeof json.end_of_word_suffix === "string" ? json.end_of_word_suffix : "";
  const [fuses, fallsBack] = [json.fuse_unk === true, json.byte_fallback === true];
  const encoder = new TextEncoder();
  const bytesOf = (part: string): number[] | null => {
    const ids = Array.from(encoder.encode(part), (byte) =>
      vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
    );
    return ids.every((id) => id !== undefined) ? ids : null;
  };
  return (word) => {
    const found: Piece[] = [];
    const add = (id: number, start: number, end: number) => {
      found.push({ id, start, end, before: found.length - 1, behind: found.length + 1 });
    };
    let pending: { readonly start: number; readonly end: number } | null = null;
    const flush = () => {
      if (pending === null) return;
      const id = vocabulary.get(unknown!);
      if (id === undefined) throw unknownWord(word, unknown);
      add(id, pending.start, pending.end);
      pending = null;
    };
    for (let at = 0; at < word.length; ) {
      const end = at + widthAt(word, at);
      const part = (at > 0 ? prefix : "") + word.slice(at, end) + (end === word.length ? suffix : "");
      const id = vocabulary.get(part);
      const bytes = id === undefined && fallsBack ? bytesOf(part) : null;
      if (id !== undefined) {
        flush();
        add(id, at, end);
      } else if (bytes !== null) for (const byte of bytes) add(byte, at, end);
      else if (unknown !== null) {
        // what has no token at all is left out, as the Rust library does
        if (pending !== null && !fuses) flush();
        pending = { start: pending === null ? at : (pending as { start: number }).start, end };
      }
      at = end;
    }
    flush();
    return found;
  };
}

/** Merges by rank, and from the left where ranks are equal. */
function mergeAll(symbols: Piece[], merges: Merges): readonly Piece[] {
  if (symbols.length < 2) return symbols;
  const queue = new MergeQueue();
  const found = (at: number) => {
    const behind = symbols[at]!.behind;
    return behind < symbols.length ? merges.get(symbols[at]!.id, symbols[behind]!.id) : undefined;
  };
  const offer = (at: number) => {
    const merge = found(at);
    if (merge !== undefined) queue.push(merge.rank, at);
  };
  for (let at = 0; at + 1 < symbols.length; at++) offer(at);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const left = symbols[next.at]!;
    if (left.end < 0 || left.behind >= symbols.length) continue;
    const right = symbols[left.behind]!;
    const merge = found(next.at);
    // the pair may have changed since it was found
    if (merge === undefined || merge.id !== merges.ids[next.rank]) continue;
    left.id = merge.id;
    left.end = right.end;
    left.behind = right.behind;
    right.end = -1;
    if (right.behind < symbols.length) symbols[right.behind]!.before = next.at;
    if (left.before >= 0) offer(left.before);
    offer(next.at);
  }
  return symbols.filter(({ end }) => end >= 0);
}
