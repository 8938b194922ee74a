// Tokenizer folders of many ages: the same vocabularies with tokens and settings declared in every place that transformers reads.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Files of a folder by name: JSON, or text. */
export type Folder = Readonly<Record<string, unknown>>;

const golden = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../golden/tokenizers/${path}`, import.meta.url)), "utf8");
const json = (path: string) => JSON.parse(golden(path)) as Record<string, unknown>;

/** Texts with every token that a folder here may add. */
export const FOLDER_TEXTS: readonly string[] = [
  "the [USR] said covid19 to [ENT] dog",
  "The License, of a WORK: Über café naïve [MASK] 中文 x_y",
  "xcovid19 covid19x covid19, COVID19 [usr]  [USR]  [ENT]the",
  "<mask> a<mask>b  <mask>  </s> <s> <pad> [SEP] [PAD]",
  "<extra_id_0> and <extra_id_4><extra_id_7> license",
  "tok1 tok2tok1 Tok1 TOK2 é-tok1-é [tok1]",
  "",
  "  license  ",
];

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const flags = (content: string, also: Readonly<Record<string, unknown>> = {}) => ({
  content,
  lstrip: false,
  normalized: true,
  rstrip: false,
  single_word: false,
  ...also,
});
const typed = (content: string, also: Readonly<Record<string, unknown>> = {}) => ({
  __type: "AddedToken",
  ...flags(content, also),
});

const bertJson = json("bert/tokenizer.json") as {
  model: { vocab: Record<string, number> };
  added_tokens: { id: number; content: string }[];
};
const bertSize = Object.keys(bertJson.model.vocab).length;
const robertaJson = json("roberta/tokenizer.json") as {
  model: { vocab: Record<string, number> };
  added_tokens: unknown[];
};
const robertaSize = Object.keys(robertaJson.model.vocab).length;
const t5Json = json("t5/tokenizer.json");
const decoder = (from: number, ...tokens: object[]) =>
  Object.fromEntries(tokens.map((token, i) => [String(from + i), token]));

const bertTxt = { "config.json": { model_type: "bert" }, "vocab.txt": golden("bert-legacy/vocab.txt") };
const bert = { "config.json": { model_type: "bert" }, "tokenizer.json": bertJson };
const robertaTxt = {
  "config.json": { model_type: "roberta" },
  "vocab.json": golden("roberta-legacy/vocab.json"),
  "merges.txt": golden("roberta-legacy/merges.txt"),
};
const roberta = { "config.json": { model_type: "roberta" }, "tokenizer.json": robertaJson };
const t5 = { "config.json": { model_type: "t5" }, "tokenizer.json": t5Json };

/** What declares tokens in an older folder, by name, for ids from `size` on. */
const declarations = (size: number, mask: string): readonly (readonly [string, Folder])[] => [
  ["nothing", {}],
  ["added_tokens.json", { "added_tokens.json": { "[USR]": size, "[ENT]": size + 1, covid19: size + 2 } }],
  [
    "added_tokens.json and a special_tokens_map.json of texts",
    {
      "added_tokens.json": { "[USR]": size, "[ENT]": size + 1, covid19: size + 2 },
      "special_tokens_map.json": { mask_token: mask, additional_special_tokens: ["[USR]", "[ENT]"] },
    },
  ],
  ["added_tokens.json whose ids have gaps", { "added_tokens.json": { covid19: size + 40, "[USR]": size + 7 } }],
  [
    "special_tokens_map.json of objects",
    {
      "special_tokens_map.json": {
        mask_token: flags(mask, { lstrip: true, normalized: false }),
        pad_token: flags(mask === "<mask>" ? "<pad>" : "[PAD]", { normalized: false }),
      },
    },
  ],
  [
    "special_tokens_map.json with new special tokens",
    { "special_tokens_map.json": { additional_special_tokens: ["tok1", "[USR]"] } },
  ],
  [
    "additional_special_tokens in tokenizer_config.json",
    { "tokenizer_config.json": { additional_special_tokens: ["[USR]", "tok1"] } },
  ],
  [
    "additional_special_tokens in both files",
    {
      "tokenizer_config.json": { additional_special_tokens: ["[USR]"] },
      "special_tokens_map.json": { additional_special_tokens: ["[ENT]", "tok2"] },
    },
  ],
  [
    "additional_special_tokens as objects",
    {
      "tokenizer_config.json": {
        additional_special_tokens: [
          typed("[USR]", { lstrip: true, rstrip: true }),
          typed("tok1", { single_word: true, normalized: false }),
        ],
      },
    },
  ],
  ["extra_special_tokens", { "tokenizer_config.json": { extra_special_tokens: ["tok2", "[ENT]"] } }],
  [
    "extra_special_tokens by name",
    { "tokenizer_config.json": { extra_special_tokens: { user_token: "[USR]" }, entity_token: "[ENT]" } },
  ],
  [
    "added_tokens_decoder",
    {
      "tokenizer_config.json": {
        added_tokens_decoder: decoder(
          size,
          flags("[USR]", { special: true, normalized: false }),
          flags("covid19", { special: false }),
          flags("tok1", { special: false, single_word: true }),
        ),
      },
    },
  ],
  [
    "added_tokens_decoder of old tokens",
    {
      "tokenizer_config.json": {
        added_tokens_decoder: decoder(
          0,
          ...(mask === "<mask>" ? ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] : SPECIAL).map((content) =>
            flags(content, { special: true, normalized: false, lstrip: content === mask }),
          ),
        ),
      },
    },
  ],
  [
    "added_tokens_decoder beside the older files",
    {
      "added_tokens.json": { covid19: size },
      "special_tokens_map.json": { additional_special_tokens: ["[ENT]"] },
      "tokenizer_config.json": { added_tokens_decoder: decoder(size, flags("[USR]", { rstrip: true })) },
    },
  ],
  [
    "a mask token with flags in tokenizer_config.json",
    { "tokenizer_config.json": { mask_token: typed(mask, { lstrip: true }) } },
  ],
];

/** Settings of BERT that tokenizer_config.json may say otherwise than tokenizer.json. */
const bertSettings: readonly (readonly [string, Folder])[] = [
  ["no setting", {}],
  ["do_lower_case false", { "tokenizer_config.json": { do_lower_case: false } }],
  ["strip_accents false", { "tokenizer_config.json": { strip_accents: false } }],
  ["cased, without accents", { "tokenizer_config.json": { do_lower_case: false, strip_accents: true } }],
  ["tokenize_chinese_chars false", { "tokenizer_config.json": { tokenize_chinese_chars: false } }],
  ["BertTokenizerFast", { "tokenizer_config.json": { tokenizer_class: "BertTokenizerFast", do_lower_case: false } }],
  ["DistilBertTokenizer", { "tokenizer_config.json": { tokenizer_class: "DistilBertTokenizer", do_lower_case: true } }],
  [
    "PreTrainedTokenizerFast",
    {
      "tokenizer_config.json": {
        tokenizer_class: "PreTrainedTokenizerFast",
        do_lower_case: true,
        unk_token: "[UNK]",
        pad_token: "[PAD]",
      },
    },
  ],
  [
    "the class in config.json",
    {
      "config.json": { model_type: "bert", tokenizer_class: "PreTrainedTokenizerFast" },
      "tokenizer_config.json": { do_lower_case: true, pad_token: "[PAD]" },
    },
  ],
  ["an unknown class", { "tokenizer_config.json": { tokenizer_class: "NoSuchTokenizer", pad_token: "[PAD]" } }],
];

const cased = {
  ...bertJson,
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: false,
  },
};
const words = { ...bertJson, normalizer: { type: "Lowercase" }, pre_tokenizer: { type: "Whitespace" } };

/** Later files over earlier ones; JSON of one name is put together. */
function over(...folders: readonly Folder[]): Folder {
  const out: Record<string, unknown> = {};
  for (const folder of folders)
    for (const [name, content] of Object.entries(folder))
      out[name] =
        typeof content === "object" && typeof out[name] === "object"
          ? { ...(out[name] as object), ...content }
          : content;
  return out;
}

const config = (content: Readonly<Record<string, unknown>>): Folder => ({ "tokenizer_config.json": content });

/** Folders by name. */
export const FOLDERS: readonly (readonly [string, Folder])[] = [
  ...declarations(bertSize, "[MASK]").flatMap(([name, files]) => [
    [`BERT, vocab.txt: ${name}`, over(bertTxt, config({ tokenizer_class: "BertTokenizer" }), files)] as const,
    [`BERT, tokenizer.json: ${name}`, over(bert, files)] as const,
    [
      `PreTrainedTokenizerFast, tokenizer.json: ${name}`,
      over(bert, config({ tokenizer_class: "PreTrainedTokenizerFast", pad_token: "[PAD]", unk_token: "[UNK]" }), files),
    ] as const,
  ]),
  ...declarations(robertaSize, "<mask>").flatMap(([name, files]) => [
    [`RoBERTa, vocab.json: ${name}`, over(robertaTxt, files)] as const,
    [
      `RoBERTa, tokenizer.json: ${name}`,
      over(roberta, config({ tokenizer_class: "RobertaTokenizer" }), files),
    ] as const,
  ]),
  ...bertSettings.flatMap(([name, files]) => [
    [`BERT, uncased tokenizer.json: ${name}`, over(bert, files)] as const,
    [`BERT, cased tokenizer.json: ${name}`, over({ ...bert, "tokenizer.json": cased }, files)] as const,
    [`BERT, other steps in tokenizer.json: ${name}`, over({ ...bert, "tokenizer.json": words }, files)] as const,
  ]),
  ...[true, false].flatMap((add_prefix_space) => [
    [
      `RoBERTa, tokenizer.json: add_prefix_space ${add_prefix_space}`,
      over(roberta, config({ add_prefix_space })),
    ] as const,
    [
      `RoBERTa, vocab.json: add_prefix_space ${add_prefix_space}`,
      over(robertaTxt, config({ add_prefix_space, trim_offsets: false })),
    ] as const,
    [
      `bytes as stored: add_prefix_space ${add_prefix_space}`,
      over(roberta, config({ tokenizer_class: "PreTrainedTokenizerFast", pad_token: "<pad>", add_prefix_space })),
    ] as const,
  ]),
  ["T5, five sentinels", over(t5, config(json("t5/tokenizer_config.json")))],
  ["T5, tokenizer.json alone", t5],
  [
    "T5, special tokens of its own",
    over(t5, config({ tokenizer_class: "T5Tokenizer", additional_special_tokens: ["[USR]"], extra_ids: 0 })),
  ],
  [
    "T5, sentinels in special_tokens_map.json",
    over(
      t5,
      { "special_tokens_map.json": { additional_special_tokens: ["<extra_id_0>", "<extra_id_1>"] } },
      config({ extra_ids: 2 }),
    ),
  ],
  [
    "T5, other tokens in special_tokens_map.json",
    over(t5, { "special_tokens_map.json": { additional_special_tokens: ["[USR]"] } }, config({ extra_ids: 8 })),
  ],
  [
    "T5's file in BERT, as XLM-RoBERTa",
    over(t5, { "config.json": { model_type: "bert" } }, config({ tokenizer_class: "XLMRobertaTokenizer" })),
  ],
  [
    "vocab.txt with odd lines",
    {
      ...bertTxt,
      "vocab.txt": `${golden("bert-legacy/vocab.txt").trimEnd().replaceAll("\n", "\r\n")}\r\ncovid \n\n the\u3000\ncovid`,
    },
  ],
];
