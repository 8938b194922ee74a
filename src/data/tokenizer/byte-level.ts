// GPT-2's word splitting and byte alphabet, exactly as in Hugging Face's Rust tokenizers.
// Source: tokenizers/src/pre_tokenizers/byte_level.rs: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
import { CharClass, charClasses } from "./unicode.ts";

/** Stands for a space in the byte alphabet. */
export const SPACE_CHAR = "\u0120";

const CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
const BYTE_CHARS = byteAlphabet();
const encoder = new TextEncoder();

/** Text → words, each spelled in the byte alphabet. */
export function byteLevelWords(addPrefixSpace: boolean): (text: string) => string[] {
  return (text) => {
    if (addPrefixSpace && !text.startsWith(" ")) text = ` ${text}`;
    const words: string[] = [];
    for (let at = 0; at < text.length; ) {
      const end = wordEnd(text, at);
      words.push(spell(text.slice(at, end)));
      at = end;
    }
    return words;
  };
}

/** End of the word that starts at `at`. */
export function wordEnd(text: string, at: number): number {
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

/** A text in the byte alphabet: one character for each byte of its UTF-8. */
export function spell(word: string): string {
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
