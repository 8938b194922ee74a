// Opens the tokenizer of a checkpoint's folder, newer or older files, as transformers' AutoTokenizer does.
import { FileError, UnsupportedError } from "../../errors.ts";
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
import { readSentencePiece } from "./sentencepiece.ts";
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
  const json = (await read("tokenizer.json")) as TokenizerJson | null;
  if (json !== null) checkParts(at("tokenizer.json"), json);
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

/** Files that the vocabulary of each class is in, where there is no tokenizer.json. */
const LEGACY_FILES: Readonly<Record<Exclude<TokenizerKind, "as-stored">, readonly (readonly string[])[]>> = {
  bert: [["vocab.txt"]],
  roberta: [["vocab.json", "merges.txt"]],
  t5: [["spiece.model"]],
  "xlm-roberta": [["sentencepiece.bpe.model"]],
};

/** The class of a folder without tokenizer.json: as it is named, else by the files that are there. */
async function legacyKind(
  files: Files,
  folder: string,
  known: TokenizerKind | null,
  modelType: string | null,
): Promise<Exclude<TokenizerKind, "as-stored">> {
  const usual = known === "as-stored" ? tokenizerKind(null, modelType) : known;
  const kinds = Object.keys(LEGACY_FILES) as (keyof typeof LEGACY_FILES)[];
  const candidates = usual === null || usual === "as-stored" ? kinds : [usual];
  for (const kind of candidates) if ((await legacyFiles(files, folder, kind)) !== null) return kind;
  throw await missing(files, folder, candidates);
}

async function legacyFiles(
  files: Files,
  folder: string,
  kind: keyof typeof LEGACY_FILES,
): Promise<readonly string[] | null> {
  for (const names of LEGACY_FILES[kind]) {
    const stats = await Promise.all(names.map((name) => files.stat(joinPath(folder, name))));
    if (stats.every((stat) => stat !== null)) return names.map((name) => joinPath(folder, name));
  }
  return null;
}

interface LegacyVocabulary {
  readonly vocabulary: StoredVocabulary;
  readonly ofModel: readonly DeclaredToken[] | null;
}

async function legacyVocabulary(
  files: Files,
  folder: string,
  kind: TokenizerKind,
  config: TokenizerConfigJson,
): Promise<LegacyVocabulary> {
  if (kind === "as-stored") throw await missing(files, folder, ["bert"]);
  const [file = "", second = ""] = (await legacyFiles(files, folder, kind)) ?? [];
  switch (kind) {
    case "bert": {
      const vocab = Object.fromEntries(linesOf(await files.readText(file)).map((line, id) => [line.trimEnd(), id]));
      return { vocabulary: { file, vocab, merges: null, charsmap: null }, ofModel: null };
    }
    case "roberta": {
      const merges = linesOf(await files.readText(second)).filter(
        (line) => line !== "" && !line.startsWith("#version"),
      );
      return { vocabulary: { file, vocab: await readJson(files, file), merges, charsmap: null }, ofModel: null };
    }
    default:
      return sentencePieceVocabulary(await files.read(file), file, kind, config);
  }
}

/** Lines of a text; what is behind the last line's end is none. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** @see transformers `convert_slow_tokenizer.py`: SentencePieceExtractor, T5Converter, XLMRobertaConverter */
function sentencePieceVocabulary(
  bytes: Uint8Array,
  file: string,
  kind: "t5" | "xlm-roberta",
  config: TokenizerConfigJson,
): LegacyVocabulary {
  const { pieces, algorithm, charsmap } = readSentencePiece(bytes, file);
  if (algorithm !== 1)
    throw new UnsupportedError(`the SentencePiece model ${file} of algorithm ${algorithm}`, ["unigram (1)"]);
  const scored = pieces.map(({ piece, score }) => [piece, score] as const);
  const name = (role: string) => tokenContent(config[role]) ?? USUAL_TOKENS[kind][role]!;
  const vocab =
    kind === "t5"
      ? [...scored, ...Array.from({ length: sentinelsOf(config) }, (_, i) => [`<extra_id_${i}>`, 0] as const).reverse()]
      : [
          ...["bos_token", "pad_token", "eos_token", "unk_token"].map((role) => [name(role), 0] as const),
          ...scored.slice(3),
          [name("mask_token"), 0] as const,
        ];
  const ofModel = pieces.flatMap(({ piece, kind: of }) =>
    of === "control" || of === "user-defined"
      ? [
          {
            content: piece,
            special: of === "control",
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
          },
        ]
      : [],
  );
  return { vocabulary: { file, vocab, merges: null, charsmap }, ofModel };
}

function sentinelsOf(config: TokenizerConfigJson): number {
  return typeof config.extra_ids === "number" && config.extra_ids >= 0 ? config.extra_ids : 100;
}

function classTokens(kind: TokenizerKind, { config, ofModel }: TokenizerFolder): ClassTokens {
  return { usual: USUAL_TOKENS[kind], sentinels: kind === "t5" ? sentinelsOf(config) : 0, ofModel };
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
  // oxlint-disable-next-line typescript/unbound-method
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

async function missing(
  files: Files,
  folder: string,
  kinds: readonly (keyof typeof LEGACY_FILES)[],
): Promise<FileError> {
  const stat = await files.stat(folder);
  if (stat === null) return new FileError(folder, "expected a folder with a tokenizer, got nothing at this path");
  const names = stat.isFolder ? await files.list(folder) : [];
  const found =
    names.length === 0 ? "none of them" : `${names.slice(0, 12).join(", ")}${names.length > 12 ? ", …" : ""}`;
  const older = kinds.flatMap((kind) => LEGACY_FILES[kind].map((some) => some.join(" with "))).join(", or ");
  return new FileError(folder, `expected a tokenizer (tokenizer.json, or ${older}), got ${found}`, {
    hint: "Copy the tokenizer's files beside the weights; in Python: AutoTokenizer.from_pretrained(ID).save_pretrained(FOLDER).",
  });
}

async function readJson(files: Files, path: string): Promise<Record<string, unknown>> {
  const text = await files.readText(path);
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch (cause) {
    throw new FileError(path, `expected JSON, got a file that does not parse: ${(cause as Error).message}`, {
      hint: "The file may be cut off; download it again.",
      cause,
    });
  }
  throw new FileError(path, "expected a JSON object, got another kind of value");
}

function checkParts(path: string, json: TokenizerJson): void {
  const parts = ["model", "decoder", "post_processor", "pre_tokenizer", "normalizer", "added_tokens"];
  const lacking = parts.filter((part) => !(part in json));
  if (lacking.length > 0) throw new FileError(path, `expected a tokenizer, got JSON without ${lacking.join(", ")}`);
}
