// Unigram tokens as SentencePiece models have them (T5): the likeliest way to cut a word into known pieces.
import { FileError, shownValue } from "../../errors.ts";
import type { TokenizerJson } from "./json.ts";
import { widthAt } from "./tracked-text.ts";
import { unknownWord } from "./vocabulary.ts";
import type { WordModel, WordTokens } from "./word-tokens.ts";

/** How much less likely than the rarest piece a character is that no piece stands for. */
const UNKNOWN_PENALTY = 10;

/**
 * The pieces of a word: those whose scores add up to most; neighbours that no piece stands for are one.
 *
 * @see Kudo 2018, eq. 3 to 5; tokenizers `models/unigram/model.rs`, `encode_optimized`
 */
export function unigramModel(json: TokenizerJson["model"], file: string): WordModel {
  const pieces = piecesOf(json.vocab, file);
  // of two pieces that are spelled the same the later one counts
  const vocabulary = new Map(pieces.map(([piece], id) => [piece, id]));
  const unknownId = typeof json.unk_id === "number" ? json.unk_id : null;
  if (unknownId !== null && pieces[unknownId] === undefined)
    throw new FileError(
      file,
      `expected the unk_id of the Unigram model below ${pieces.length}, its vocabulary's size, got ${unknownId}`,
    );
  const unknown = unknownId === null ? null : pieces[unknownId]![0];
  const lattice: Lattice = {
    vocabulary,
    scores: pieces.map(([, score]) => score),
    longest: pieces.reduce((most, [piece]) => Math.max(most, piece.length), 0),
    unknownId,
    unknownScore:
      pieces.reduce((least, [, score]) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY,
  };
  const bytesOf = json.byte_fallback === true ? byteFallback(vocabulary) : () => null;
  return {
    vocabulary,
    unknown,
    encode(word) {
      const tokens = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
      for (const [start, end] of bestCut(word, lattice)) {
        const piece = word.slice(start, end);
        const id = vocabulary.get(piece);
        const ids = id === undefined ? (bytesOf(piece) ?? [unknownId]) : [id];
        for (const one of ids) {
          if (one === null) throw unknownWord(word, unknown);
          tokens.ids.push(one);
          tokens.starts.push(start);
          tokens.ends.push(end);
        }
      }
      return tokens satisfies WordTokens;
    },
  };
}

/** Pieces with their scores. @throws {FileError} when they are none. */
export function piecesOf(vocab: unknown, file: string): (readonly [string, number])[] {
  const isPiece = (one: unknown): one is readonly [string, number] =>
    Array.isArray(one) && typeof one[0] === "string" && typeof one[1] === "number";
  if (!Array.isArray(vocab) || vocab.length === 0)
    throw new FileError(file, "expected a Unigram model with a vocabulary, [[piece, score], …], got none");
  const wrong = vocab.findIndex((one) => !isPiece(one));
  if (wrong < 0) return vocab as (readonly [string, number])[];
  throw new FileError(
    file,
    `expected [piece, score] in the Unigram vocabulary, got ${shownValue(vocab[wrong])} at ${wrong}`,
  );
}

/** The tokens of a piece's bytes, `<0x0A>` and so on; null where the vocabulary lacks one. */
function byteFallback(vocabulary: ReadonlyMap<string, number>): (piece: string) => number[] | null {
  const encoder = new TextEncoder();
  return (piece) => {
    const ids = Array.from(encoder.encode(piece), (byte) =>
      vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
    );
    return ids.every((id) => id !== undefined) ? ids : null;
  };
}

interface Lattice {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly scores: readonly number[];
  /** UTF-16 units of the longest piece. */
  readonly longest: number;
  readonly unknownId: number | null;
  readonly unknownScore: number;
}

/** Where the pieces of the best cut start and end. */
function bestCut(word: string, lattice: Lattice): (readonly [number, number])[] {
  const paths = bestPaths(word, lattice);
  const cut: (readonly [number, number])[] = [];
  let unknownEnd = -1;
  for (let end = word.length; end > 0; ) {
    const { start, isKnown } = paths[end]!;
    if (isKnown) {
      if (unknownEnd >= 0) cut.push([end, unknownEnd]);
      unknownEnd = -1;
      cut.push([start, end]);
    } else if (unknownEnd < 0) unknownEnd = end;
    end = start;
  }
  if (unknownEnd >= 0) cut.push([0, unknownEnd]);
  return cut.reverse();
}

interface Path {
  readonly start: number;
  readonly score: number;
  readonly isKnown: boolean;
}

/** For each place in a word the last piece of the best way to get there; of equals the one that begins first. */
function bestPaths(
  word: string,
  { vocabulary, scores, longest, unknownId, unknownScore }: Lattice,
): readonly (Path | undefined)[] {
  const paths: (Path | undefined)[] = Array.from({ length: word.length + 1 });
  const offer = (end: number, path: Path) => {
    const before = paths[end];
    if (before === undefined || path.score > before.score) paths[end] = path;
  };
  for (let start = 0; start < word.length; ) {
    const here = start === 0 ? 0 : paths[start]!.score;
    const character = widthAt(word, start);
    let hasOwn = false;
    for (let end = start + character; end <= Math.min(word.length, start + longest); end++) {
      const id = vocabulary.get(word.slice(start, end));
      if (id === undefined) continue;
      if (end === start + character) hasOwn = true;
      offer(end, { start, score: here + scores[id]!, isKnown: id !== unknownId });
    }
    if (!hasOwn) {
      if (unknownId === null) throw unknownWord(word, null);
      offer(start + character, { start, score: here + unknownScore, isKnown: false });
    }
    start += character;
  }
  return paths;
}

/** A word boundary as SentencePiece writes it. */
export const METASPACE = "▁";
