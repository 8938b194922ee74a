// BERT's normalisation and word splitting, exactly as in Hugging Face's Rust tokenizers.
// Source: tokenizers/src/normalizers/bert.rs and pre_tokenizers/bert.rs; @huggingface/tokenizers deviates on odd Unicode.
import { type Rewriter, rewrite, type TrackedText, trackedText, widthAt } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";
import { normalForm } from "./unicode-forms.ts";

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
  const normalize = bertText(options);
  return (text) => normalize(trackedText(text, false)).text;
}

/** As `bertNormalizer`, with the source of everything that is left. */
export function bertText(options: BertTextOptions): (source: TrackedText) => TrackedText {
  const { cleanText, handleChineseChars, lowercase } = options;
  const stripAccents = options.stripAccents ?? lowercase;
  return (source) => {
    if (PRINTABLE_ASCII.test(source.text)) return lowercase ? lowercased(source) : source;
    let text = source;
    if (cleanText) text = rewrite(text, (out) => clean(text.text, out));
    if (handleChineseChars) text = rewrite(text, (out) => spaceChinese(text.text, out));
    if (stripAccents) text = without(normalForm(text, "NFD"), CharClass.mark);
    return lowercase ? lowercased(text) : text;
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

/** Each character in lower case by itself: Rust knows no final sigma. */
export function lowercased(source: TrackedText): TrackedText {
  const { text } = source;
  if (/^[\0-\x7f]*$/.test(text)) return { ...source, text: text.toLowerCase() };
  return rewrite(source, (out) => {
    for (const char of text) {
      const lower = char.toLowerCase();
      if (lower === char) out.keep(char.length);
      else out.replace(char.length, lower);
    }
  });
}

/** The text without the characters of a class. */
export function without(source: TrackedText, kind: number): TrackedText {
  const classes = charClasses();
  const { text } = source;
  return rewrite(source, (out) => {
    for (let at = 0; at < text.length; ) {
      const width = widthAt(text, at);
      if (classes[text.codePointAt(at)!]! & kind) out.remove(width);
      else out.keep(width);
      at += width;
    }
  });
}

function clean(text: string, out: Rewriter): void {
  const classes = charClasses();
  for (let at = 0; at < text.length; ) {
    const width = widthAt(text, at);
    const kind = classes[text.codePointAt(at)!]!;
    if (kind & CharClass.removed) out.remove(width);
    else if (kind & CharClass.whitespace) out.replace(width, " ");
    else out.keep(width);
    at += width;
  }
}

function spaceChinese(text: string, out: Rewriter): void {
  const classes = charClasses();
  for (const char of text) {
    if (classes[char.codePointAt(0)!]! & CharClass.chinese) out.replace(char.length, ` ${char} `);
    else out.keep(char.length);
  }
}
