// The pre-tokenisers of tokenizer.json: how a text is split into words.

import { shownValue, UnsupportedError } from "../../errors.ts";
import { entryOf } from "../../tensor/index.ts";
import { bertWordRanges } from "./bert-text.ts";
import { byteLevelParts } from "./byte-level.ts";
import { isOneCharacter } from "./char-set.ts";
import { flagOf, type StageJson, stagesOf, textOf, unsupportedStage } from "./json.ts";
import { patternOf } from "./normalizers.ts";
import {
  BEHAVIORS,
  type Behavior,
  characterPattern,
  inverted,
  runPattern,
  splitBy,
  stringPattern,
} from "./patterns.ts";
import { prepended, rewrite, sliceOf, type TrackedText, widthAt } from "./tracked-text.ts";
import { CharClass, charClasses } from "./unicode.ts";

/** A text as its words, in order; none is empty. They are made as they are asked for: a long text has many. */
export type PreTokenizer = (source: TrackedText) => Iterable<TrackedText>;

const is = (kind: number) => (code: number) => (charClasses()[code]! & kind) !== 0;

const TYPES: Readonly<Record<string, (json: StageJson) => PreTokenizer>> = {
  BertPreTokenizer: () => bertParts,
  ByteLevel: (json) => {
    const options = { addPrefixSpace: flagOf(json, "add_prefix_space", true), splits: flagOf(json, "use_regex", true) };
    return (source) => byteLevelParts(source, options);
  },
  // runs of \w, and runs of what is neither \w nor white space
  Whitespace: () => (source) => splitBy(source, wordPattern, "Removed"),
  WhitespaceSplit: () => (source) => splitBy(source, characterPattern(is(CharClass.whitespace)), "Removed"),
  Punctuation: (json) => {
    const behavior = behaviorOf(json);
    return (source) => splitBy(source, characterPattern(is(CharClass.punctuation)), behavior);
  },
  Digits: (json) => {
    const behavior = flagOf(json, "individual_digits", false) ? "Isolated" : "Contiguous";
    return (source) => splitBy(source, characterPattern(is(CharClass.numeric)), behavior);
  },
  Split: (json) => {
    const pattern = flagOf(json, "invert", false) ? inverted(patternOf(json)) : patternOf(json);
    const behavior = behaviorOf(json);
    return (source) => splitBy(source, pattern, behavior);
  },
  CharDelimiterSplit: (json) => {
    const pattern = stringPattern(textOf(json, "delimiter"));
    return (source) => splitBy(source, pattern, "Removed");
  },
  FixedLength: (json) => {
    const length = typeof json.length === "number" && json.length > 0 ? json.length : 5;
    return (source) => fixedParts(source, length);
  },
  Metaspace: (json) => metaspace(metaspaceOptions(json)),
  Sequence: (json) => {
    const stages = stagesOf(json, "pretokenizers").map(preTokenizerOf);
    return (source) => stages.reduce<Iterable<TrackedText>>(everyPart, [source]);
  },
};

/** The pre-tokeniser of tokenizer.json; null leaves a text whole. @throws {UnsupportedError} when its type is not built. */
export function preTokenizerOf(json: StageJson | null): PreTokenizer {
  if (json === null) return (source) => (source.text === "" ? [] : [source]);
  const make = entryOf(TYPES, json.type);
  if (make === undefined) throw unsupportedStage("pre-tokenizer", json.type, Object.keys(TYPES));
  return make(json);
}

/** Whether words depend on where they stand in the source. */
export function needsPlaces(json: StageJson | null): boolean {
  if (json?.type === "Sequence") return stagesOf(json, "pretokenizers").some(needsPlaces);
  return json?.type === "Metaspace" && json.prepend_scheme === "first";
}

function behaviorOf(json: StageJson): Behavior {
  const given = json.behavior ?? "Isolated";
  const known = BEHAVIORS.find((behavior) => behavior === given);
  if (known === undefined) throw unsupportedStage(`${json.type} behavior`, given, BEHAVIORS);
  return known;
}

const WORD = 1;
const OTHER = 2;
const wordPattern = inverted(
  runPattern((code) => {
    const kind = charClasses()[code]!;
    return kind & CharClass.word ? WORD : kind & CharClass.whitespace ? 0 : OTHER;
  }),
);

function* everyPart(parts: Iterable<TrackedText>, stage: PreTokenizer): Generator<TrackedText> {
  for (const part of parts) yield* stage(part);
}

function* bertParts(source: TrackedText): Generator<TrackedText> {
  const ranges = bertWordRanges(source.text);
  for (let i = 0; i < ranges.length; i += 2) yield sliceOf(source, ranges[i]!, ranges[i + 1]!);
}

function fixedParts(source: TrackedText, length: number): TrackedText[] {
  const parts: TrackedText[] = [];
  let from = 0;
  let count = 0;
  for (let at = 0; at < source.text.length; ) {
    at += widthAt(source.text, at);
    if (++count < length && at < source.text.length) continue;
    parts.push(sliceOf(source, from, at));
    [from, count] = [at, 0];
  }
  return parts;
}

interface MetaspaceOptions {
  readonly replacement: string;
  readonly scheme: "always" | "first" | "never";
  readonly splits: boolean;
}

const SCHEMES = ["always", "first", "never"] as const;

/** The options of a `Metaspace`; older files say `add_prefix_space` for the scheme. */
export function metaspaceOptions(json: StageJson): MetaspaceOptions {
  const { replacement = "▁" } = json;
  if (typeof replacement !== "string" || !isOneCharacter(replacement))
    throw new UnsupportedError(`the Metaspace of tokenizer.json with the replacement ${shownValue(replacement)}`, [
      "one character",
    ]);
  const given = json.prepend_scheme ?? (json.add_prefix_space === false ? "never" : "always");
  const scheme = SCHEMES.find((known) => known === given);
  if (scheme === undefined) throw unsupportedStage("Metaspace prepend_scheme", given, SCHEMES);
  return { replacement, scheme, splits: flagOf(json, "split", true) };
}

/** Spaces become the replacement, one is put before where the scheme says so, and a word begins at each. */
function metaspace({ replacement, scheme, splits }: MetaspaceOptions): PreTokenizer {
  const pattern = stringPattern(replacement);
  return (source) => {
    let text = spacesReplaced(source, replacement);
    const isPrepended = scheme === "always" || (scheme === "first" && text.origin === 0);
    if (isPrepended && !text.text.startsWith(replacement)) text = prepended(text, replacement);
    if (splits) return splitBy(text, pattern, "MergedWithNext");
    return text.text === "" ? [] : [text];
  };
}

function spacesReplaced(source: TrackedText, replacement: string): TrackedText {
  const { text } = source;
  if (!text.includes(" ")) return source;
  if (replacement.length === 1) return { ...source, text: text.replaceAll(" ", replacement) };
  return rewrite(source, (out) => {
    for (const char of text) {
      if (char === " ") out.replace(1, replacement);
      else out.keep(char.length);
    }
  });
}
