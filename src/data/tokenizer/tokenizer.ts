// Text to token ids and back: one interface over @huggingface/tokenizers, equal to Hugging Face's Rust tokenizers.
import { Tokenizer as Engine } from "@huggingface/tokenizers";
import { ConfigError, UnsupportedError } from "../../errors.ts";
import { type BertTextOptions, bertNormalizer, bertWords, trackedBertNormalizer } from "./bert-text.ts";
import { byteLevelWords } from "./byte-level.ts";
import { charsmapNormalizer } from "./charsmap.ts";
import { type SpanStyle, spansOf, type TokenSpans } from "./offsets.ts";
import { addedTokens, keptLengths, type Piece, type Template, type Truncation, templateOf } from "./template.ts";
import { wellFormed } from "./unicode.ts";
import { METASPACE, metaspaceWords, unigramPieces } from "./unigram.ts";

/** One encoded input; the four arrays run in parallel. */
export interface Encoding {
  readonly ids: readonly number[];
  /** The segment of each token: 0, or 1 for the second text of BERT. */
  readonly typeIds: readonly number[];
  /** 1 where the tokenizer added a special token. */
  readonly specialTokensMask: readonly number[];
  /** True when tokens were cut off. */
  readonly truncated: boolean;
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
  /**
   * Ids of a text or a pair, special tokens added; lone surrogates count as U+FFFD.
   * @throws {ConfigError} when `maxLength` leaves no room for the special tokens.
   */
  encode(text: string, pair?: string | null, options?: EncodeOptions): Encoding;
  /** Tokens of a text without special ones, each with the characters it stands for, in UTF-16 units. */
  spans(text: string): TokenSpans;
  /** Tokens of a text that is given in words, each tokenized by itself, without special ones; `owners` says whose each is. */
  words(words: readonly string[]): { readonly ids: readonly number[]; readonly owners: readonly number[] };
  /** Puts the special tokens around token ids of a text or a pair; nothing is cut. */
  join(first: readonly number[], second?: readonly number[] | null): Omit<Encoding, "truncated">;
  decode(ids: ArrayLike<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The id of a token as the vocabulary spells it. */
  tokenId(token: string): number | undefined;
  /** A token as the vocabulary spells it. */
  tokenOf(id: number): string;
  /** Tokens, as the vocabulary spells them, as a text; nothing is left out. @see transformers `convert_tokens_to_string`. */
  spelled(tokens: readonly string[]): string;
  /** The tokenizer that reads a text's first word as `words` reads every word: a byte-level one puts a space before it. */
  ofWords(): Tokenizer;
  /** It is byte-level and puts a space before a text. */
  readonly addsPrefixSpace: boolean;
}

/** What a tokenizer is built from: the content of tokenizer.json and of tokenizer_config.json. */
export interface TokenizerJson {
  readonly model: { readonly type?: string; readonly [key: string]: unknown };
  readonly normalizer: StageJson | null;
  readonly pre_tokenizer: StageJson | null;
  readonly post_processor: unknown;
  readonly decoder: unknown;
  readonly added_tokens: readonly AddedTokenJson[];
  readonly padding?: { readonly pad_id?: number } | null;
}

export interface StageJson {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

export type TokenizerConfigJson = Readonly<Record<string, unknown>>;

const ROLES = ["pad", "unk", "cls", "sep", "mask", "bos", "eos"] as const;

/**
 * A tokenizer from the content of its two files.
 * @throws {UnsupportedError} when a part of it has a type that is not built.
 */
export function createTokenizer(json: TokenizerJson, config: TokenizerConfigJson = {}): Tokenizer {
  const engine = createEngine(json, config);
  const template = templateOf(json.post_processor);
  const special = specialIds(engine, json, config);
  const padId = special.pad ?? json.padding?.pad_id;
  if (padId === undefined) throw new UnsupportedError("a tokenizer without a padding token", ["[PAD]", "<pad>"]);
  let largestId = 0;
  for (const id of engine.get_vocab().values()) if (id > largestId) largestId = id;
  const maxLength = maxLengthOf(config);
  const tokens = (text: string) => engine.encode(wellFormed(text), { add_special_tokens: false }).ids;
  const spans = spansOf(
    {
      tokens,
      word: (word) => engine.model!.encode([word]),
      idOf: (token) => engine.token_to_id(token) ?? engine.model!.unk_token_id!,
      unknown: engine.model!.unk_token,
      added: [...json.added_tokens].sort((a, b) => b.content.length - a.content.length),
    },
    spanStyle(json),
  );
  // byte-level words begin with a space: without one they would be read as parts of the word before
  const isOfWords = json.pre_tokenizer?.type !== "ByteLevel" || json.pre_tokenizer.add_prefix_space === true;
  let ofWords: Tokenizer | null = null;
  const tokenizer: Tokenizer = {
    padId,
    special,
    vocabSize: largestId + 1,
    maxLength,
    encode: (text, pair = null, options = {}) => encode(tokens, template, maxLength, text, pair, options),
    spans: (text) => spans(wellFormed(text)),
    words: (words) => (isOfWords ? tokensOfWords(words, tokens) : tokenizer.ofWords().words(words)),
    join: (first, second = null) => assemble(second === null ? template.single : template.pair, first, second ?? []),
    decode(ids, { skipSpecialTokens = true } = {}) {
      if (ids.length === 0) return "";
      const cleanUp = config.clean_up_tokenization_spaces === true;
      return engine.decode(Array.from(ids), {
        skip_special_tokens: skipSpecialTokens,
        clean_up_tokenization_spaces: cleanUp,
      });
    },
    tokenId: (token) => engine.token_to_id(token),
    tokenOf: (id) => engine.id_to_token(id) ?? "",
    spelled: (tokens) => engine.decoder?.decode([...tokens]) ?? tokens.join(" "),
    addsPrefixSpace: json.pre_tokenizer?.type === "ByteLevel" && json.pre_tokenizer.add_prefix_space === true,
    ofWords() {
      ofWords ??= isOfWords ? tokenizer : createTokenizer(withPrefixSpace(json), config);
      return ofWords;
    },
  };
  return tokenizer;
}

/** tokenizer.json with a space put before a text, where the tokenizer is byte-level. */
export function withPrefixSpace(json: TokenizerJson): TokenizerJson {
  const { pre_tokenizer: stage } = json;
  return stage?.type === "ByteLevel" ? { ...json, pre_tokenizer: { ...stage, add_prefix_space: true } } : json;
}

function tokensOfWords(words: readonly string[], tokens: (text: string) => number[]) {
  const ids: number[] = [];
  const owners: number[] = [];
  for (const [index, word] of words.entries()) {
    for (const id of tokens(word)) {
      ids.push(id);
      owners.push(index);
    }
  }
  return { ids, owners };
}

function encode(
  tokens: (text: string) => number[],
  template: Template,
  ownMaxLength: number | null,
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
  return { ...assemble(parts, first.slice(0, keptFirst), second?.slice(0, keptSecond) ?? []), truncated };
}

function assemble(parts: readonly Piece[], first: readonly number[], second: readonly number[]) {
  const ids: number[] = [];
  const typeIds: number[] = [];
  const specialTokensMask: number[] = [];
  for (const piece of parts) {
    const added = piece.kind === "special" ? piece.ids : piece.which === "A" ? first : second;
    for (const id of added) {
      ids.push(id);
      typeIds.push(piece.typeId);
      specialTokensMask.push(piece.kind === "special" ? 1 : 0);
    }
  }
  return { ids, typeIds, specialTokensMask };
}

function createEngine(json: TokenizerJson, config: TokenizerConfigJson): Engine {
  // template, truncation and special tokens are ours: the library cuts no pairs and drops empty ones
  const engine = build({ ...json, post_processor: null }, config);
  const normalizer = json.normalizer;
  if (normalizer?.type === "BertNormalizer" && engine.normalizer !== null) {
    engine.normalizer.normalize = bertNormalizer(bertOptions(normalizer));
  }
  if (normalizer?.type === "Precompiled" && engine.normalizer !== null) {
    // the library's own is NFKC with exceptions, which is near what most maps hold
    engine.normalizer.normalize = charsmapNormalizer(String(normalizer.precompiled_charsmap));
  }
  const words = wordSplitter(json.pre_tokenizer);
  if (words !== null && engine.pre_tokenizer !== null) engine.pre_tokenizer.pre_tokenize_text = words;
  const { model } = json;
  if (model.type === "Unigram" && model.byte_fallback !== true && engine.model !== null) {
    const pieces = unigramPieces(model.vocab as readonly (readonly [string, number])[]);
    engine.model.encode = (words: readonly string[]) => words.flatMap(pieces);
  }
  return engine;
}

function bertOptions(normalizer: StageJson): BertTextOptions {
  return {
    cleanText: normalizer.clean_text !== false,
    handleChineseChars: normalizer.handle_chinese_chars !== false,
    stripAccents: typeof normalizer.strip_accents === "boolean" ? normalizer.strip_accents : null,
    lowercase: normalizer.lowercase !== false,
  };
}

/** How a tokenizer's offsets are found: to the character where its words and alphabet are ours. */
function spanStyle({ model, normalizer, pre_tokenizer, post_processor, added_tokens }: TokenizerJson): SpanStyle {
  const plainAdded = normalizer === null || added_tokens.every((token) => !token.normalized);
  if (pre_tokenizer?.type === "BertPreTokenizer" && normalizer?.type === "BertNormalizer" && plainAdded) {
    const { continuing_subword_prefix: given } = model;
    const prefix = typeof given === "string" ? given : "##";
    return { kind: "wordpiece", normalize: trackedBertNormalizer(bertOptions(normalizer)), prefix };
  }
  if (pre_tokenizer?.type === "ByteLevel" && pre_tokenizer.use_regex !== false && normalizer === null) {
    const addPrefixSpace = pre_tokenizer.add_prefix_space === true;
    return { kind: "byte-level", addPrefixSpace, trim: trimsOffsets(post_processor) };
  }
  return { kind: "words" };
}

function trimsOffsets(processor: unknown): boolean {
  const json = processor as (StageJson & { readonly processors?: readonly StageJson[] }) | null;
  const stages = json?.type === "Sequence" ? (json.processors ?? []) : json === null ? [] : [json];
  return stages.some(
    ({ type, trim_offsets }) => (type === "RobertaProcessing" || type === "ByteLevel") && trim_offsets !== false,
  );
}

function wordSplitter(json: StageJson | null): ((text: string) => string[]) | null {
  if (json?.type === "BertPreTokenizer") return bertWords;
  if (json?.type === "ByteLevel" && json.use_regex !== false) return byteLevelWords(json.add_prefix_space === true);
  return unigramWords(json);
}

/** `Metaspace`, or `WhitespaceSplit` and `Metaspace` as in T5, where every word begins with the replacement. */
function unigramWords(json: StageJson | null): ((text: string) => string[]) | null {
  const stages = (json?.type === "Sequence" ? (json.pretokenizers as StageJson[]) : [json]).filter(
    (stage) => stage !== null,
  );
  const metaspace = stages.at(-1);
  const isT5 = stages.length === 2 && stages[0]?.type === "WhitespaceSplit";
  if (metaspace?.type !== "Metaspace" || (stages.length > 1 && !isT5)) return null;
  const scheme = metaspace.prepend_scheme ?? (metaspace.add_prefix_space === false ? "never" : "always");
  if (scheme !== "always" || metaspace.split === false) return null;
  return metaspaceWords(isT5, typeof metaspace.replacement === "string" ? metaspace.replacement : METASPACE);
}

function build(json: TokenizerJson, config: TokenizerConfigJson): Engine {
  try {
    return new Engine(json, config);
  } catch (cause) {
    const what = `tokenizer of model type ${String(json.model?.type)} (${(cause as Error).message})`;
    throw new UnsupportedError(what, ["WordPiece", "BPE", "Unigram"], { cause });
  }
}

function specialIds(engine: Engine, json: TokenizerJson, config: TokenizerConfigJson): SpecialIds {
  const out: Partial<Record<(typeof ROLES)[number], number>> = {};
  for (const role of ROLES) {
    const content = tokenContent(config[`${role}_token`]);
    const usual = [`[${role.toUpperCase()}]`, `<${role}>`];
    const id =
      content === null
        ? json.added_tokens.find((token) => usual.includes(token.content))?.id
        : engine.token_to_id(content);
    if (id !== undefined) out[role] = id;
  }
  return out;
}

/** The spelling of a token in tokenizer_config.json, where it is a string or an object with `content`. */
export function tokenContent(value: unknown): string | null {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : null;
}

function maxLengthOf(config: TokenizerConfigJson): number | null {
  const value = config.model_max_length ?? config.max_len;
  // transformers writes 1e30 for "not known"
  return typeof value === "number" && value > 0 && value < 1e9 ? value : null;
}
