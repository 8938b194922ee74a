// Which class of transformers opens a folder's tokenizer: what that class says of the steps wins over tokenizer.json.

import { UnsupportedError } from "../../errors.ts";
import { entryOf } from "../../tensor/index.ts";

/** A class that builds its own steps over a vocabulary, or one that takes tokenizer.json as it is. */
export type TokenizerKind = "bert" | "roberta" | "t5" | "xlm-roberta" | "as-stored";

/** Names of the classes that build the same steps, without `Fast`. */
const CLASSES: Readonly<Record<Exclude<TokenizerKind, "as-stored">, readonly string[]>> = {
  bert: [
    "BertTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
    "LayoutLMTokenizer",
    "SqueezeBertTokenizer",
    "ConvBertTokenizer",
    "LxmertTokenizer",
    "DPRContextEncoderTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRReaderTokenizer",
  ],
  roberta: ["RobertaTokenizer", "BartTokenizer", "LEDTokenizer", "LongformerTokenizer"],
  t5: ["T5Tokenizer"],
  "xlm-roberta": ["XLMRobertaTokenizer"],
};

/** Classes that tokenise in Python, by rules that no tokenizer.json holds. */
const IN_PYTHON = [
  "BertJapaneseTokenizer",
  "BertweetTokenizer",
  "PhobertTokenizer",
  "ByT5Tokenizer",
  "MyT5Tokenizer",
  "CanineTokenizer",
  "EsmTokenizer",
  "LukeTokenizer",
  "RoCBertTokenizer",
  "TapasTokenizer",
];

/** The class that transformers takes for a model type where nothing names one. */
const BY_MODEL_TYPE: Readonly<Record<string, TokenizerKind>> = {
  bert: "bert",
  distilbert: "bert",
  electra: "bert",
  mt5: "t5",
  nomic_bert: "bert",
  roberta: "roberta",
  t5: "t5",
  "xlm-roberta": "xlm-roberta",
};

/** The class that is written for each kind: transformers builds the same steps for it. */
export const WRITTEN_CLASSES: Readonly<Record<TokenizerKind, string>> = {
  bert: "BertTokenizer",
  roberta: "RobertaTokenizer",
  t5: "T5Tokenizer",
  "xlm-roberta": "XLMRobertaTokenizer",
  "as-stored": "PreTrainedTokenizerFast",
};

/**
 * The kind of the class that transformers' AutoTokenizer would open a folder with; null where the folder does not say.
 *
 * @param named - `tokenizer_class` of tokenizer_config.json, else of config.json.
 * @throws {UnsupportedError} for a class that tokenises in Python.
 * @see transformers `models/auto/tokenization_auto.py`
 */
export function tokenizerKind(named: string | null, modelType: string | null): TokenizerKind | null {
  const usual = modelType === null ? null : (entryOf(BY_MODEL_TYPE, modelType) ?? "as-stored");
  if (named === null) return usual;
  const plain = named.replace(/Fast$/, "");
  if (IN_PYTHON.includes(plain)) {
    throw new UnsupportedError(
      `the tokenizer class ${named} of tokenizer_config.json, whose rules are written in Python`,
      [...Object.values(CLASSES).flat(), "PreTrainedTokenizerFast"],
    );
  }
  for (const [kind, names] of Object.entries(CLASSES)) if (names.includes(plain)) return kind as TokenizerKind;
  return "as-stored";
}
