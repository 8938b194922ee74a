// Tiny T5s for the tests of export and bench, and what our own programs say of them.

import { openGenerator } from "../../src/infer/index.ts";
import { openMergedModel } from "../../src/load/merged-model.ts";
import type { EncoderDecoderModel } from "../../src/models/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { untrained } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64, type Tensor } from "../../src/tensor/index.ts";
import { type TinyT5Options, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples } from "../support/tiny-model.ts";

const V11 = { feed_forward_proj: "gated-gelu", tie_word_embeddings: false };

/** Configurations by name: both releases, and one whose MLPs a compression cut. */
export const TINY_T5S = {
  "v1.0": { feed_forward_proj: "relu", tie_word_embeddings: true },
  "v1.1": V11,
  "cut v1.0": { feed_forward_proj: "relu", tie_word_embeddings: true, mlp_sizes: [7, 0, 0, 19], mlp_bias: true },
  "cut v1.1": { ...V11, num_decoder_layers: 3, mlp_sizes: [32, 5, 0, 1, 24], mlp_bias: true },
} as const;
export type TinyT5 = keyof typeof TINY_T5S;

/** Writes one with numbers large enough that it writes something else for each text. */
export function writeVariedT5(folder: string, name: TinyT5, { config, ...rest }: TinyT5Options = {}): Promise<void> {
  const sizeOf = (weight: string) => (/shared|lm_head/.test(weight) ? 1 : 0.6);
  return writeTinyT5(folder, { sizeOf, seed: 5, ...rest, config: { ...TINY_T5S[name], ...config } });
}

/** Prompts of several lengths. */
export const PROMPTS: readonly string[] = tinyExamples(128, 7).map(({ text }) => text);

/** A T5 opened by our own code. */
export async function openTiny(folder: string) {
  const environment = nodeEnvironment();
  const frozen = await openMergedModel(environment, { kind: "model", model: folder, adapter: null }, {});
  const model = frozen.model as EncoderDecoderModel;
  const { tokenizer } = frozen.opened.base;
  const ids = (texts: readonly string[]) => texts.map((text) => Array.from(tokenizer.encode(text).ids));
  return {
    model,
    weights: frozen.weights,
    ids,
    text: (tokenIds: readonly number[]) => tokenizer.decode(tokenIds),
    /** Greedy texts as token ids, with the token that ends them. */
    generated: async (texts: readonly string[], maxNewTokens: number): Promise<number[][]> => {
      const backend = nodeBackend({ threads: 1 });
      const generator = await openGenerator({ model, method: untrained(), weights: frozen.weights, backend });
      const written = await generator.generate(new Map(), { inputs: paddedInputs(ids(texts)) }, { maxNewTokens });
      await generator.dispose();
      return written.map(([best]) => [...best!.tokenIds]);
    },
  };
}

/** Rows of token ids as one batch, padded on the right. */
export function paddedInputs(rows: readonly (readonly number[])[]): { tokenIds: Tensor; attentionMask: Tensor } {
  const width = Math.max(...rows.map(({ length }) => length));
  const table = (of: (row: readonly number[], column: number) => number) =>
    int64(
      [rows.length, width],
      rows.flatMap((row) => Array.from({ length: width }, (_, column) => of(row, column))),
    );
  return {
    tokenIds: table((row, column) => row[column] ?? 0),
    attentionMask: table((row, column) => Number(column < row.length)),
  };
}
