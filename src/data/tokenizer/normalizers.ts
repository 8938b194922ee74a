// The normalisers of tokenizer.json: what becomes of a text before it is split.

import { UnsupportedError } from "../../errors.ts";
import { entryOf } from "../../tensor/index.ts";
import { bertText, lowercased, without } from "./bert-text.ts";
import { spelled } from "./byte-level.ts";
import { charsmapNormalizer } from "./charsmap.ts";
import { flagOf, type StageJson, stagesOf, textOf, unsupportedStage } from "./json.ts";
import { findPattern, type Pattern, stringPattern } from "./patterns.ts";
import { regexFind } from "./regex.ts";
import { prepended, rewrite, type TrackedText, widthAt } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";
import { normalForm } from "./unicode-forms.ts";

export type Normalizer = (source: TrackedText) => TrackedText;

const TYPES: Readonly<Record<string, (json: StageJson) => Normalizer>> = {
  BertNormalizer: (json) =>
    bertText({
      cleanText: flagOf(json, "clean_text", true),
      handleChineseChars: flagOf(json, "handle_chinese_chars", true),
      stripAccents: typeof json.strip_accents === "boolean" ? json.strip_accents : null,
      lowercase: flagOf(json, "lowercase", true),
    }),
  NFC: () => (source) => normalForm(source, "NFC"),
  NFD: () => (source) => normalForm(source, "NFD"),
  NFKC: () => (source) => normalForm(source, "NFKC"),
  NFKD: () => (source) => normalForm(source, "NFKD"),
  Lowercase: () => lowercased,
  StripAccents: () => (source) => without(source, CharClass.combining),
  Strip: (json) => stripped(flagOf(json, "strip_left", true), flagOf(json, "strip_right", true)),
  Replace: (json) => replaced(patternOf(json), textOf(json, "content")),
  Prepend: (json) => (source) => prepended(source, textOf(json, "prepend")),
  Precompiled: (json) =>
    json.precompiled_charsmap === null ? (source) => source : charsmapNormalizer(textOf(json, "precompiled_charsmap")),
  Nmt: () => nmt,
  ByteLevel: () => spelled,
  Sequence: (json) => {
    const stages = stagesOf(json, "normalizers").map(normalizerOf);
    return (source) => stages.reduce((text, stage) => stage(text), source);
  },
};

/** The normaliser of tokenizer.json; null changes nothing. @throws {UnsupportedError} when its type is not built. */
export function normalizerOf(json: StageJson | null): Normalizer {
  if (json === null) return (source) => source;
  const make = entryOf(TYPES, json.type);
  if (make === undefined) throw unsupportedStage("normalizer", json.type, Object.keys(TYPES));
  return make(json);
}

/** The `pattern` of a stage: a text, or a regular expression. @throws {UnsupportedError} when it is neither, or not built. */
export function patternOf(json: StageJson): Pattern {
  const pattern = json.pattern as { readonly String?: unknown; readonly Regex?: unknown } | undefined;
  if (typeof pattern?.String === "string") return stringPattern(pattern.String);
  if (typeof pattern?.Regex === "string") return findPattern(regexFind(pattern.Regex));
  throw new UnsupportedError(`the ${json.type} of tokenizer.json without a pattern`, [
    '{"String": "…"}',
    '{"Regex": "…"}',
  ]);
}

function replaced(pattern: Pattern, content: string): Normalizer {
  return (source) => {
    const parts = pattern(source.text, source.budget);
    if (!parts.some(({ isMatch }) => isMatch)) return source;
    return rewrite(source, (out) => {
      for (const { from, to, isMatch } of parts) {
        if (!isMatch) out.keep(to - from);
        else {
          out.remove(to - from);
          out.insert(content);
        }
      }
    });
  };
}

function stripped(left: boolean, right: boolean): Normalizer {
  return (source) => {
    const classes = charClasses();
    const { text } = source;
    // every character of white space is one unit wide
    const isSpace = (at: number) => (classes[text.charCodeAt(at)]! & CharClass.whitespace) !== 0;
    let [from, to] = [0, text.length];
    if (left) while (from < to && isSpace(from)) from++;
    if (right) while (to > from && isSpace(to - 1)) to--;
    if (to - from === text.length) return source;
    return rewrite(source, (out) => {
      out.remove(from);
      out.keep(to - from);
      out.remove(text.length - to);
    });
  };
}

/** What SentencePiece's `nmt` rules make of a character: nothing, a space, or itself. */
function nmtOf(code: number): string | null {
  const isRemoved =
    (code >= 0x1 && code <= 0x8) || (code >= 0xe && code <= 0x1f) || [0xb, 0x7f, 0x8f, 0x9f].includes(code);
  if (isRemoved) return "";
  const isSpace =
    (code >= 0x200b && code <= 0x200f) ||
    [0x9, 0xa, 0xc, 0xd, 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd].includes(code);
  return isSpace ? " " : null;
}

const nmt: Normalizer = (source) => {
  const { text } = source;
  return rewrite(source, (out) => {
    for (let at = 0; at < text.length; ) {
      const width = widthAt(text, at);
      const made = nmtOf(text.codePointAt(at)!);
      if (made === null) out.keep(width);
      else if (made === "") out.remove(width);
      else out.replace(width, made);
      at += width;
    }
  });
};
