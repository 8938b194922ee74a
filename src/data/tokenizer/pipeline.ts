// From a text to token ids with their source: added tokens, normalisation, words, tokens of words.
import { AddedVocabulary, sectionizer } from "./added-tokens.ts";
import { SPACE_CHAR } from "./byte-level.ts";
import type { StageJson, TokenizerJson } from "./json.ts";
import { normalizerOf } from "./normalizers.ts";
import { needsPlaces, preTokenizerOf } from "./pre-tokenizers.ts";
import { sourceOf, type TrackedText, trackedText } from "./tracked-text.ts";
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
  ids(text: string): number[];
  /** Token ids with the characters of the text behind each, in UTF-16 units. Errors as `ids`. */
  spans(text: string): TokenSpans;
  readonly added: AddedVocabulary;
  /** The model's own tokens. */
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknown: string | null;
}

/**
 * The steps of tokenizer.json up to the token ids.
 *
 * @param splitsSpecial - Whether special tokens in a text are split as other text (`split_special_tokens`).
 * @throws {UnsupportedError} naming the step that is not built.
 */
export function pipelineOf(json: TokenizerJson, splitsSpecial = false): Pipeline {
  const model = wordModelOf(json.model);
  const normalize = normalizerOf(json.normalizer);
  const preTokenize = preTokenizerOf(json.pre_tokenizer);
  const added = new AddedVocabulary(model.vocabulary);
  added.add(json.added_tokens);
  const sections = sectionizer(added.sought(), normalize, splitsSpecial);
  const tracksIds = needsPlaces(json.pre_tokenizer);
  const trim = spaceTrimmer(json.post_processor);
  const read = (
    text: string,
    isTracked: boolean,
    take: (word: TrackedText, id: number, from: number, to: number) => void,
  ) => {
    for (const { source, id } of sections(trackedText(wellFormed(text), isTracked))) {
      if (id !== null) {
        take(source, id, 0, source.text.length);
        continue;
      }
      for (const word of preTokenize(source)) {
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
      read(text, tracksIds, (_, id) => ids.push(id));
      return ids;
    },
    spans(text) {
      const spans = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
      read(text, true, (word, id, from, to) => {
        const [start, end] = trim(word.text.slice(from, to), sourceOf(word, from, to), spans.ids.length === 0);
        spans.ids.push(id);
        spans.starts.push(start);
        spans.ends.push(end);
      });
      return spans;
    },
  };
}

type Trim = (token: string, place: readonly [number, number], isFirst: boolean) => readonly [number, number];

/** Takes the spaces at a token's ends out of its place, where the post-processor says so. @see tokenizers `process_offsets` */
function spaceTrimmer(processor: unknown): Trim {
  const json = processor as (StageJson & { readonly processors?: readonly StageJson[] }) | null;
  const stages = json?.type === "Sequence" ? (json.processors ?? []) : json === null ? [] : [json];
  const trims = stages.filter(
    ({ type, trim_offsets }) => (type === "RobertaProcessing" || type === "ByteLevel") && trim_offsets !== false,
  );
  return (token, place, isFirst) =>
    trims.reduce((at, { add_prefix_space }) => trimmed(token, at, isFirst, add_prefix_space !== false), place);
}

function trimmed(
  token: string,
  [start, end]: readonly [number, number],
  isFirst: boolean,
  addPrefixSpace: boolean,
): readonly [number, number] {
  const chars = Array.from(token);
  let leading = chars.findIndex((char) => !isSpace(char));
  if (leading < 0) leading = chars.length;
  const trailing =
    leading === chars.length ? leading : chars.length - 1 - chars.findLastIndex((char) => !isSpace(char));
  let from = start;
  if (leading > 0) {
    // the one space that was put before the text has no place of its own
    const isOwn = (isFirst || start === 0) && addPrefixSpace && leading === 1;
    from = Math.min(start + (isOwn ? 0 : leading), end);
  }
  return [from, trailing > 0 && end >= trailing ? Math.max(end - trailing, from) : end];
}

function isSpace(char: string): boolean {
  return char === SPACE_CHAR || (charClasses()[char.codePointAt(0)!]! & CharClass.whitespace) !== 0;
}
