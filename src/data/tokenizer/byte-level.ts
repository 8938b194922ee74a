// GPT-2's word splitting and byte alphabet, exactly as in Hugging Face's Rust tokenizers.
// Source: tokenizers/src/pre_tokenizers/byte_level.rs: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
import { prepended, rewrite, sliceOf, type TrackedText, trackedText } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";

/** Stands for a space in the byte alphabet. */
export const SPACE_CHAR = "\u0120";

const CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
const BYTE_CHARS = byteAlphabet();
const encoder = new TextEncoder();

export interface ByteLevelOptions {
  readonly addPrefixSpace: boolean;
  /** Whether GPT-2's expression splits the text; else it is one word. */
  readonly splits: boolean;
}

/** A text as words, each spelled in the byte alphabet. */
export function* byteLevelParts(
  source: TrackedText,
  { addPrefixSpace, splits }: ByteLevelOptions,
): Generator<TrackedText> {
  const spaced = addPrefixSpace && !source.text.startsWith(" ") ? prepended(source, " ") : source;
  const { text } = spaced;
  if (!splits) {
    if (text !== "") yield spelled(spaced);
    return;
  }
  for (let at = 0; at < text.length; ) {
    const end = wordEnd(text, at);
    yield spelled(sliceOf(spaced, at, end));
    at = end;
  }
}

/** Text → words, each spelled in the byte alphabet. */
export function byteLevelWords(addPrefixSpace: boolean): (text: string) => string[] {
  return (text) =>
    Array.from(byteLevelParts(trackedText(text, false), { addPrefixSpace, splits: true }), (word) => word.text);
}

/** A text in the byte alphabet: one character for each byte of its UTF-8. */
export function spelled(source: TrackedText): TrackedText {
  const { text } = source;
  if (/^[!-~]*$/.test(text)) return source;
  // every character of ASCII is one byte
  if (/^[\0-\x7f]*$/.test(text)) return { ...source, text: spell(text) };
  return rewrite(source, (out) => {
    for (const char of text) out.replace(char.length, spell(char));
  });
}

/** End of the word that starts at `at`. */
function wordEnd(text: string, at: number): number {
  if (text.charCodeAt(at) === 0x27) {
    const found = CONTRACTIONS.find((c) => text.startsWith(c, at));
    if (found !== undefined) return at + found.length;
  }
  const start = text.charCodeAt(at) === 0x20 ? at + 1 : at;
  if (start < text.length && kindAt(text, start) !== CharClass.whitespace) return runEnd(text, start);
  const end = runEnd(text, at);
  // a run of spaces leaves its last one to the word that follows; every whitespace character is one unit wide
  return end === text.length || end === at + 1 ? end : end - 1;
}

function runEnd(text: string, at: number): number {
  const kind = kindAt(text, at);
  while (at < text.length && kindAt(text, at) === kind) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

function kindAt(text: string, at: number): number {
  return charClasses()[text.codePointAt(at)!]! & (CharClass.whitespace | CharClass.letter | CharClass.number);
}

function spell(word: string): string {
  let out = "";
  for (const byte of encoder.encode(word)) out += BYTE_CHARS[byte];
  return out;
}

/** Printable Latin-1 bytes stand for themselves, the others are shifted to U+0100 and up. */
function byteAlphabet(): string[] {
  let shifted = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : shifted++);
  });
}

/** The byte behind each character of the alphabet. */
export function byteOf(char: string): number | undefined {
  return (bytes ??= new Map(BYTE_CHARS.map((c, byte) => [c, byte]))).get(char);
}

let bytes: Map<string, number> | undefined;
