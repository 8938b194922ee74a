// A tokenizer as the two files that other tools open: tokenizer.json and tokenizer_config.json, which give the same ids.
import { type Files, joinPath } from "../../tensor/index.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { forTransformersJs } from "./transformers-js.ts";

export interface WrittenTokenizerOptions {
  /** `model_max_length`: tokens that texts are cut to; null: as the tokenizer was opened with. */
  readonly maxLength: number | null;
  /** Say the steps as Transformers.js reads them. */
  readonly forTransformersJs?: boolean;
}

/** Writes the tokenizer that is in use into a folder, whatever files it came from. */
export async function writeTokenizer(
  files: Files,
  folder: string,
  tokenizer: Tokenizer,
  { maxLength, forTransformersJs: isForJs = false }: WrittenTokenizerOptions,
): Promise<void> {
  const { json, config } = tokenizer.files;
  const length = maxLength ?? tokenizer.maxLength;
  const said = { ...config, ...(length === null ? {} : { model_max_length: length }) };
  await files.write(joinPath(folder, "tokenizer.json"), text(isForJs ? forTransformersJs(json) : json));
  await files.write(joinPath(folder, "tokenizer_config.json"), wholeNumbers(text(said)));
}

const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Lines of JSON with whole numbers in digits alone: Python reads 1e+30, a length that nobody set, as a float, and wants an integer. */
const wholeNumbers = (lines: string): string =>
  lines.replace(/(?<=: )\d+(?:\.\d+)?e\+\d+(?=,?$)/gm, (number) => BigInt(Number(number)).toString());
