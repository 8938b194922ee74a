// Opens the tokenizer of a checkpoint's folder, newer or older files, as transformers' AutoTokenizer does.
import { FileError } from "../../errors.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import type { DeclaredToken } from "./added-tokens.ts";
import {
  bertSettings,
  classEnds,
  classSteps,
  type NamedTokens,
  type StoredVocabulary,
  stepSettings,
  storedCharsmap,
  USUAL_TOKENS,
} from "./class-steps.ts";
import { type ClassTokens, declaredTokens, numbered, type SpecialDeclarations } from "./declared-tokens.ts";
import { type TokenizerConfigJson, type TokenizerJson, tokenContent } from "./json.ts";
import { legacyKind, legacyVocabulary, readJson, sentinelsOf } from "./legacy-files.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";
import { type TokenizerKind, tokenizerKind, WRITTEN_CLASSES } from "./tokenizer-class.ts";
import { modelVocabulary } from "./word-model.ts";

/**
 * The tokenizer of a checkpoint's folder: the ids are those of transformers' AutoTokenizer.
 *
 * What tokenizer_config.json says of the class and its settings (`do_lower_case`, `add_prefix_space`, …) wins over
 * tokenizer.json; tokens that any file declares are added.
 * @throws {FileError} when the folder holds no tokenizer, or a file of it is not what it should be.
 * @throws {UnsupportedError} when the tokenizer is of a kind that is not built.
 */
export async function loadTokenizer(files: Files, folder: string): Promise<Tokenizer> {
  const { json, config, file } = await readTokenizerFiles(files, folder);
  return createTokenizer(json, config, file);
}

/** One tokenizer.json and tokenizer_config.json that say all that the files of a folder say. */
export interface TokenizerFiles {
  readonly json: TokenizerJson;
  readonly config: TokenizerConfigJson;
  /** The file that the vocabulary came from. */
  readonly file: string;
}

/** The tokenizer's files of a folder as one pair of files that gives the same ids. Errors as `loadTokenizer`. */
export async function readTokenizerFiles(files: Files, folder: string): Promise<TokenizerFiles> {
  const found = await readFolder(files, folder);
  const { kind } = found;
  const settings = stepSettings(kind, found.config);
  const special = declaredTokens(found, classTokens(kind, found));
  const { json, file } = tokenizerJson(found, settings, special);
  return { json, config: writtenConfig(found, settings, special, json), file };
}

/** What a folder holds of a tokenizer. */
interface TokenizerFolder {
  readonly kind: TokenizerKind;
  readonly config: TokenizerConfigJson;
  readonly specialMap: TokenizerConfigJson | null;
  readonly addedTokens: Readonly<Record<string, unknown>> | null;
  readonly stored: TokenizerJson["added_tokens"];
  /** tokenizer.json; null in older folders. */
  readonly json: TokenizerJson | null;
  readonly vocabulary: StoredVocabulary;
  /** Special tokens of a SentencePiece model; null where the vocabulary is from another file. */
  readonly ofModel: readonly DeclaredToken[] | null;
  /** Rows of the model's table of embeddings. */
  readonly rows: number;
}

async function readFolder(files: Files, folder: string): Promise<TokenizerFolder> {
  const at = (name: string) => joinPath(folder, name);
  const read = async (name: string) => ((await files.stat(at(name))) === null ? null : readJson(files, at(name)));
  const config = (await read("tokenizer_config.json")) ?? {};
  const model = (await read("config.json")) ?? {};
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  const known = tokenizerKind(text(config.tokenizer_class) ?? text(model.tokenizer_class), text(model.model_type));
  const stored = await read("tokenizer.json");
  if (stored !== null) checkParts(at("tokenizer.json"), stored);
  const json = stored as TokenizerJson | null;
  const kind = json === null ? await legacyKind(files, folder, known, text(model.model_type)) : (known ?? "as-stored");
  const legacy = json === null ? await legacyVocabulary(files, folder, kind, config) : null;
  return {
    kind,
    config: kind === "as-stored" ? withPadding(config, json) : config,
    specialMap: await read("special_tokens_map.json"),
    addedTokens: await read("added_tokens.json"),
    stored: json?.added_tokens ?? [],
    json,
    vocabulary: legacy?.vocabulary ?? {
      file: at("tokenizer.json"),
      vocab: json!.model.vocab,
      merges: json!.model.merges,
      charsmap: storedCharsmap(json!),
    },
    ofModel: legacy?.ofModel ?? null,
    rows: typeof model.vocab_size === "number" ? model.vocab_size : Number.POSITIVE_INFINITY,
  };
}

/** The token that tokenizer.json pads with is the padding token where tokenizer_config.json names none. */
function withPadding(config: TokenizerConfigJson, json: TokenizerJson | null): TokenizerConfigJson {
  const token = json?.padding?.pad_token;
  return typeof token === "string" && tokenContent(config.pad_token) === null
    ? { ...config, pad_token: token }
    : config;
}

function classTokens(kind: TokenizerKind, { config, vocabulary, ofModel }: TokenizerFolder): ClassTokens {
  return { usual: USUAL_TOKENS[kind], sentinels: kind === "t5" ? sentinelsOf(config, vocabulary.file) : 0, ofModel };
}

function tokenizerJson(
  { kind, json, vocabulary, rows, stored }: TokenizerFolder,
  settings: TokenizerConfigJson,
  special: SpecialDeclarations,
): { readonly json: TokenizerJson; readonly file: string } {
  const { file } = vocabulary;
  if (kind === "as-stored") {
    const { added } = numbered(modelVocabulary(json!.model, file), stored, special, rows);
    return { json: { ...json!, truncation: null, padding: null, added_tokens: added }, file };
  }
  const steps = classSteps(kind, vocabulary, settings, special.named);
  const { added, idOf } = numbered(modelVocabulary(steps.model, file), [], special, rows);
  const ends = classEnds(kind, idOf, settings, special.named);
  const none = { version: "1.0", truncation: null, padding: null };
  return { json: { ...none, ...steps, added_tokens: added, post_processor: ends }, file };
}

/** Keys of tokenizer_config.json that tokenizer.json says now, that name files, or that are of one machine. */
const SAID_ELSEWHERE = [
  "added_tokens_decoder",
  "additional_special_tokens",
  "extra_special_tokens",
  "tokenizer_class",
  "tokenizer_file",
  "vocab_file",
  "merges_file",
  "special_tokens_map_file",
  "name_or_path",
  "fast_tokenizer_files",
  "auto_map",
  "extra_ids",
];

/** tokenizer_config.json that gives the same ids beside the new tokenizer.json, in whatever opens the two. */
function writtenConfig(
  { kind, config, json: source }: TokenizerFolder,
  settings: TokenizerConfigJson,
  { named }: SpecialDeclarations,
  json: TokenizerJson,
): TokenizerConfigJson {
  const rest = Object.fromEntries(Object.entries(config).filter(([key]) => !SAID_ELSEWHERE.includes(key)));
  const roles = new Set(Object.values(named));
  const others = json.added_tokens.filter(({ special, content }) => special && !roles.has(content));
  const cutsLeft = config.truncation_side === undefined && source?.truncation?.direction === "Left";
  return {
    ...rest,
    ...named,
    ...(others.length === 0 ? {} : { additional_special_tokens: others.map(({ content }) => content) }),
    ...(cutsLeft ? { truncation_side: "left" } : {}),
    ...settings,
    ...asBert(kind, json, named),
  };
}

/**
 * The class that is written: a tokenizer stored with BERT's own steps is one of BERT's, so that Transformers.js gives segments.
 */
function asBert(kind: TokenizerKind, json: TokenizerJson, named: NamedTokens): TokenizerConfigJson {
  const settings = kind === "as-stored" ? bertSettings(json, named) : null;
  return { ...settings, tokenizer_class: WRITTEN_CLASSES[settings === null ? kind : "bert"] };
}

/** @throws {FileError} naming every part of tokenizer.json that is not what it should be. */
function checkParts(path: string, json: Readonly<Record<string, unknown>>): void {
  const parts = ["model", "decoder", "post_processor", "pre_tokenizer", "normalizer", "added_tokens"];
  const lacking = parts.filter((part) => !(part in json));
  if (lacking.length > 0) throw new FileError(path, `expected a tokenizer, got JSON without ${lacking.join(", ")}`);
  const stages = parts.slice(1, -1).filter((part) => json[part] !== null && !isStage(json[part]));
  const tokens = Array.isArray(json.added_tokens) ? json.added_tokens : null;
  const wrong = tokens?.findIndex((token: unknown) => !isAddedToken(token)) ?? -1;
  const faults = [
    ...(isObject(json.model) ? [] : ["model: expected an object"]),
    ...stages.map((part) => `${part}: expected null or an object with a type`),
    ...(tokens === null ? ["added_tokens: expected a list"] : []),
    ...(wrong >= 0 ? [`added_tokens[${wrong}]: expected an object with content and an id`] : []),
  ];
  if (faults.length > 0) throw new FileError(path, `expected a tokenizer, got other values:\n  ${faults.join("\n  ")}`);
}

/** Whether a value is a token with its content and its id, a whole number from 0. */
function isAddedToken(token: unknown): boolean {
  return (
    isObject(token) && typeof token.content === "string" && Number.isSafeInteger(token.id) && Number(token.id) >= 0
  );
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value is a step, and so are those of a sequence. */
function isStage(value: unknown): boolean {
  if (!isObject(value) || typeof value.type !== "string") return false;
  const inside = ["normalizers", "pretokenizers", "decoders", "processors"].flatMap((key) => value[key] ?? []);
  return value.type !== "Sequence" || inside.every(isStage);
}
