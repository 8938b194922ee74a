// Text to token ids and back, equal to Hugging Face's Rust tokenizers.
import { ConfigError, UnsupportedError } from "../../errors.ts";
import { decoderOf, withoutSpaces } from "./decoders.ts";
import { flagOf, type StageJson, type TokenizerConfigJson, type TokenizerJson, tokenContent } from "./json.ts";
import { type Pipeline, pipelineOf, type TokenSpans } from "./pipeline.ts";
import { addedTokens, keptLengths, type Piece, type Template, type Truncation, templateOf } from "./template.ts";

/** One encoded input; the four arrays run in parallel. */
export interface Encoding {
  readonly ids: readonly number[];
  /** The segment of each token: 0, or 1 for the second text of BERT. */
  readonly typeIds: readonly number[];
  /** 1 where the tokenizer added a special token. */
  readonly specialTokensMask: readonly number[];
  /** True when tokens were cut off. */
  readonly truncated: boolean;
  /** Tokens of the whole input, before anything was cut off. */
  readonly wholeLength: number;
}

export interface EncodeOptions {
  /** Largest number of tokens, special ones included; null for no limit. Default: the tokenizer's own. */
  readonly maxLength?: number | null;
  readonly truncation?: Truncation;
  readonly addSpecialTokens?: boolean;
}

/** Ids of the tokens with a role; a role the tokenizer lacks is absent. */
export type SpecialIds = Readonly<Partial<Record<"pad" | "unk" | "cls" | "sep" | "mask" | "bos" | "eos", number>>>;

export interface Tokenizer {
  readonly padId: number;
  readonly special: SpecialIds;
  /** One more than the largest id. */
  readonly vocabSize: number;
  /** Longest input the model was made for, in tokens; null when the folder does not say. */
  readonly maxLength: number | null;
  /** What it was made from: the content of a tokenizer.json and a tokenizer_config.json that give the same ids. */
  readonly files: { readonly json: TokenizerJson; readonly config: TokenizerConfigJson };
  /**
   * Ids of a text or a pair, special tokens added; lone surrogates count as U+FFFD.
   * @throws {ConfigError} when `maxLength` leaves no room for the special tokens.
   * @throws {UnsupportedError} when a word is unknown and the vocabulary has no token for that.
   */
  encode(text: string, pair?: string | null, options?: EncodeOptions): Encoding;
  /** Tokens of a text without special ones, each with the characters it stands for, in UTF-16 units. Errors as `encode`. */
  spans(text: string): TokenSpans;
  /** Tokens of a text that is given in words, each tokenized by itself, without special ones; `owners` says whose each is. */
  words(words: readonly string[]): { readonly ids: readonly number[]; readonly owners: readonly number[] };
  /** Puts the special tokens around token ids of a text or a pair; nothing is cut. */
  join(first: readonly number[], second?: readonly number[] | null): Omit<Encoding, "truncated" | "wholeLength">;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The id of a token as the vocabulary spells it. */
  tokenId(token: string): number | undefined;
  /** A token as the vocabulary spells it. */
  tokenOf(id: number): string;
  /** Tokens, as the vocabulary spells them, as a text; nothing is left out. @see transformers `convert_tokens_to_string`. */
  spelled(tokens: readonly string[]): string;
  /** The tokenizer that reads a text's first word as `words` reads every word: a byte-level one puts a space before it. */
  ofWords(): Tokenizer;
}

const ROLES = ["pad", "unk", "cls", "sep", "mask", "bos", "eos"] as const;

/**
 * A tokenizer from the content of its two files.
 * @param file - The file that is named in errors.
 * @throws {UnsupportedError} when a part of it has a type that is not built.
 * @throws {FileError} when its model is none.
 */
export function createTokenizer(
  json: TokenizerJson,
  config: TokenizerConfigJson = {},
  file = "tokenizer.json",
): Tokenizer {
  const pipeline = pipelineOf(json, { splitsSpecial: config.split_special_tokens === true, file });
  const template = templateOf(json.post_processor);
  const special = specialIds(pipeline, json, config);
  const padId = special.pad ?? json.padding?.pad_id;
  if (padId === undefined) throw new UnsupportedError("a tokenizer without a padding token", ["[PAD]", "<pad>"]);
  const maxLength = maxLengthOf(config);
  const cutting = { ownMaxLength: maxLength, cutsLeft: cutsLeft(json, config) };
  const vocabulary = tokensById(pipeline);
  const decoder = decoderOf(json.decoder as StageJson | null);
  // byte-level words begin with a space: without one they would be read as parts of the word before
  const isOfWords = withPrefixSpace(json) === json;
  let ofWords: Tokenizer | null = null;
  const tokenizer: Tokenizer = {
    padId,
    special,
    vocabSize: sizeOf(pipeline),
    maxLength,
    files: { json: { ...json, added_tokens: pipeline.added.effective() }, config },
    encode: (text, pair = null, options = {}) => encode(pipeline.ids, template, cutting, text, pair, options),
    spans: pipeline.spans,
    words: (words) => (isOfWords ? tokensOfWords(words, pipeline) : tokenizer.ofWords().words(words)),
    join: (first, second = null) => assemble(second === null ? template.single : template.pair, first, second ?? []),
    decode: decoding(vocabulary, decoder, json, config),
    tokenId: (token) => pipeline.added.idOf(token),
    tokenOf: (id) => vocabulary.contents.get(id) ?? "",
    spelled: decoder,
    ofWords() {
      ofWords ??= isOfWords
        ? tokenizer
        : createTokenizer(withPrefixSpace(json), { ...config, add_prefix_space: true }, file);
      return ofWords;
    },
  };
  return tokenizer;
}

/** tokenizer.json with a space put before a text, where the tokenizer is byte-level and puts none; else itself. */
function withPrefixSpace(json: TokenizerJson): TokenizerJson {
  const { pre_tokenizer: stage } = json;
  if (stage?.type !== "ByteLevel" || flagOf(stage, "add_prefix_space", true)) return json;
  // the step behind takes that space out of a token's place
  const post = json.post_processor as StageJson | null;
  const takesOut = post?.type === "RobertaProcessing" || post?.type === "ByteLevel";
  return {
    ...json,
    pre_tokenizer: { ...stage, add_prefix_space: true },
    post_processor: takesOut ? { ...post, add_prefix_space: true } : post,
  };
}

function tokensOfWords(words: readonly string[], pipeline: Pipeline) {
  const ids: number[] = [];
  const owners: number[] = [];
  for (const [index, word] of words.entries()) {
    for (const id of pipeline.ids(word)) {
      ids.push(id);
      owners.push(index);
    }
  }
  return { ids, owners };
}

interface Cutting {
  readonly ownMaxLength: number | null;
  /** Whether the beginning of a text gives way, not its end. */
  readonly cutsLeft: boolean;
}

function encode(
  tokens: (text: string) => number[],
  template: Template,
  { ownMaxLength, cutsLeft: isLeft }: Cutting,
  text: string,
  pair: string | null,
  { maxLength = ownMaxLength, truncation = "longest_first", addSpecialTokens = true }: EncodeOptions,
): Encoding {
  const first = tokens(text);
  const second = pair === null ? null : tokens(pair);
  const whole = pair === null ? template.single : template.pair;
  const parts = addSpecialTokens ? whole : whole.filter((piece) => piece.kind === "text");
  const room = (maxLength ?? Number.POSITIVE_INFINITY) - addedTokens(parts);
  if (room < 0) {
    const expected = `at least ${addedTokens(parts)}, the special tokens of one input`;
    throw new ConfigError([{ path: "maxLength", expected, got: String(maxLength) }]);
  }
  const [keptFirst, keptSecond] = keptLengths(first.length, second?.length ?? null, room, truncation);
  const truncated = keptFirst < first.length || keptSecond < (second?.length ?? 0);
  const cut = (ids: readonly number[], kept: number) =>
    kept === ids.length ? ids : isLeft ? ids.slice(ids.length - kept) : ids.slice(0, kept);
  const kept = assemble(parts, cut(first, keptFirst), second === null ? [] : cut(second, keptSecond));
  return { ...kept, truncated, wholeLength: addedTokens(parts) + first.length + (second?.length ?? 0) };
}

function assemble(parts: readonly Piece[], first: readonly number[], second: readonly number[]) {
  const lists = parts.map((piece) => (piece.kind === "special" ? piece.ids : piece.which === "A" ? first : second));
  // each array is made in one piece: one that grows is copied again and again, and a long one costs the system fresh pages each time
  const filled = (valueFor: (piece: Piece) => number) =>
    ([] as number[]).concat(...parts.map((piece, i) => lists[i]!.slice().fill(valueFor(piece))));
  return {
    ids: ([] as number[]).concat(...lists),
    typeIds: filled(({ typeId }) => typeId),
    specialTokensMask: filled(({ kind }) => (kind === "special" ? 1 : 0)),
  };
}

/** How tokens are spelled, and which of them are special. */
interface SpelledTokens {
  readonly contents: ReadonlyMap<number, string>;
  readonly special: ReadonlySet<string>;
}

function tokensById({ vocabulary, added }: Pipeline): SpelledTokens {
  const contents = new Map<number, string>();
  for (const [token, id] of vocabulary) contents.set(id, token);
  const special = new Set<string>();
  for (const { id, content, special: isSpecial } of added.byId()) {
    contents.set(id, content);
    if (isSpecial) special.add(content);
  }
  return { contents, special };
}

/** transformers' `decode`: ids that no token has are left out. */
function decoding(
  { contents, special }: SpelledTokens,
  decode: (tokens: readonly string[]) => string,
  json: TokenizerJson,
  config: TokenizerConfigJson,
): Tokenizer["decode"] {
  // the clean-up is made for WordPiece; transformers leaves BPE alone
  const cleansUp = config.clean_up_tokenization_spaces === true && json.model.type !== "BPE";
  return (ids, { skipSpecialTokens = true } = {}) => {
    const tokens = Array.from(ids, (id) => contents.get(id)).filter(
      (token) => token !== undefined && !(skipSpecialTokens && special.has(token)),
    );
    const text = decode(tokens as string[]);
    return cleansUp ? withoutSpaces(text) : text;
  };
}

function sizeOf({ vocabulary, added }: Pipeline): number {
  let largest = -1;
  for (const id of vocabulary.values()) if (id > largest) largest = id;
  for (const { id } of added.byId()) if (id > largest) largest = id;
  return largest + 1;
}

function specialIds({ added }: Pipeline, json: TokenizerJson, config: TokenizerConfigJson): SpecialIds {
  const out: Partial<Record<(typeof ROLES)[number], number>> = {};
  for (const role of ROLES) {
    const content = tokenContent(config[`${role}_token`]);
    const usual = [`[${role.toUpperCase()}]`, `<${role}>`];
    const known = content ?? json.added_tokens.find((token) => usual.includes(token.content))?.content;
    const id = known === undefined ? undefined : added.idOf(known);
    if (id !== undefined) out[role] = id;
  }
  return out;
}

function maxLengthOf(config: TokenizerConfigJson): number | null {
  const value = config.model_max_length ?? config.max_len;
  // transformers writes 1e30 for "not known"
  return typeof value === "number" && value > 0 && value < 1e9 ? value : null;
}

function cutsLeft({ truncation }: TokenizerJson, config: TokenizerConfigJson): boolean {
  return (config.truncation_side ?? truncation?.direction?.toLowerCase() ?? "right") === "left";
}
