// Tokenizers of many shapes for a comparison with the Rust library: every step of tokenizer.json, alone and in sequences.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TokenizerJson } from "../../src/data/index.ts";
import { wellFormed } from "../../src/data/tokenizer/unicode.ts";

type Stage = Readonly<Record<string, unknown>> & { readonly type: string };
type Json = Omit<TokenizerJson, "normalizer" | "pre_tokenizer"> & {
  readonly normalizer: Stage | null;
  readonly pre_tokenizer: Stage | null;
};

const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL("../golden/tokenizers/golden.json", import.meta.url)), "utf8"),
) as { readonly cases: readonly { readonly text: string }[] };

/** Texts that show where tokenizers differ: accents, scripts, spaces, digits, punctuation, and what looks like an added token. */
export const TEXTS: readonly string[] = [
  ...new Set([
    ...golden.cases.map(({ text }) => text).filter((text) => text.length < 300),
    "Café à la crème, naïve façade; Ænima Łódź žluťoučký kůň, Straße ǅ ŉ ﬁn",
    "cafe\u0301 nai\u0308ve A\u030a\u0323 o\u0302\u0323 \u1100\u1161\u11a8 \u09c7\u09be \u0b47\u0b56 \uff76\uff9e \u0344 \u1e9b\u0323",
    'state-of-the-art: it\'s (well...) "quoted" – “curly” ¿qué? ¡sí! a,,b;;c a.b.c !!! ... x!?y',
    "x_1 __init__ a\u200db a\u200cb ١٢٣ ½ Ⅷ ② 1,234.5 v2.0 3x4 ٣a 1²",
    " leading, two  spaces,   three\ttab\nline\r\nend ",
    "\u2581word \u2581\u2581two ab\u2581cd _under_ a-b--c d---e",
    "the [USR] said covid19 to [ENT]dog [USR][ENT]covid19x xcovid19 [usr] covid19, COVID19",
    "  [USR]  the [ENT]  dog  covid19  café caféx thecafé é[USR]é [USR]1 ",
    "dog dogs dog-dog dog. underdog DOG Dog\u0301",
    "東京タワー tower トウキョウ이다 한국 ไทย עברית \u3000全角\u3000スペース",
    "I'll we've can't DON'T 'S'D l'été d'accord",
    "a\u0000b \u0007 c\u0085d \u00a0e\u2028f\u2029g\u3000h\ufefff",
  ]),
];

const CHARACTERS = [...new Set(TEXTS.flatMap((text) => Array.from(wellFormed(text))))].filter(
  (char) => char !== "\ufffd",
);
const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const WORDS = [
  "the",
  "dog",
  "said",
  "to",
  "café",
  "cafe",
  "a",
  "b",
  "it",
  "word",
  "one",
  "l'",
  "été",
  "state",
  "of",
  "art",
  "in",
  "en",
  "th",
  "do",
  "og",
];

const numbered = (tokens: readonly string[]) =>
  Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));
/** Every character by itself, but every seventh, so that some are unknown. */
const letters = CHARACTERS.filter((char, i) => i % 7 !== 0 || /[a-zé]/.test(char));

const WORD_PIECE = {
  type: "WordPiece",
  unk_token: "[UNK]",
  continuing_subword_prefix: "##",
  max_input_chars_per_word: 30,
  vocab: numbered([...SPECIAL, ...letters, ...letters.map((char) => `##${char}`), ...WORDS, "##og", "##fé", "##th"]),
};

const MERGES = [
  ["t", "h"],
  ["th", "e"],
  ["d", "o"],
  ["o", "g"],
  ["do", "g"],
  ["c", "a"],
  ["ca", "f"],
  ["caf", "é"],
  ["s", "t"],
  ["a", "a"],
  ["l", "l"],
  ["▁", "a"],
  ["▁", "the"],
  ["Ġ", "the"],
  ["Ġ", "d"],
];
const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
const ALPHABET = Array.from({ length: 0x144 }, (_, code) => String.fromCharCode(code)).filter(
  (char) => char.trim() !== "",
);
const bpe = (also: Readonly<Record<string, unknown>> = {}, tokens: readonly string[] = []) => ({
  type: "BPE",
  dropout: null,
  unk_token: "[UNK]",
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
  vocab: numbered([
    ...SPECIAL,
    ...letters,
    ...ALPHABET,
    "▁",
    "é",
    "c",
    "a",
    "f",
    ...MERGES.map((pair) => pair.join("")),
    ...tokens,
  ]),
  merges: MERGES,
  ...also,
});

const UNIGRAM = {
  type: "Unigram",
  unk_id: 1,
  byte_fallback: false,
  vocab: [
    ...SPECIAL.map((token) => [token, 0]),
    ...letters.map((char, i) => [char, -6 - (i % 11) / 7]),
    ...WORDS.flatMap((w, i) =>
      w.length < 2
        ? []
        : [
            [w, -3 - i / 9],
            [`▁${w}`, -2.5 - i / 9],
          ],
    ),
    ["▁", -4],
    ["▁a", -3.2],
    ["▁▁", -5],
  ].filter(([piece], i, all) => all.findIndex(([other]) => other === piece) === i),
};

const WORD_LEVEL = {
  type: "WordLevel",
  unk_token: "[UNK]",
  vocab: numbered([...SPECIAL, ...CHARACTERS, ...WORDS, "▁the", "▁dog", "▁"]),
};

const token = (content: string, id: number, flags: Readonly<Record<string, boolean>> = {}) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: true,
  special: false,
  ...flags,
});
const specials = SPECIAL.map((content, id) => token(content, id, { special: true, normalized: false }));
const added = (flags: Readonly<Record<string, boolean>>) => [
  ...specials,
  ...["[USR]", "[ENT]", "covid19", "dog", "Café"].map((content, i) => token(content, 5000 + i, flags)),
];

const TEMPLATE = {
  type: "TemplateProcessing",
  single: [
    { SpecialToken: { id: "[CLS]", type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { SpecialToken: { id: "[SEP]", type_id: 0 } },
  ],
  pair: [
    { SpecialToken: { id: "[CLS]", type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { SpecialToken: { id: "[SEP]", type_id: 0 } },
    { Sequence: { id: "B", type_id: 1 } },
    { SpecialToken: { id: "[SEP]", type_id: 1 } },
  ],
  special_tokens: {
    "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
    "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
  },
};

const of = (parts: Partial<Json>): Json =>
  ({
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials,
    normalizer: null,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: TEMPLATE,
    decoder: null,
    model: WORD_PIECE,
    ...parts,
  }) as Json;

const BERT = {
  type: "BertNormalizer",
  clean_text: true,
  handle_chinese_chars: true,
  strip_accents: null,
  lowercase: true,
};
const sequence = (...normalizers: Stage[]): Stage => ({ type: "Sequence", normalizers });
const then = (...pretokenizers: Stage[]): Stage => ({ type: "Sequence", pretokenizers });
const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"];
const metaspace = (prepend_scheme = "always", split = true): Stage => ({
  type: "Metaspace",
  replacement: "▁",
  prepend_scheme,
  split,
});
const bytes = (add_prefix_space: boolean, use_regex = true): Stage => ({
  type: "ByteLevel",
  add_prefix_space,
  trim_offsets: true,
  use_regex,
});
const REPLACES: readonly (readonly [string, Stage])[] = [
  ["Replace a text", { type: "Replace", pattern: { String: "the" }, content: "le" }],
  ["Replace by nothing", { type: "Replace", pattern: { String: "a" }, content: "" }],
  ["Replace runs of spaces", { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }],
  ["Replace a class", { type: "Replace", pattern: { Regex: "[^\\w\\s]+" }, content: "¤¤" }],
];

/** Normalisers by name. */
export const NORMALIZERS: readonly (readonly [string, Stage])[] = [
  ...[true, false].flatMap((lowercase) =>
    [null, true, false].flatMap((strip_accents) =>
      [true, false].map(
        (clean_text) =>
          [
            `BertNormalizer lowercase ${lowercase} accents ${strip_accents} clean ${clean_text}`,
            { ...BERT, lowercase, strip_accents, clean_text, handle_chinese_chars: clean_text === lowercase },
          ] as const,
      ),
    ),
  ),
  ...["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"].map((type) => [type, { type }] as const),
  ["Strip both", { type: "Strip", strip_left: true, strip_right: true }],
  ["Strip left", { type: "Strip", strip_left: true, strip_right: false }],
  ["Strip right", { type: "Strip", strip_left: false, strip_right: true }],
  ["Prepend", { type: "Prepend", prepend: "▁" }],
  ["Prepend two", { type: "Prepend", prepend: "x_" }],
  ["ByteLevel", { type: "ByteLevel" }],
  ...REPLACES,
  ["NFD, Lowercase, StripAccents", sequence({ type: "NFD" }, { type: "Lowercase" }, { type: "StripAccents" })],
  [
    "NFKC, Strip, Replace",
    sequence(
      { type: "NFKC" },
      { type: "Strip", strip_left: true, strip_right: true },
      { type: "Replace", pattern: { Regex: "\\s+" }, content: "▁" },
    ),
  ],
  [
    "Prepend, Replace",
    sequence({ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }),
  ],
  ["StripAccents alone behind NFKD", sequence({ type: "NFKD" }, { type: "StripAccents" })],
];

const PATTERNS: readonly (readonly [string, unknown])[] = [
  ["a text", { String: "-" }],
  ["two spaces", { String: "  " }],
  ["\\s+", { Regex: "\\s+" }],
  ["\\w+", { Regex: "\\w+" }],
  ["digits", { Regex: "\\d|\\p{N}" }],
  [
    "GPT-4",
    {
      Regex:
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    },
  ],
  [
    "possessive",
    {
      Regex:
        "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
    },
  ],
  [
    "case classes",
    { Regex: "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|\\p{N}|[^\\s\\p{L}\\p{N}]+" },
  ],
  ["look-behind", { Regex: "(?<=[a-z])(?=[A-Z0-9])|(?<!\\w)\\d" }],
  ["class intersection", { Regex: "[\\p{L}&&[^a-m]]+" }],
  ["Bloom", { Regex: " ?[^(\\s|[.,!?…。，、।۔،])]+" }],
  ["nested repeats", { Regex: "(a+)+$" }],
  ["lines and edges", { Regex: "^\\s|\\s$|\\b1|\\Bo" }],
];

/** Pre-tokenisers by name. */
export const PRE_TOKENIZERS: readonly (readonly [string, Stage])[] = [
  ...["BertPreTokenizer", "Whitespace", "WhitespaceSplit"].map((type) => [type, { type }] as const),
  ...BEHAVIORS.map((behavior) => [`Punctuation ${behavior}`, { type: "Punctuation", behavior }] as const),
  ...[true, false].map(
    (individual_digits) => [`Digits ${individual_digits}`, { type: "Digits", individual_digits }] as const,
  ),
  ...PATTERNS.flatMap(([name, pattern]) =>
    BEHAVIORS.flatMap((behavior) =>
      [false, true].map(
        (invert) =>
          [
            `Split ${name} ${behavior} ${invert ? "inverted" : ""}`,
            { type: "Split", pattern, behavior, invert },
          ] as const,
      ),
    ),
  ),
  ...["always", "first", "never"].flatMap((scheme) =>
    [true, false].map((split) => [`Metaspace ${scheme} split ${split}`, metaspace(scheme, split)] as const),
  ),
  ["Metaspace of another character", { type: "Metaspace", replacement: "_", prepend_scheme: "always", split: true }],
  ...[true, false].flatMap((space) =>
    [true, false].map((regex) => [`ByteLevel prefix ${space} regex ${regex}`, bytes(space, regex)] as const),
  ),
  ["CharDelimiterSplit", { type: "CharDelimiterSplit", delimiter: "-" }],
  ["FixedLength", { type: "FixedLength", length: 4 }],
  ["Metaspace, Punctuation", then(metaspace(), { type: "Punctuation", behavior: "Isolated" })],
  ["Punctuation, Metaspace", then({ type: "Punctuation", behavior: "Isolated" }, metaspace())],
  ["WhitespaceSplit, Metaspace", then({ type: "WhitespaceSplit" }, metaspace())],
  ["WhitespaceSplit, Metaspace first", then({ type: "WhitespaceSplit" }, metaspace("first"))],
  [
    "Whitespace, Digits, Punctuation",
    then(
      { type: "Whitespace" },
      { type: "Digits", individual_digits: true },
      { type: "Punctuation", behavior: "Contiguous" },
    ),
  ],
  [
    "Split, ByteLevel",
    then(
      { type: "Split", pattern: { Regex: "\\p{N}{1,3}" }, behavior: "Isolated", invert: false },
      bytes(false, false),
    ),
  ],
  ["Digits, ByteLevel", then({ type: "Digits", individual_digits: true }, bytes(true))],
];

/** Whole tokenizers by name: models, added tokens and post-processors with steps that suit them. */
export const PIPELINES: readonly (readonly [string, Json])[] = [
  ...NORMALIZERS.map(
    ([name, normalizer]) =>
      [
        `${name} → WordPiece`,
        of({ normalizer, pre_tokenizer: { type: "BertPreTokenizer" }, added_tokens: added({}) }),
      ] as const,
  ),
  ...NORMALIZERS.map(
    ([name, normalizer]) =>
      [
        `${name} → Unigram`,
        of({
          normalizer,
          pre_tokenizer: metaspace("first"),
          model: UNIGRAM,
          added_tokens: added({ special: true, normalized: false }),
        }),
      ] as const,
  ),
  ...PRE_TOKENIZERS.map(
    ([name, pre_tokenizer]) => [`${name} → WordLevel`, of({ pre_tokenizer, model: WORD_LEVEL })] as const,
  ),
  ...PRE_TOKENIZERS.map(
    ([name, pre_tokenizer]) =>
      [
        `${name} → BPE`,
        of({ pre_tokenizer, model: bpe(), normalizer: { type: "Lowercase" }, added_tokens: added({}) }),
      ] as const,
  ),
  ...[
    {},
    { fuse_unk: true },
    { byte_fallback: true },
    { byte_fallback: true, fuse_unk: true },
    { ignore_merges: true },
    { unk_token: null },
    { unk_token: null, byte_fallback: true },
  ].map(
    (also) =>
      [
        `BPE ${JSON.stringify(also)}`,
        of({
          pre_tokenizer: metaspace(),
          model: bpe(also, "byte_fallback" in also ? BYTES : ["word", "said", "▁dog"]),
        }),
      ] as const,
  ),
  [
    "BPE with a suffix",
    of({
      pre_tokenizer: { type: "Whitespace" },
      model: bpe(
        {
          end_of_word_suffix: "</w>",
          merges: [
            ["t", "h"],
            ["th", "e</w>"],
            ["o", "g</w>"],
          ],
        },
        ["e</w>", "the</w>", "g</w>", "og</w>", "d</w>", "a</w>"],
      ),
    }),
  ],
  [
    "BPE with a prefix",
    of({
      pre_tokenizer: { type: "Whitespace" },
      model: bpe(
        {
          continuing_subword_prefix: "##",
          merges: [
            ["t", "##h"],
            ["th", "##e"],
            ["##o", "##g"],
          ],
        },
        [...letters.map((char) => `##${char}`), "##og"],
      ),
    }),
  ],
  [
    "Unigram byte fallback",
    of({
      pre_tokenizer: metaspace(),
      model: { ...UNIGRAM, byte_fallback: true, vocab: [...UNIGRAM.vocab, ...BYTES.map((byte) => [byte, -20])] },
    }),
  ],
  [
    "Unigram, no words",
    of({
      pre_tokenizer: null,
      normalizer: sequence({ type: "NFKC" }, { type: "Replace", pattern: { String: " " }, content: "▁" }),
      model: UNIGRAM,
    }),
  ],
  ...[
    {},
    { single_word: true },
    { lstrip: true },
    { rstrip: true },
    { lstrip: true, rstrip: true },
    { normalized: false },
    { special: true, normalized: false },
    { single_word: true, normalized: false },
    { single_word: true, lstrip: true, rstrip: true },
    { special: true, normalized: true, lstrip: true },
  ].flatMap((flags) =>
    (
      [
        ["BERT", BERT, { type: "BertPreTokenizer" }, WORD_PIECE],
        ["NFC", { type: "NFC" }, metaspace("first"), UNIGRAM],
        ["Prepend", { type: "Prepend", prepend: "▁" }, { type: "Whitespace" }, WORD_LEVEL],
        ["bytes", null, bytes(true), bpe()],
      ] as const
    ).map(
      ([name, normalizer, pre_tokenizer, model]) =>
        [
          `added ${JSON.stringify(flags)} ${name}`,
          of({ normalizer, pre_tokenizer, model, added_tokens: added(flags) }),
        ] as const,
    ),
  ),
  [
    "bytes, RoBERTa's ends",
    of({
      pre_tokenizer: bytes(false),
      model: bpe(),
      post_processor: {
        type: "RobertaProcessing",
        sep: ["[SEP]", 3],
        cls: ["[CLS]", 2],
        trim_offsets: true,
        add_prefix_space: false,
      },
    }),
  ],
  [
    "bytes, RoBERTa's ends, a space",
    of({
      pre_tokenizer: bytes(true),
      model: bpe(),
      added_tokens: added({ lstrip: true }),
      post_processor: {
        type: "RobertaProcessing",
        sep: ["[SEP]", 3],
        cls: ["[CLS]", 2],
        trim_offsets: true,
        add_prefix_space: true,
      },
    }),
  ],
  ["bytes, trimmed, no ends", of({ pre_tokenizer: bytes(true), model: bpe(), post_processor: bytes(true) })],
  [
    "bytes, a sequence of ends",
    of({
      pre_tokenizer: bytes(false),
      model: bpe(),
      post_processor: { type: "Sequence", processors: [bytes(false), TEMPLATE] },
    }),
  ],
  [
    "BertProcessing",
    of({
      normalizer: BERT,
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] },
    }),
  ],
  ["no ends", of({ normalizer: BERT, pre_tokenizer: { type: "BertPreTokenizer" }, post_processor: null })],
];

/** Decoders by name, each with a model whose tokens it is made for. */
export const DECODERS: readonly (readonly [string, Stage | null])[] = [
  ["none", null],
  ...[true, false].map(
    (cleanup) => [`WordPiece cleanup ${cleanup}`, { type: "WordPiece", prefix: "##", cleanup }] as const,
  ),
  ["ByteLevel", bytes(true)],
  ...["always", "first", "never"].map((scheme) => [`Metaspace ${scheme}`, metaspace(scheme)] as const),
  ["BPEDecoder", { type: "BPEDecoder", suffix: "</w>" }],
  ["CTC", { type: "CTC", pad_token: "[PAD]", word_delimiter_token: "|", cleanup: true }],
  ["Fuse", { type: "Fuse" }],
  // the Rust library panics where both ends take the same character
  ["Strip at the start", { type: "Strip", content: "a", start: 1, stop: 0 }],
  ["Strip at the end", { type: "Strip", content: "a", start: 0, stop: 1 }],
  ["Replace", { type: "Replace", pattern: { String: "▁" }, content: " " }],
  ["ByteFallback", { type: "ByteFallback" }],
  [
    "Llama's",
    {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  ],
];

const DECODED = [
  ...SPECIAL,
  "the",
  "##og",
  "▁dog",
  "▁",
  "a",
  "aa",
  "baab",
  "caa",
  "</w>",
  "of</w>",
  ".",
  "'s",
  "do",
  "not",
  "n't",
  "|",
  "é",
  "Ġthe",
  "Ã",
  "©",
  "Ċ",
  "Ġ",
  "日本",
  "<0xC3>",
  "<0xA9>",
  "<0xFF>",
  "<0x41>",
];

/** A tokenizer with that decoder, and a vocabulary of what decoders treat apart. */
export const decodingWith = (decoder: Stage | null): Json =>
  of({
    decoder,
    model: { type: "WordLevel", unk_token: "[UNK]", vocab: numbered(DECODED) },
    added_tokens: [
      ...specials,
      token("[USR]", DECODED.length, {}),
      token("[ENT]", DECODED.length + 1, { special: true }),
    ],
  });

/** The ids of `decodingWith`, and one that no token has. */
export const DECODED_IDS = DECODED.length + 3;
