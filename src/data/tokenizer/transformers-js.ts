// A tokenizer.json in the words that Transformers.js reads as the Rust library does, and what it reads otherwise all the same.
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { type StageJson, stagesOf, type TokenizerJson } from "./json.ts";
import { metaspaceOptions } from "./pre-tokenizers.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A run of what stands before a match, one character after the other. */
const before = (pattern: string) => `(?:(?!${pattern})[\\s\\S])`;

/** What Rust calls punctuation: that of Unicode, and every sign of ASCII. */
const PUNCTUATION = "[\\p{P}$+<=>^`|~]";

/** Only matches stay. */
const matches = (Regex: string): StageJson => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Removed",
  invert: true,
});
const isolated = (Regex: string): StageJson => ({
  type: "Split",
  pattern: { Regex },
  behavior: "Isolated",
  invert: false,
});

/**
 * The same tokenizer in steps that \@huggingface/tokenizers, below Transformers.js, takes as the Rust library does.
 *
 * It knows no behaviours of `Split` and `Punctuation`, ASCII alone in `Whitespace` and `Digits`, and does not split a `Metaspace`.
 */
export function forTransformersJs(json: TokenizerJson): TokenizerJson {
  const { normalizer, pre_tokenizer } = json;
  return {
    ...json,
    normalizer: normalizer === null ? null : inSteps(normalizer, "normalizers", saidNormalizer),
    pre_tokenizer: pre_tokenizer === null ? null : inSteps(pre_tokenizer, "pretokenizers", saidPreTokenizer),
  };
}

function inSteps(json: StageJson, key: string, said: (stage: StageJson) => readonly StageJson[]): StageJson {
  const stages = flat(json, key);
  const steps = stages.flatMap(said);
  if (steps.length === stages.length && steps.every((step, i) => step === stages[i])) return json;
  return steps.length === 1 ? steps[0]! : { type: "Sequence", [key]: steps };
}

function flat(json: StageJson, key: string): readonly StageJson[] {
  return json.type === "Sequence" ? stagesOf(json, key).flatMap((stage) => flat(stage, key)) : [json];
}

function saidNormalizer(stage: StageJson): readonly StageJson[] {
  if (stage.type !== "Nmt") return [stage];
  const replace = (Regex: string, content: string): StageJson => ({ type: "Replace", pattern: { Regex }, content });
  return [
    replace("[\\x{1}-\\x{8}\\x{b}\\x{e}-\\x{1f}\\x{7f}\\x{8f}\\x{9f}]", ""),
    replace("[\\t\\n\\f\\r\\x{1680}\\x{200b}-\\x{200f}\\x{2028}\\x{2029}\\x{2581}\\x{feff}\\x{fffd}]", " "),
  ];
}

function saidPreTokenizer(stage: StageJson): readonly StageJson[] {
  switch (stage.type) {
    case "Whitespace":
      return [matches("\\w+|[^\\w\\s]+")];
    case "Punctuation":
      return [split(PUNCTUATION, stage.behavior ?? "Isolated", false)];
    case "Digits":
      return [isolated(stage.individual_digits === true ? "\\p{N}" : "\\p{N}+")];
    case "CharDelimiterSplit":
      return [split(escaped(String(stage.delimiter)), "Removed", false)];
    case "Metaspace":
      return stage.split === false
        ? [stage]
        : [stage, matches(merged(escaped(metaspaceOptions(stage).replacement), "MergedWithNext"))];
    case "Split":
      return [saidSplit(stage)];
    default:
      return [stage];
  }
}

function saidSplit(stage: StageJson): StageJson {
  const isInverted = stage.invert === true;
  const pattern = stage.pattern as { readonly String?: string; readonly Regex?: string };
  const isKnown = stage.behavior === "Removed" || (stage.behavior === "Isolated" && !isInverted);
  // a plain text it keeps where it should remove it
  if (isKnown && pattern.Regex !== undefined) return stage;
  return split(pattern.Regex ?? escaped(pattern.String!), stage.behavior, isInverted);
}

function split(pattern: string, behavior: unknown, isInverted: boolean): StageJson {
  switch (behavior) {
    case "Removed":
      return isInverted
        ? matches(pattern)
        : { type: "Split", pattern: { Regex: pattern }, behavior: "Removed", invert: false };
    case "MergedWithPrevious":
      return matches(merged(pattern, isInverted ? "MergedWithNext" : behavior));
    case "MergedWithNext":
      return matches(merged(pattern, isInverted ? "MergedWithPrevious" : behavior));
    case "Contiguous":
      return matches(`(?:${pattern})+|${before(pattern)}+`);
    default:
      return isolated(pattern);
  }
}

function merged(pattern: string, behavior: "MergedWithPrevious" | "MergedWithNext"): string {
  const whole = `(?:${pattern})`;
  const part = behavior === "MergedWithNext" ? `${whole}${before(pattern)}*` : `${before(pattern)}*${whole}`;
  return `${part}|${before(pattern)}+`;
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Texts of every day in several scripts, with digits, punctuation and spaces of some kinds. */
const PROBES = [
  "The quick brown fox, it's $5.20 (or 3,000)!",
  "Café à la crème, naïve façade; Straße, Łódź žluťoučký kůň",
  "  two  spaces,\ttab\nline ",
  "state-of-the-art x_1 #tag @user a...b ¿qué? «sí» – “no”",
  "Привет, мир 2024. Ελληνικά 中文 日本語テキスト 한국어",
  "IT WAS 2nd: 10km/h & 50% 👍",
];

/** Added tokens that are tried, beside the special ones that stand around a text. */
const MOST_TOKENS = 20;

/**
 * Texts of which Transformers.js makes other token ids than the tokenizer itself, from the files that are written for it;
 * null in place of the texts when it cannot open them.
 */
export function readOtherwise(tokenizer: Tokenizer): { readonly texts: readonly string[] | null } {
  const { json, config } = tokenizer.files;
  let engine: Engine;
  try {
    engine = new Engine({ ...forTransformersJs(json), post_processor: null }, config);
  } catch {
    return { texts: null };
  }
  const around = new Set(Object.values(tokenizer.special));
  const added = json.added_tokens.filter(({ id }) => !around.has(id)).slice(0, MOST_TOKENS);
  const probes = [...PROBES, ...added.flatMap(({ content }) => probesOf(content))];
  const ids = (text: string) => tokenizer.encode(text, null, { maxLength: null, addSpecialTokens: false }).ids;
  const theirs = (text: string) => engine.encode(text, { add_special_tokens: false }).ids;
  return { texts: probes.filter((text) => ids(text).join() !== theirs(text).join()) };
}

const probesOf = (token: string): string[] => [
  `a ${token} b`,
  `a  ${token}  b`,
  `a${token}b`,
  `${token}, ${token.toUpperCase()} ${token.toLowerCase()}`,
];
