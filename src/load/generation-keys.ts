// The keys of generation_config.json: what each means here, which change nothing, and which are not built.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { JsonObject } from "../hub/index.ts";
import type { GenerationOptions, LogitRules } from "../infer/index.ts";

/** What a file says; undefined where it says nothing. */
export interface StoredGeneration {
  readonly numBeams: number | undefined;
  readonly maxNewTokens: number | undefined;
  readonly minNewTokens: number;
  readonly lengthPenalty: number | undefined;
  readonly earlyStopping: boolean | "never";
  readonly doSample: boolean;
  readonly temperature: number | undefined;
  /** 0: all. */
  readonly topK: number | undefined;
  readonly topP: number | undefined;
  readonly rules: LogitRules;
  readonly special: NonNullable<GenerationOptions["special"]>;
  /** What a person should know of keys that are not followed and change no text, or are not known. */
  readonly notes: readonly string[];
}

type Unbuilt = (value: unknown, draws: boolean) => boolean;
const always: Unbuilt = () => true;
const above =
  (least: number): Unbuilt =>
  (value) =>
    typeof value !== "number" || value > least;

/** Keys that change texts and are not built, with whether a value does. */
const UNBUILT: Readonly<Record<string, Unbuilt>> = {
  constraints: always,
  dola_layers: always,
  epsilon_cutoff: (value, draws) => draws && value !== 0,
  eta_cutoff: (value, draws) => draws && value !== 0,
  force_words_ids: always,
  guidance_scale: (value) => value !== 1,
  max_time: always,
  min_p: (_, draws) => draws,
  num_beam_groups: above(1),
  penalty_alpha: above(0),
  stop_strings: (value) => !(Array.isArray(value) && value.length === 0),
  token_healing: (value) => value !== false,
  top_h: (_, draws) => draws,
  typical_p: (value, draws) => draws && value !== 1,
  watermarking_config: always,
};

/** Keys that change no text: memory, speed, what is given back beside the text, and facts about the file. */
const WITHOUT_EFFECT =
  /^(_.*|assistant_.*|bos_token_id|cache_.*|compile_config|continuous_batching_config|disable_compile|diversity_penalty|is_assistant|low_memory|max_cache_len|max_matching_ngram_size|num_assistant_.*|output_.*|prefill_chunk_size|prompt_lookup_num_tokens|remove_invalid_values|return_.*|speculation_type|target_lookbehind|transformers_version|use_cache|use_mtp)$/;

const FOLLOWED = [
  "bad_words_ids",
  "begin_suppress_tokens",
  "decoder_start_token_id",
  "do_sample",
  "early_stopping",
  "encoder_no_repeat_ngram_size",
  "encoder_repetition_penalty",
  "eos_token_id",
  "exponential_decay_length_penalty",
  "forced_bos_token_id",
  "forced_eos_token_id",
  "length_penalty",
  "max_length",
  "max_new_tokens",
  "min_length",
  "min_new_tokens",
  "no_repeat_ngram_size",
  "num_beams",
  "num_return_sequences",
  "pad_token_id",
  "renormalize_logits",
  "repetition_penalty",
  "sequence_bias",
  "suppress_tokens",
  "temperature",
  "top_k",
  "top_p",
];

/** Every key that says how texts are written: those which a config.json may have too. */
export const GENERATION_KEYS: ReadonlySet<string> = new Set([...FOLLOWED, ...Object.keys(UNBUILT)]);

/**
 * What the keys mean; `draws`: tokens are drawn whatever `do_sample` says.
 * @throws {ConfigError} naming every key that is malformed, or changes texts and is not built.
 * @see transformers 5.23 `GenerationConfig`
 */
export function storedGeneration(
  file: string,
  json: JsonObject,
  vocabSize: number,
  { draws }: { readonly draws: boolean },
): StoredGeneration {
  const keys = new KeyReader(file, json, vocabSize);
  const doSample = keys.flag("do_sample") ?? false;
  const maxLength = keys.whole("max_length", 2);
  const minLength = keys.whole("min_length", 0);
  const stored = {
    numBeams: keys.whole("num_beams", 1),
    // lengths count the start token
    maxNewTokens: keys.whole("max_new_tokens", 1) ?? (maxLength === undefined ? undefined : maxLength - 1),
    minNewTokens: keys.whole("min_new_tokens", 0) ?? Math.max(0, (minLength ?? 0) - 1),
    lengthPenalty: keys.number("length_penalty", () => true, "a number"),
    earlyStopping: keys.earlyStopping(),
    doSample,
    temperature: keys.number("temperature", (value) => value > 0, "a number > 0"),
    topK: keys.whole("top_k", 0),
    topP: keys.number("top_p", (value) => value > 0 && value <= 1, "a share in (0, 1]"),
    rules: rulesOf(keys),
    special: specialOf(keys),
    notes: notesOf(file, json),
  };
  for (const [key, isActive] of Object.entries(UNBUILT)) {
    const value = json[key] ?? null;
    if (value !== null && isActive(value, doSample || draws)) keys.wrong(key, "null, as it is not built");
  }
  keys.finish();
  return stored;
}

function rulesOf(keys: KeyReader): LogitRules {
  const isPenalty = (value: number) => value > 0;
  const rules = {
    sequenceBias: keys.biases("sequence_bias"),
    encoderRepetitionPenalty: keys.number("encoder_repetition_penalty", isPenalty, "a number > 0"),
    repetitionPenalty: keys.number("repetition_penalty", isPenalty, "a number > 0"),
    noRepeatNgramSize: keys.whole("no_repeat_ngram_size", 0),
    encoderNoRepeatNgramSize: keys.whole("encoder_no_repeat_ngram_size", 0),
    badWordsIds: keys.idLists("bad_words_ids"),
    forcedBosTokenId: keys.ids("forced_bos_token_id", 1)?.[0],
    forcedEosTokenIds: keys.ids("forced_eos_token_id"),
    exponentialDecayLengthPenalty: keys.decay("exponential_decay_length_penalty"),
    suppressTokens: keys.ids("suppress_tokens"),
    beginSuppressTokens: keys.ids("begin_suppress_tokens"),
    renormalizeLogits: keys.flag("renormalize_logits"),
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined)) as LogitRules;
}

function specialOf(keys: KeyReader): StoredGeneration["special"] {
  const [startId] = keys.ids("decoder_start_token_id", 1) ?? [];
  const endIds = keys.ids("eos_token_id");
  const [padId] = keys.ids("pad_token_id", 1) ?? [];
  return {
    ...(startId === undefined ? {} : { startId }),
    ...(endIds === undefined ? {} : { endIds }),
    ...(padId === undefined ? {} : { padId }),
  };
}

function notesOf(file: string, json: JsonObject): string[] {
  const notes: string[] = [];
  const count = json.num_return_sequences ?? 1;
  if (count !== 1) notes.push(`${file}, num_return_sequences ${JSON.stringify(count)}: one text is written, the best.`);
  const unknown = Object.keys(json).filter(
    (key) => (json[key] ?? null) !== null && !GENERATION_KEYS.has(key) && !WITHOUT_EFFECT.test(key),
  );
  if (unknown.length > 0) notes.push(`${file}: not known here, and not followed: ${unknown.join(", ")}.`);
  return notes;
}

/** Reads keys of a file, remembering every one that is malformed. */
class KeyReader {
  readonly #file: string;
  readonly #json: JsonObject;
  readonly #vocabSize: number;
  readonly #issues: ConfigIssue[] = [];

  constructor(file: string, json: JsonObject, vocabSize: number) {
    this.#file = file;
    this.#json = json;
    this.#vocabSize = vocabSize;
  }

  wrong(key: string, expected: string): undefined {
    this.#issues.push({ path: `${this.#file}, ${key}`, expected, got: JSON.stringify(this.#json[key]) });
    return undefined;
  }

  /** @throws {ConfigError} listing what was wrong. */
  finish(): void {
    if (this.#issues.length === 0) return;
    throw new ConfigError(this.#issues, { hint: `Set them to null in ${this.#file} to write without them.` });
  }

  #read<T>(key: string, fits: (value: unknown) => value is T, expected: string): T | undefined {
    const value = this.#json[key] ?? null;
    if (value === null) return undefined;
    return fits(value) ? value : this.wrong(key, expected);
  }

  number(key: string, fits: (value: number) => boolean, expected: string): number | undefined {
    const isFit = (value: unknown): value is number => typeof value === "number" && fits(value);
    return this.#read(key, isFit, expected);
  }

  whole(key: string, least: number): number | undefined {
    return this.number(key, (value) => Number.isInteger(value) && value >= least, `a whole number ≥ ${least}`);
  }

  flag(key: string): boolean | undefined {
    return this.#read(key, (value) => typeof value === "boolean", "true or false");
  }

  earlyStopping(): boolean | "never" {
    const isOne = (value: unknown): value is boolean | "never" => typeof value === "boolean" || value === "never";
    return this.#read("early_stopping", isOne, 'true, false or "never"') ?? false;
  }

  #isId = (value: unknown): value is number =>
    typeof value === "number" && Number.isInteger(value) && value >= 0 && value < this.#vocabSize;

  #isIds = (value: unknown): value is number[] => Array.isArray(value) && value.length > 0 && value.every(this.#isId);

  /** One id, or a list of at most so many. */
  ids(key: string, most = Number.POSITIVE_INFINITY): readonly number[] | undefined {
    const isOne = (value: unknown): value is number | number[] =>
      this.#isId(value) || (this.#isIds(value) && value.length <= most) || (Array.isArray(value) && value.length === 0);
    const read = this.#read(key, isOne, most === 1 ? "a token id of the vocabulary" : "token ids of the vocabulary");
    return typeof read === "number" ? [read] : read?.length === 0 ? undefined : read;
  }

  idLists(key: string): readonly (readonly number[])[] | undefined {
    const areLists = (value: unknown): value is number[][] => Array.isArray(value) && value.every(this.#isIds);
    return this.#read(key, areLists, "lists of token ids of the vocabulary");
  }

  biases(key: string): LogitRules["sequenceBias"] {
    const isPair = (pair: unknown): pair is [number[], number] =>
      Array.isArray(pair) && pair.length === 2 && this.#isIds(pair[0]) && typeof pair[1] === "number";
    const arePairs = (value: unknown): value is [number[], number][] => Array.isArray(value) && value.every(isPair);
    return this.#read(key, arePairs, "pairs of token ids and a number");
  }

  decay(key: string): readonly [number, number] | undefined {
    const isPair = (value: unknown): value is [number, number] =>
      Array.isArray(value) &&
      value.length === 2 &&
      Number.isInteger(value[0]) &&
      value[0] >= 0 &&
      typeof value[1] === "number" &&
      value[1] > 0;
    return this.#read(key, isPair, "a whole number ≥ 0 and a factor > 0");
  }
}
