// The steps that tokenizer classes of transformers build over a vocabulary, as a tokenizer.json says them.
import { FileError } from "../../errors.ts";
import { type StageJson, stagesOf, type TokenizerConfigJson, type TokenizerJson } from "./json.ts";
import { templateOf } from "./template.ts";
import type { TokenizerKind } from "./tokenizer-class.ts";
import { METASPACE } from "./unigram.ts";

/** The content of the files that a tokenizer's vocabulary comes from. */
export interface StoredVocabulary {
  /** The file that is named in errors. */
  readonly file: string;
  /** Tokens with ids, or pieces with scores. */
  readonly vocab: unknown;
  /** Of byte-pair encodings. */
  readonly merges: unknown;
  /** SentencePiece's map in base64. */
  readonly charsmap: string | null;
}

/** Tokens with a role, by what tokenizer_config.json calls it. */
export type NamedTokens = Readonly<Record<string, string>>;

/** What each class calls its tokens with a role where the files do not say. */
export const USUAL_TOKENS: Readonly<Record<TokenizerKind, NamedTokens>> = {
  bert: { unk_token: "[UNK]", sep_token: "[SEP]", pad_token: "[PAD]", cls_token: "[CLS]", mask_token: "[MASK]" },
  roberta: robertaTokens(),
  "xlm-roberta": robertaTokens(),
  t5: { eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" },
  "as-stored": {},
};

function robertaTokens(): NamedTokens {
  return {
    bos_token: "<s>",
    eos_token: "</s>",
    unk_token: "<unk>",
    sep_token: "</s>",
    pad_token: "<pad>",
    cls_token: "<s>",
    mask_token: "<mask>",
  };
}

/** Settings of tokenizer_config.json that a class builds its steps by, with what holds where the file does not say. */
export function stepSettings(kind: TokenizerKind, config: TokenizerConfigJson): TokenizerConfigJson {
  const flag = (key: string, usual: boolean) => (typeof config[key] === "boolean" ? config[key] : usual);
  switch (kind) {
    case "bert":
      return {
        do_lower_case: flag("do_lower_case", true),
        tokenize_chinese_chars: flag("tokenize_chinese_chars", true),
        strip_accents: typeof config.strip_accents === "boolean" ? config.strip_accents : null,
      };
    case "roberta":
      return { add_prefix_space: flag("add_prefix_space", false), trim_offsets: flag("trim_offsets", true) };
    case "xlm-roberta":
      return { add_prefix_space: flag("add_prefix_space", true) };
    default:
      return {};
  }
}

/** A tokenizer.json without added tokens and ends. */
export type Steps = Omit<TokenizerJson, "added_tokens" | "post_processor">;

/**
 * The steps of a class over a vocabulary.
 * @throws {FileError} when the class takes a vocabulary of another form.
 * @see transformers `models/bert/tokenization_bert.py`, and so on
 */
export function classSteps(
  kind: Exclude<TokenizerKind, "as-stored">,
  { file, vocab, merges, charsmap }: StoredVocabulary,
  settings: TokenizerConfigJson,
  named: NamedTokens,
): Steps {
  const isList = Array.isArray(vocab);
  const isUnigram = kind === "t5" || kind === "xlm-roberta";
  if (isList !== isUnigram) {
    const [wanted, got] = isUnigram
      ? ["pieces with scores", "tokens with ids"]
      : ["tokens with ids", "pieces with scores"];
    throw new FileError(file, `expected ${wanted}, the vocabulary of a ${kind} tokenizer, got ${got}`, {
      hint: 'Name the class that this tokenizer is of in tokenizer_config.json; "tokenizer_class": "PreTrainedTokenizerFast" takes tokenizer.json as it is.',
    });
  }
  switch (kind) {
    case "bert":
      return bertSteps(vocab, settings, named);
    case "roberta":
      return robertaSteps(vocab, merges ?? [], settings);
    case "t5":
      return unigramSteps(vocab, 2, charsmap, "always");
    case "xlm-roberta":
      return unigramSteps(vocab, 3, charsmap, settings.add_prefix_space === false ? "never" : "always");
  }
}

function bertSteps(vocab: unknown, settings: TokenizerConfigJson, { unk_token }: NamedTokens): Steps {
  return {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: settings.tokenize_chinese_chars,
      strip_accents: settings.strip_accents,
      lowercase: settings.do_lower_case,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: unk_token!,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab,
    },
  };
}

function robertaSteps(vocab: unknown, merges: unknown, { add_prefix_space }: TokenizerConfigJson): Steps {
  const bytes = { type: "ByteLevel", trim_offsets: true, use_regex: true };
  return {
    normalizer: null,
    pre_tokenizer: { ...bytes, add_prefix_space },
    decoder: { ...bytes, add_prefix_space: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
  };
}

function unigramSteps(vocab: unknown, unk_id: number, charsmap: string | null, prepend_scheme: string): Steps {
  const metaspace = { type: "Metaspace", replacement: METASPACE, prepend_scheme, split: true };
  return {
    normalizer: charsmap === null ? null : { type: "Precompiled", precompiled_charsmap: charsmap },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] },
    decoder: metaspace,
    model: { type: "Unigram", unk_id, byte_fallback: false, vocab },
  };
}

/**
 * The settings with which BERT's class builds a tokenizer.json, its tokens with a role included; null where it builds another.
 *
 * @param named - Tokens with a role, as the files name them.
 */
export function bertSettings(json: TokenizerJson, named: NamedTokens): TokenizerConfigJson | null {
  const { normalizer, model } = json;
  const tokens = { ...USUAL_TOKENS.bert, ...named };
  const ids = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  // the class adds these five, whether or not the file does
  if (normalizer?.type !== "BertNormalizer" || !Object.values(tokens).every((token) => ids.has(token))) return null;
  const settings = {
    do_lower_case: normalizer.lowercase,
    tokenize_chinese_chars: normalizer.handle_chinese_chars,
    strip_accents: normalizer.strip_accents ?? null,
  };
  const built = bertSteps(model.vocab, settings, tokens);
  const ends = classEnds("bert", (token) => ids.get(token)!, settings, tokens);
  const isSame =
    sameValues(json.normalizer, built.normalizer) &&
    sameValues(json.pre_tokenizer, built.pre_tokenizer) &&
    sameValues({ ...model, vocab: null }, { ...built.model, vocab: null }) &&
    sameValues(templateOf(json.post_processor), templateOf(ends));
  return isSame ? { ...tokens, ...settings } : null;
}

const sameValues = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** The value with the keys of objects in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The ends that a class puts around a text and a pair. */
export function classEnds(
  kind: Exclude<TokenizerKind, "as-stored">,
  idOf: (token: string) => number,
  settings: TokenizerConfigJson,
  named: NamedTokens,
): StageJson {
  const [cls, sep, bos, eos] = [named.cls_token!, named.sep_token!, named.bos_token!, named.eos_token!];
  switch (kind) {
    case "bert":
      return template([cls, A, sep], [cls, A, sep, { ...B, type_id: 1 }, { id: sep, type_id: 1 }], idOf);
    case "roberta":
      return {
        type: "RobertaProcessing",
        sep: [sep, idOf(sep)],
        cls: [cls, idOf(cls)],
        trim_offsets: settings.trim_offsets,
        add_prefix_space: settings.add_prefix_space,
      };
    case "t5":
      return template([A, eos], [A, eos, B, eos], idOf);
    case "xlm-roberta":
      return template([bos, A, eos], [bos, A, eos, eos, B, eos], idOf);
  }
}

type End =
  | string
  | { readonly id: string; readonly type_id: number }
  | { readonly text: "A" | "B"; readonly type_id: number };

const A = { text: "A", type_id: 0 } as const;
const B = { text: "B", type_id: 0 } as const;

function template(single: readonly End[], pair: readonly End[], idOf: (token: string) => number): StageJson {
  const item = (end: End) =>
    typeof end === "string"
      ? { SpecialToken: { id: end, type_id: 0 } }
      : "text" in end
        ? { Sequence: { id: end.text, type_id: end.type_id } }
        : { SpecialToken: { id: end.id, type_id: end.type_id } };
  const tokens = new Set(pair.flatMap((end) => (typeof end === "string" ? [end] : "text" in end ? [] : [end.id])));
  return {
    type: "TemplateProcessing",
    single: single.map(item),
    pair: pair.map(item),
    special_tokens: Object.fromEntries([...tokens].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  };
}

/** SentencePiece's map in a tokenizer.json, which T5's class takes over, and nothing else of its normaliser. */
export function storedCharsmap({ normalizer }: Pick<TokenizerJson, "normalizer">): string | null {
  const stages =
    normalizer === null ? [] : normalizer.type === "Sequence" ? stagesOf(normalizer, "normalizers") : [normalizer];
  const map = stages.find(({ type }) => type === "Precompiled")?.precompiled_charsmap;
  return typeof map === "string" ? map : null;
}
