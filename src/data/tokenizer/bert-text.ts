// BERT's normalisation and word splitting, exactly as in Hugging Face's Rust tokenizers.
// Source: tokenizers/src/normalizers/bert.rs and pre_tokenizers/bert.rs; @huggingface/tokenizers deviates on odd Unicode.
import { CharClass, charClasses } from "./unicode.ts";

/** The settings of a `BertNormalizer` in tokenizer.json; `stripAccents` null follows `lowercase`. */
export interface BertTextOptions {
  readonly cleanText: boolean;
  readonly handleChineseChars: boolean;
  readonly stripAccents: boolean | null;
  readonly lowercase: boolean;
}

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Text → normalised text: clean, space out Chinese characters, strip accents, lowercase, in this order. */
export function bertNormalizer(options: BertTextOptions): (text: string) => string {
  const { cleanText, handleChineseChars, lowercase } = options;
  const stripAccents = options.stripAccents ?? lowercase;
  return (text) => {
    if (PRINTABLE_ASCII.test(text)) return lowercase ? text.toLowerCase() : text;
    if (cleanText) text = clean(text);
    if (handleChineseChars) text = spaceChinese(text);
    if (stripAccents) text = withoutAccents(text);
    return lowercase ? lowerEach(text) : text;
  };
}

/** Splits at whitespace (dropped) and around each punctuation character (kept). */
export function bertWords(text: string): string[] {
  const words: string[] = [];
  const ranges = bertWordRanges(text);
  for (let i = 0; i < ranges.length; i += 2) words.push(text.slice(ranges[i]!, ranges[i + 1]!));
  return words;
}

/** Where the words of `bertWords` start and end, in turn, in UTF-16 units. */
export function bertWordRanges(text: string): number[] {
  const classes = charClasses();
  const ranges: number[] = [];
  let start = 0;
  for (let i = 0; i < text.length; ) {
    const code = text.codePointAt(i)!;
    const width = code > 0xffff ? 2 : 1;
    const kind = classes[code]!;
    if (kind & (CharClass.whitespace | CharClass.punctuation)) {
      if (i > start) ranges.push(start, i);
      if (kind & CharClass.punctuation) ranges.push(i, i + width);
      start = i + width;
    }
    i += width;
  }
  if (start < text.length) ranges.push(start, text.length);
  return ranges;
}

/** A text whose every UTF-16 unit knows which part of the source it came from. */
export interface TrackedText {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** As `bertNormalizer`, with the place in the source of everything that is left. */
export function trackedBertNormalizer(options: BertTextOptions): (text: string) => TrackedText {
  const whole = bertNormalizer(options);
  return (text) => {
    const starts: number[] = [];
    const ends: number[] = [];
    let out = "";
    let i = 0;
    for (const char of text) {
      const left = whole(char);
      out += left;
      for (let unit = 0; unit < left.length; unit++) {
        starts.push(i);
        ends.push(i + char.length);
      }
      i += char.length;
    }
    // a whole text may order its accents otherwise; that moves none of the characters between them
    const normalized = whole(text);
    return { text: normalized.length === out.length ? normalized : out, starts, ends };
  };
}

function clean(text: string): string {
  const classes = charClasses();
  let out = "";
  for (const char of text) {
    const kind = classes[char.codePointAt(0)!]!;
    if (kind & CharClass.removed) continue;
    out += kind & CharClass.whitespace ? " " : char;
  }
  return out;
}

function spaceChinese(text: string): string {
  const classes = charClasses();
  let out = "";
  for (const char of text) out += classes[char.codePointAt(0)!]! & CharClass.chinese ? ` ${char} ` : char;
  return out;
}

/** NFD, then nonspacing marks removed; characters newer than the Rust tables stay as they are and end a run. */
function withoutAccents(text: string): string {
  const classes = charClasses();
  let out = "";
  let run = "";
  const flush = () => {
    for (const char of run.normalize("NFD")) if (!(classes[char.codePointAt(0)!]! & CharClass.mark)) out += char;
    run = "";
  };
  for (const char of text) {
    const kind = classes[char.codePointAt(0)!]!;
    if (kind & CharClass.unknownToNfd) {
      flush();
      if (!(kind & CharClass.mark)) out += char;
    } else run += char;
  }
  flush();
  return out;
}

/** Each character by itself: Rust knows no final sigma. */
function lowerEach(text: string): string {
  let out = "";
  for (const char of text) out += char.toLowerCase();
  return out;
}
