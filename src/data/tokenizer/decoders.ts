// The decoders of tokenizer.json: tokens put together to a text again.
import { entryOf } from "../../tensor/index.ts";
import { byteOf } from "./byte-level.ts";
import { flagOf, type StageJson, stagesOf, unsupportedStage } from "./json.ts";
import { patternOf } from "./normalizers.ts";
import { metaspaceOptions } from "./pre-tokenizers.ts";
import { checkStageCount, StepBudget } from "./step-budget.ts";

/** Tokens → parts of a text. */
export type Decoder = (tokens: readonly string[]) => string[];

const TYPES: Readonly<Record<string, (json: StageJson) => Decoder>> = {
  ByteLevel: () => byteLevel,
  WordPiece: (json) => wordPiece(word(json, "prefix", "##"), flagOf(json, "cleanup", true)),
  Metaspace: (json) => {
    const { replacement, scheme } = metaspaceOptions(json);
    return (tokens) => tokens.map((token, i) => spaced(token, replacement, i === 0 && scheme !== "never"));
  },
  BPEDecoder: (json) => {
    const suffix = word(json, "suffix", "</w>");
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
  },
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join("")],
  Strip: (json) => {
    const [start, stop] = [json.start, json.stop].map((count) => (typeof count === "number" ? count : 0));
    return (tokens) => tokens.map((token) => stripped(token, word(json, "content", " "), start!, stop!));
  },
  Replace: (json) => {
    const [pattern, content] = [patternOf(json), word(json, "content", "")];
    const replaced = (token: string) => {
      const budget = new StepBudget(token.length);
      return pattern(token, budget)
        .map(({ from, to, isMatch }) => {
          if (isMatch) budget.grow(content.length - (to - from));
          return isMatch ? content : token.slice(from, to);
        })
        .join("");
    };
    return (tokens) => tokens.map(replaced);
  },
  ByteFallback: () => byteFallback,
  Sequence: (json) => {
    const stages = stagesOf(json, "decoders").map((stage) => partsOf(stage));
    return (tokens) => {
      const budget = new StepBudget(lengthOf(tokens));
      return stages.reduce<string[]>(
        (parts, stage) => {
          const made = stage(parts);
          budget.grow(lengthOf(made) - lengthOf(parts));
          return made;
        },
        [...tokens],
      );
    };
  },
};

/** The decoder of tokenizer.json; null puts spaces between tokens. @throws {UnsupportedError} when its type is not built. */
export function decoderOf(json: StageJson | null): (tokens: readonly string[]) => string {
  if (json === null) return (tokens) => tokens.join(" ");
  checkStageCount("decoder", json);
  const parts = partsOf(json);
  return (tokens) => parts(tokens).join("");
}

function partsOf(json: StageJson): Decoder {
  const make = entryOf(TYPES, json.type);
  if (make === undefined) throw unsupportedStage("decoder", json.type, Object.keys(TYPES));
  return make(json);
}

const lengthOf = (parts: readonly string[]): number => parts.reduce((sum, { length }) => sum + length, 0);

function word(json: StageJson, key: string, usual: string): string {
  return typeof json[key] === "string" ? json[key] : usual;
}

function byteLevel(tokens: readonly string[]): string[] {
  const encoder = new TextEncoder();
  const bytes = tokens.flatMap((token) => {
    const own = Array.from(token, byteOf);
    return own.every((byte) => byte !== undefined) ? own : [...encoder.encode(token)];
  });
  return [utf8(bytes, false)];
}

/** The text of bytes in UTF-8; what is not UTF-8 becomes U+FFFD, or is an error where asked. */
function utf8(bytes: readonly number[], fatal: boolean): string {
  return new TextDecoder("utf-8", { fatal, ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function wordPiece(prefix: string, cleansUp: boolean): Decoder {
  return (tokens) =>
    tokens.map((token, i) => {
      const text = i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
      return cleansUp ? withoutSpaces(text).replaceAll(" do not", " don't") : text;
    });
}

/** Spaces that tokens leave before punctuation and contractions; in the order of the Rust library. */
const SPACES = [" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"];

/** A text without the spaces before punctuation, as transformers' `clean_up_tokenization_spaces`. */
export function withoutSpaces(text: string): string {
  return SPACES.reduce((left, spacedOut) => left.replaceAll(spacedOut, spacedOut.trim()), text);
}

function spaced(token: string, replacement: string, isFirst: boolean): string {
  return token.replaceAll(replacement, isFirst ? "" : " ");
}

function ctc(json: StageJson): Decoder {
  const [pad, delimiter] = [word(json, "pad_token", "<pad>"), word(json, "word_delimiter_token", "|")];
  const cleansUp = flagOf(json, "cleanup", true);
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => token.replaceAll(pad, ""))
      .map((token) =>
        cleansUp ? withoutSpaces(token).replaceAll(" do not", " don't").replaceAll(delimiter, " ") : token,
      )
      .filter((token) => token !== "");
}

function stripped(token: string, content: string, start: number, stop: number): string {
  const chars = Array.from(token);
  let from = 0;
  while (from < Math.min(start, chars.length) && chars[from] === content) from++;
  let to = chars.length;
  while (chars.length - to < stop && to > 0 && chars[to - 1] === content) to--;
  return chars.slice(from, to).join("");
}

function byteFallback(tokens: readonly string[]): string[] {
  const parts: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      parts.push(utf8(bytes, true));
    } catch {
      // bytes that are no UTF-8 are one U+FFFD each
      parts.push(...bytes.map(() => "\ufffd"));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([\da-fA-F]{2})>$/.exec(token);
    if (byte !== null) bytes.push(Number.parseInt(byte[1]!, 16));
    else {
      flush();
      parts.push(token);
    }
  }
  flush();
  return parts;
}
