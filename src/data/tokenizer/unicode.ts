// Character classes as the Rust tokenizers see them, so that ids do not depend on the JavaScript engine's Unicode version.
import {
  CHINESE,
  COMBINING,
  LETTER,
  MARK,
  NUMBER,
  NUMERIC,
  PUNCTUATION,
  REMOVED,
  UNASSIGNED,
  UNKNOWN_TO_NFD,
  UNKNOWN_TO_NFKD,
  WHITESPACE,
  WORD,
} from "./unicode-tables.ts";

/** Bits of a character's class. */
export const CharClass = {
  removed: 1,
  whitespace: 2,
  mark: 4,
  punctuation: 8,
  letter: 16,
  number: 32,
  chinese: 64,
  unknownToNfd: 128,
  /** `\w` of Rust's regular expressions. */
  word: 256,
  /** Marks of every kind; `mark` has the nonspacing ones that BERT removes. */
  combining: 512,
  /** Rust's `is_numeric`; `number` is what Oniguruma takes for `\p{N}`. */
  numeric: 1024,
  unknownToNfkd: 2048,
  /** Not assigned in Oniguruma's version of Unicode. */
  unassigned: 4096,
} as const;

/** The class bits of every code point. */
export function charClasses(): Uint16Array {
  return (table ??= buildTable());
}

let table: Uint16Array | undefined;

function buildTable(): Uint16Array {
  const out = new Uint16Array(0x110000);
  mark(out, REMOVED, CharClass.removed);
  mark(out, WHITESPACE, CharClass.whitespace);
  mark(out, MARK, CharClass.mark);
  mark(out, PUNCTUATION, CharClass.punctuation);
  mark(out, LETTER, CharClass.letter);
  mark(out, NUMBER, CharClass.number);
  mark(out, CHINESE, CharClass.chinese);
  mark(out, UNKNOWN_TO_NFD, CharClass.unknownToNfd);
  mark(out, WORD, CharClass.word);
  mark(out, COMBINING, CharClass.combining);
  mark(out, NUMERIC, CharClass.numeric);
  mark(out, UNKNOWN_TO_NFKD, CharClass.unknownToNfkd);
  mark(out, UNASSIGNED, CharClass.unassigned);
  return out;
}

function mark(out: Uint16Array, ranges: string, bit: number): void {
  const numbers = ranges.split(" ").map((n) => Number.parseInt(n, 36));
  let at = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    at += numbers[i]!;
    for (const end = at + numbers[i + 1]!; at < end; at++) out[at]! |= bit;
  }
}

const LONE_SURROGATE = /\p{Surrogate}/gu;

/** The text with every lone surrogate replaced by U+FFFD, as UTF-8 encoders do. */
export function wellFormed(text: string): string {
  return LONE_SURROGATE.test(text) ? text.replace(LONE_SURROGATE, "\ufffd") : text;
}
