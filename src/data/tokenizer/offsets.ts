// Tokens of a text with the characters each stands for, as the Rust tokenizers' offsets, in UTF-16 units.
// Source: tokenizers/src/tokenizer/normalizer.rs (alignments), models/wordpiece, pre_tokenizers/byte_level.rs (trimming).
import { bertWordRanges, type TrackedText } from "./bert-text.ts";
import { SPACE_CHAR, spell, wordEnd } from "./byte-level.ts";

/** Tokens of one text, no special ones added; token i stands for the characters from `starts[i]` to `ends[i]`. */
export interface TokenSpans {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Tokens as the vocabulary spells them, before they are numbers. */
interface Pieces {
  readonly tokens: string[];
  readonly starts: number[];
  readonly ends: number[];
}

/** What finding offsets needs of a tokenizer. */
export interface SpanEngine {
  /** Ids of a whole text. */
  readonly tokens: (text: string) => readonly number[];
  /** The tokens of one word, as the vocabulary spells them. */
  readonly word: (word: string) => readonly string[];
  readonly idOf: (token: string) => number;
  readonly unknown: string | undefined;
  /** Tokens that are found in a text before anything else, longest first. */
  readonly added: readonly { readonly content: string; readonly lstrip: boolean; readonly rstrip: boolean }[];
}

/** How offsets are found; `words` knows them only up to the word between two spaces. */
export type SpanStyle =
  | { readonly kind: "wordpiece"; readonly normalize: (text: string) => TrackedText; readonly prefix: string }
  | { readonly kind: "byte-level"; readonly addPrefixSpace: boolean; readonly trim: boolean }
  | { readonly kind: "words" };

/** Text → tokens with offsets. */
export function spansOf(engine: SpanEngine, style: SpanStyle): (text: string) => TokenSpans {
  if (style.kind === "words") return (text) => wordSpans(engine, text);
  return (text) => {
    const pieces: Pieces = { tokens: [], starts: [], ends: [] };
    for (const { start, end, added } of sections(text, engine.added)) {
      if (added !== null) push(pieces, added, start, end);
      else if (style.kind === "wordpiece") wordPieces(engine, style, text.slice(start, end), start, pieces);
      else bytePieces(engine, style, text.slice(start, end), start, pieces);
    }
    if (style.kind === "byte-level" && style.trim) trim(pieces, style.addPrefixSpace);
    return { ids: pieces.tokens.map(engine.idOf), starts: pieces.starts, ends: pieces.ends };
  };
}

function push(pieces: Pieces, token: string, start: number, end: number): void {
  pieces.tokens.push(token);
  pieces.starts.push(start);
  pieces.ends.push(end);
}

interface Section {
  readonly start: number;
  readonly end: number;
  /** The added token that stands here; null for ordinary text. */
  readonly added: string | null;
}

/** Added tokens, and the text between them; one that strips takes the whitespace beside it along. */
function sections(text: string, added: SpanEngine["added"]): Section[] {
  const found: Section[] = [];
  const first = new Set(added.map(({ content }) => content[0]));
  let start = 0;
  for (let at = 0; at < text.length; ) {
    const token = first.has(text[at]) ? added.find(({ content }) => text.startsWith(content, at)) : undefined;
    if (token === undefined) {
      at++;
      continue;
    }
    const before = token.lstrip ? start + text.slice(start, at).trimEnd().length : at;
    if (before > start) found.push({ start, end: before, added: null });
    at += token.content.length;
    const rest = text.slice(at);
    const after = token.rstrip ? at + rest.length - rest.trimStart().length : at;
    found.push({ start: before, end: after, added: token.content });
    start = after;
    at = after;
  }
  if (start < text.length) found.push({ start, end: text.length, added: null });
  return found;
}

function wordPieces(
  engine: SpanEngine,
  style: Extract<SpanStyle, { kind: "wordpiece" }>,
  section: string,
  offset: number,
  pieces: Pieces,
): void {
  const { text, starts, ends } = style.normalize(section);
  const ranges = bertWordRanges(text);
  for (let i = 0; i < ranges.length; i += 2) {
    const [from, to] = [ranges[i]!, ranges[i + 1]!];
    let at = from;
    for (const token of engine.word(text.slice(from, to))) {
      const length = token === engine.unknown ? to - from : token.length - (at > from ? style.prefix.length : 0);
      push(pieces, token, offset + starts[at]!, offset + ends[at + length - 1]!);
      at += length;
    }
  }
}

function bytePieces(
  engine: SpanEngine,
  style: Extract<SpanStyle, { kind: "byte-level" }>,
  section: string,
  offset: number,
  pieces: Pieces,
): void {
  const shift = style.addPrefixSpace && !section.startsWith(" ") ? 1 : 0;
  const text = shift === 1 ? ` ${section}` : section;
  for (let at = 0; at < text.length; ) {
    const end = wordEnd(text, at);
    const places = bytePlaces(text, at, end, shift);
    let byte = 0;
    for (const token of engine.word(spell(text.slice(at, end)))) {
      push(pieces, token, offset + places.starts[byte]!, offset + places.ends[byte + token.length - 1]!);
      byte += token.length;
    }
    at = end;
  }
}

/** The character of each UTF-8 byte of a word; the space put before a text lies on its first character. */
function bytePlaces(text: string, from: number, to: number, shift: number): { starts: number[]; ends: number[] } {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let at = from; at < to; ) {
    const code = text.codePointAt(at)!;
    const width = code > 0xffff ? 2 : 1;
    const bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    const isPrefix = shift === 1 && at === 0;
    const start = isPrefix ? 0 : at - shift;
    const next = isPrefix ? (text.codePointAt(1)! > 0xffff ? 2 : 1) : at + width - shift;
    for (let byte = 0; byte < bytes; byte++) {
      starts.push(start);
      ends.push(next);
    }
    at += width;
  }
  return { starts, ends };
}

/** Takes the spaces at a token's ends out of its offsets. */
function trim({ tokens, starts, ends }: Pieces, addPrefixSpace: boolean): void {
  tokens.forEach((token, i) => {
    const chars = Array.from(token);
    let leading = chars.findIndex((char) => !isSpace(char));
    if (leading < 0) leading = chars.length;
    const trailing = chars.length - 1 - chars.findLastIndex((char) => !isSpace(char));
    if (leading > 0) {
      if (addPrefixSpace && (i === 0 || starts[i] === 0)) leading--;
      starts[i] = Math.min(starts[i]! + leading, ends[i]!);
    }
    if (trailing > 0 && ends[i]! >= trailing) ends[i] = Math.max(ends[i]! - trailing, starts[i]!);
  });
}

function isSpace(char: string): boolean {
  return char === SPACE_CHAR || char.trim() === "";
}

/** Every token of a word has the whole word's characters; where words depend on each other, the whole text's. */
function wordSpans(engine: SpanEngine, text: string): TokenSpans {
  const ids: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  for (const { 0: word, index } of text.matchAll(/\S+/g)) {
    for (const id of engine.tokens(word)) {
      ids.push(id);
      starts.push(index);
      ends.push(index + word.length);
    }
  }
  const whole = engine.tokens(text);
  if (whole.length === ids.length && whole.every((id, i) => id === ids[i])) return { ids, starts, ends };
  return { ids: whole, starts: whole.map(() => 0), ends: whole.map(() => text.length) };
}

/**
 * Where windows over `length` tokens start and end: `room` wide, each sharing `stride` tokens with the one before.
 *
 * A stride that would leave nothing to move by becomes half the room.
 */
export function windowsOf(length: number, room: number, stride: number): { from: number; to: number }[] {
  const step = room - (stride < room ? stride : Math.floor(room / 2));
  const windows: { from: number; to: number }[] = [];
  for (let from = 0; ; from += step) {
    const to = Math.min(from + room, length);
    windows.push({ from, to });
    if (to === length) return windows;
  }
}
