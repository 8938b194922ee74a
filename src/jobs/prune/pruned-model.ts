// The record of a pruned base for a model that was made from it: its zeros counted anew, as long as they are all there.
import { zeroCount } from "../../prune/index.ts";
import type { PrunedLayer, Pruning } from "../../runs/index.ts";
import { elementCount, type Weights } from "../../tensor/index.ts";

/** What became of a base's zeros. */
export interface ZerosKept {
  /** With the zeros of the new matrices; null when some were filled. */
  readonly pruning: Pruning | null;
  /** Share of the zeros that should be there and are filled, in [0, 1]. */
  readonly lost: number;
}

/**
 * Counts the zeros of `weights` layer by layer, those without a matrix left out. `before` has the same matrices with nothing
 * but the zeros of the base kept in them: as many as there have to be here.
 */
export async function zerosKept(pruning: Pruning, before: Weights, weights: Weights): Promise<ZerosKept> {
  const layers: PrunedLayer[] = [];
  let [expected, filled] = [0, 0];
  for (const { name } of pruning.layers) {
    const weight = weights.get(name);
    if (weight === undefined) continue;
    const zeros = zeroCount(await weight.read());
    const own = zeroCount(await before.get(name)!.read());
    layers.push({ name, zeros, size: elementCount(weight.shape) });
    expected += own;
    filled += Math.max(0, own - zeros);
  }
  if (layers.length === 0) return { pruning: null, lost: 0 };
  if (filled > 0) return { pruning: null, lost: filled / expected };
  const sum = (key: "zeros" | "size") => layers.reduce((total, layer) => total + layer[key], 0);
  return { pruning: { ...pruning, sparsity: sum("zeros") / sum("size"), layers }, lost: 0 };
}
