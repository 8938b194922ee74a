// The vocabularies of older tokenizer folders: vocab.txt, vocab.json with merges.txt, and SentencePiece's models.
import { FileError, shownValue, UnsupportedError } from "../../errors.ts";
import { type Files, joinPath, parseBoundedJson } from "../../tensor/index.ts";
import type { DeclaredToken } from "./added-tokens.ts";
import { type StoredVocabulary, USUAL_TOKENS } from "./class-steps.ts";
import { type TokenizerConfigJson, tokenContent } from "./json.ts";
import { readSentencePiece } from "./sentencepiece.ts";
import { type TokenizerKind, tokenizerKind } from "./tokenizer-class.ts";

/** Files that the vocabulary of each class is in, where there is no tokenizer.json. */
const LEGACY_FILES: Readonly<Record<Exclude<TokenizerKind, "as-stored">, readonly (readonly string[])[]>> = {
  bert: [["vocab.txt"]],
  roberta: [["vocab.json", "merges.txt"]],
  t5: [["spiece.model"]],
  "xlm-roberta": [["sentencepiece.bpe.model"]],
};

/**
 * The class of a folder without tokenizer.json: as it is named, else by the files that are there.
 * @throws {FileError} when the files of that class are not there.
 */
export async function legacyKind(
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

/** A vocabulary with the special tokens that a SentencePiece model declares; null where it is from another file. */
export interface LegacyVocabulary {
  readonly vocabulary: StoredVocabulary;
  readonly ofModel: readonly DeclaredToken[] | null;
}

/** The vocabulary of an older folder. @throws {FileError} when its files are not what they should be. */
export async function legacyVocabulary(
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
      ? [
          ...scored,
          ...Array.from({ length: sentinelsOf(config, file) }, (_, i) => [`<extra_id_${i}>`, 0] as const).reverse(),
        ]
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

/** More than any T5 has. */
const MOST_SENTINELS = 100_000;

/** How many sentinels T5's class adds. @throws {FileError} naming `file`, where that is no such number. */
export function sentinelsOf(config: TokenizerConfigJson, file: string): number {
  const given = config.extra_ids ?? 100;
  if (typeof given === "number" && Number.isInteger(given) && given >= 0 && given <= MOST_SENTINELS) return given;
  throw new FileError(
    file,
    `expected extra_ids in the tokenizer_config.json beside it from 0 to ${MOST_SENTINELS}, got ${shownValue(given)}`,
  );
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

/** The object in a JSON file. @throws {FileError} when it does not parse, or is another value. */
export async function readJson(files: Files, path: string): Promise<Record<string, unknown>> {
  const text = await files.readText(path);
  try {
    const json: unknown = parseBoundedJson(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch (cause) {
    throw new FileError(path, `expected JSON, got a file that does not parse: ${(cause as Error).message}`, {
      hint: "The file may be cut off; download it again.",
      cause,
    });
  }
  throw new FileError(path, "expected a JSON object, got another kind of value");
}
