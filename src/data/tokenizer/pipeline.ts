// From a text to token ids with their source: added tokens, normalisation, words, tokens of words.
import { AddedVocabulary, sectionizer } from "./added-tokens.ts";
import { SPACE_CHAR } from "./byte-level.ts";
import type { StageJson, TokenizerJson } from "./json.ts";
import { normalizerOf } from "./normalizers.ts";
import { needsPlaces, preTokenizerOf } from "./pre-tokenizers.ts";
import { checkStageCount } from "./step-budget.ts";
import { sourceOf, type TrackedText, trackedText, widthAt } from "./tracked-text.ts";
import { CharClass, charClasses, wellFormed } from "./unicode.ts";
import { wordModelOf } from "./word-model.ts";

/** Tokens of one text, no special ones added; token i stands for the characters from `starts[i]` to `ends[i]`. */
export interface TokenSpans {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

export interface Pipeline {
  /** Token ids of a text. @throws {UnsupportedError} when a word is unknown and there is no token for that. */
  readonly ids: (text: string) => number[];
  /** Token ids with the characters of the text behind each, in UTF-16 units. Errors as `ids`. */
  readonly spans: (text: string) => TokenSpans;
  readonly added: AddedVocabulary;
  /** The model's own tokens. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknown: string | null;
}

export interface PipelineOptions {
  /** Whether special tokens in a text are split as other text (`split_special_tokens`). */
  readonly splitsSpecial: boolean;
  /** The file that is named in errors. */
  readonly file: string;
}

/**
 * The steps of tokenizer.json up to the token ids.
 *
 * @throws {UnsupportedError} naming the step that is not built.
 * @throws {FileError} when the model is none.
 */
export function pipelineOf(json: TokenizerJson, { splitsSpecial, file }: PipelineOptions): Pipeline {
  checkStageCount("normalizer", json.normalizer);
  checkStageCount("pre_tokenizer", json.pre_tokenizer);
  checkStageCount("post_processor", json.post_processor);
  const model = wordModelOf(json.model, file);
  const normalize = normalizerOf(json.normalizer);
  const preTokenize = preTokenizerOf(json.pre_tokenizer);
  const added = new AddedVocabulary(model.vocabulary);
  added.add(json.added_tokens);
  const sections = sectionizer(added.sought(), normalize, splitsSpecial);
  const tracksIds = needsPlaces(json.pre_tokenizer);
  const trim = spaceTrimmer(json.post_processor);
  const read = (
    source: string,
    isTracked: boolean,
    take: (word: TrackedText, id: number, from: number, to: number) => void,
  ) => {
    for (const { source: section, id } of sections(trackedText(source, isTracked))) {
      if (id !== null) {
        take(section, id, 0, section.text.length);
        continue;
      }
      for (const word of preTokenize(section)) {
        const { ids, starts, ends } = model.encode(word.text);
        for (let i = 0; i < ids.length; i++) take(word, ids[i]!, starts[i]!, ends[i]!);
      }
    }
  };
  return {
    added,
    vocabulary: model.vocabulary,
    unknown: model.unknown,
    ids(text) {
      const ids: number[] = [];
      read(wellFormed(text), tracksIds, (_, id) => ids.push(id));
      return ids;
    },
    spans(text) {
      const spans = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
      const source = wellFormed(text);
      read(source, true, (word, id, from, to) => {
        const isFirst = spans.ids.length === 0;
        const [start, end] = trim(word.text.slice(from, to), sourceOf(word, from, to), { source, isFirst });
        spans.ids.push(id);
        spans.starts.push(start);
        spans.ends.push(end);
      });
      return spans;
    },
  };
}

type Place = readonly [start: number, end: number];
type Trim = (token: string, place: Place, at: TokenAt) => Place;

/** Where a token stands: in what text, and whether it is the first one. */
interface TokenAt {
  readonly source: string;
  readonly isFirst: boolean;
}

/** Takes the spaces at a token's ends out of its place, where the post-processor says so. @see tokenizers `process_offsets` */
function spaceTrimmer(processor: unknown): Trim {
  const json = processor as (StageJson & { readonly processors?: readonly StageJson[] }) | null;
  const stages = json?.type === "Sequence" ? (json.processors ?? []) : json === null ? [] : [json];
  const trims = stages.filter(
    ({ type, trim_offsets }) => (type === "RobertaProcessing" || type === "ByteLevel") && trim_offsets !== false,
  );
  return (token, place, at) =>
    trims.reduce((now, { add_prefix_space }) => trimmed(token, now, at, add_prefix_space !== false), place);
}

function trimmed(token: string, [start, end]: Place, { source, isFirst }: TokenAt, addPrefixSpace: boolean): Place {
  const chars = Array.from(token);
  let leading = 0;
  while (leading < chars.length && isSpace(chars[leading]!)) leading++;
  let trailing = 0;
  while (trailing < chars.length && isSpace(chars[chars.length - 1 - trailing]!)) trailing++;
  // the one space that was put before the text has no place of its own
  if ((isFirst || start === 0) && addPrefixSpace && leading === 1) leading = 0;
  const from = leading === 0 ? start : Math.min(moved(source, start, leading), end);
  return [from, trailing === 0 ? end : Math.max(moved(source, end, -trailing), from)];
}

/** The place some characters behind another, or before it; no further than the text's ends. */
function moved(source: string, from: number, count: number): number {
  let at = from;
  for (let i = 0; i < count && at < source.length; i++) at += widthAt(source, at);
  for (let i = 0; i > count && at > 0; i--) at -= at > 1 && widthAt(source, at - 2) === 2 ? 2 : 1;
  return at;
}

function isSpace(char: string): boolean {
  return char === SPACE_CHAR || (charClasses()[char.codePointAt(0)!]! & CharClass.whitespace) !== 0;
}
