// Which weights of a model are pruned: the linear layers of its blocks.
import { blockLinears, type Model } from "../../models/index.ts";
import type { Weights } from "../../tensor/index.ts";

/** A matrix that is pruned, and the path of its block. */
export interface PrunableWeight {
  readonly name: string;
  readonly block: string;
}

/**
 * The matrices of linear layers inside blocks, in the order of the model: embeddings, norms, pooler and head stay whole.
 * @see Sun et al. 2023, 4: "excluding the first embedding layer and the final classification head".
 */
export function prunableWeights(model: Model, weights: Pick<Weights, "has">): PrunableWeight[] {
  return blockLinears(model)
    .map(({ path, part }) => ({ name: `${path}.weight`, block: part.path, stack: part.stack }))
    .filter(({ name }) => weights.has(name))
    .sort(
      (a, b) =>
        // a decoder reads what the encoder says, so it comes after
        Number(a.stack === "decoder") - Number(b.stack === "decoder") ||
        a.name.localeCompare(b.name, "en", { numeric: true }),
    )
    .map(({ name, block }) => ({ name, block }));
}
