// Finds a tokenizer in a checkpoint's folder: tokenizer.json, or the older vocab.txt or vocab.json with merges.txt.
import { FileError } from "../../errors.ts";
import { type Files, joinPath } from "../../tensor/index.ts";
import { type AddedTokenJson, type TokenizerConfigJson, type TokenizerJson, tokenContent } from "./json.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

/**
 * The tokenizer of a checkpoint's folder.
 *
 * Settings that tokenizer_config.json states (`do_lower_case`, `add_prefix_space`, …) win over tokenizer.json, as in
 * transformers.
 * @throws {FileError} when the folder holds no tokenizer, or a file of it is not JSON.
 * @throws {UnsupportedError} when the tokenizer is of a kind that is not built.
 */
export async function loadTokenizer(files: Files, folder: string): Promise<Tokenizer> {
  const { json, config } = await readTokenizerFiles(files, folder);
  return createTokenizer(json, config);
}

/** What tokenizer.json and tokenizer_config.json say, the first made from the older files where it is missing. Errors as `loadTokenizer`. */
export async function readTokenizerFiles(
  files: Files,
  folder: string,
): Promise<{ readonly json: TokenizerJson; readonly config: TokenizerConfigJson }> {
  const at = (name: string) => joinPath(folder, name);
  const has = async (name: string) => (await files.stat(at(name))) !== null;
  const config: Record<string, unknown> = {};
  for (const name of ["special_tokens_map.json", "tokenizer_config.json"]) {
    if (await has(name)) Object.assign(config, await readJson(files, at(name)));
  }
  if (await has("tokenizer.json")) {
    const json = (await readJson(files, at("tokenizer.json"))) as unknown as TokenizerJson;
    checkParts(at("tokenizer.json"), json);
    return { json: withConfig(json, config), config };
  }
  if (await has("vocab.txt")) {
    const vocab = (await files.readText(at("vocab.txt"))).replace(/\r?\n$/, "").split(/\r?\n/);
    return { json: bertJson(at("vocab.txt"), vocab, config), config };
  }
  if ((await has("vocab.json")) && (await has("merges.txt"))) {
    const vocab = (await readJson(files, at("vocab.json"))) as Record<string, number>;
    const lines = (await files.readText(at("merges.txt"))).split(/\r?\n/);
    const merges = lines.filter((line, i) => line !== "" && !(i === 0 && line.startsWith("#version")));
    return { json: robertaJson(at("vocab.json"), vocab, merges, config), config };
  }
  throw await missing(files, folder);
}

async function missing(files: Files, folder: string): Promise<FileError> {
  const stat = await files.stat(folder);
  if (stat === null) return new FileError(folder, "expected a folder with a tokenizer, got nothing at this path");
  const names = stat.isFolder ? await files.list(folder) : [];
  const found =
    names.length === 0 ? "none of them" : `${names.slice(0, 12).join(", ")}${names.length > 12 ? ", …" : ""}`;
  return new FileError(
    folder,
    `expected a tokenizer (tokenizer.json, or vocab.txt, or vocab.json with merges.txt), got ${found}`,
    {
      hint: "Copy the tokenizer's files beside the weights; in Python: AutoTokenizer.from_pretrained(ID).save_pretrained(FOLDER).",
    },
  );
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

/** As `BertTokenizerFast` and `RobertaTokenizerFast` of transformers: the settings rule over the file's stages. */
function withConfig(json: TokenizerJson, config: TokenizerConfigJson): TokenizerJson {
  let { normalizer, pre_tokenizer } = json;
  const name = tokenContent(config.tokenizer_class) ?? "";
  if (normalizer?.type === "BertNormalizer" && /^(Bert|DistilBert|Electra|MobileBert|LayoutLM)Tokenizer/.test(name)) {
    normalizer = bertNormalizerJson(config);
  }
  if (pre_tokenizer?.type === "ByteLevel" && typeof config.add_prefix_space === "boolean") {
    pre_tokenizer = { ...pre_tokenizer, add_prefix_space: config.add_prefix_space };
  }
  return { ...json, normalizer, pre_tokenizer };
}

function bertNormalizerJson(config: TokenizerConfigJson) {
  return {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: config.tokenize_chinese_chars !== false,
    strip_accents: typeof config.strip_accents === "boolean" ? config.strip_accents : null,
    lowercase: config.do_lower_case !== false,
  };
}

function bertJson(file: string, lines: readonly string[], config: TokenizerConfigJson): TokenizerJson {
  const vocab = Object.fromEntries(lines.map((token, id) => [token, id]));
  const roles = specialTokens(config, { pad: "[PAD]", unk: "[UNK]", cls: "[CLS]", sep: "[SEP]", mask: "[MASK]" });
  return {
    added_tokens: addedTokens(file, vocab, roles),
    normalizer: bertNormalizerJson(config),
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", sep: [roles.sep, vocab[roles.sep]], cls: [roles.cls, vocab[roles.cls]] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: roles.unk,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

function robertaJson(
  file: string,
  vocab: Readonly<Record<string, number>>,
  merges: readonly string[],
  config: TokenizerConfigJson,
): TokenizerJson {
  const roles = specialTokens(config, { cls: "<s>", pad: "<pad>", sep: "</s>", unk: "<unk>", mask: "<mask>" });
  return {
    added_tokens: addedTokens(file, vocab, roles),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: config.add_prefix_space === true, trim_offsets: true },
    post_processor: {
      type: "RobertaProcessing",
      sep: [roles.sep, vocab[roles.sep]],
      cls: [roles.cls, vocab[roles.cls]],
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", unk_token: null, continuing_subword_prefix: "", end_of_word_suffix: "", vocab, merges },
  };
}

type Roles = Readonly<Record<"pad" | "unk" | "cls" | "sep" | "mask", string>>;

function specialTokens(config: TokenizerConfigJson, usual: Roles): Roles {
  const of = (role: keyof Roles) => tokenContent(config[`${role}_token`]) ?? usual[role];
  return { pad: of("pad"), unk: of("unk"), cls: of("cls"), sep: of("sep"), mask: of("mask") };
}

function addedTokens(file: string, vocab: Readonly<Record<string, number>>, roles: Roles): AddedTokenJson[] {
  const lacking = (["pad", "unk", "cls", "sep"] as const).filter((role) => vocab[roles[role]] === undefined);
  if (lacking.length > 0) {
    const names = lacking.map((role) => roles[role]).join(", ");
    throw new FileError(file, `expected the special tokens in the vocabulary, got none for ${names}`, {
      hint: "Name the tokens of this vocabulary in special_tokens_map.json.",
    });
  }
  return Object.values(roles)
    .filter((content) => vocab[content] !== undefined)
    .map((content) => ({
      id: vocab[content]!,
      content,
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    }))
    .sort((a, b) => a.id - b.id);
}
