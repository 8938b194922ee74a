// Which weights of a model are pruned: the linear layers of its blocks.
import type { Weights } from "../../tensor/index.ts";

/** The path of the block that a parameter belongs to, `bert.encoder.layer.3`; null outside blocks. */
export function blockOf(name: string): string | null {
  return /^(?:.*?\.)?(?:layer|block)\.\d+(?=\.)/.exec(name)?.[0] ?? null;
}

/**
 * Names of the matrices of linear layers inside blocks, in the order of the model: embeddings, norms, pooler and head stay whole.
 * @see Sun et al. 2023, 4: "excluding the first embedding layer and the final classification head".
 */
export function prunableWeights(weights: Weights): string[] {
  return [...weights]
    .flatMap(([name, { shape }]) =>
      name.endsWith(".weight") && shape.length === 2 && blockOf(name) !== null && !isTable(name) ? [name] : [],
    )
    .sort((a, b) => Number(isDecoder(a)) - Number(isDecoder(b)) || a.localeCompare(b, "en", { numeric: true }));
}

/** Reads what the encoder says, so it comes after. */
const isDecoder = (name: string): boolean => name.startsWith("decoder.");

const isTable = (name: string): boolean => /embedding|relative_attention_bias/.test(name);
