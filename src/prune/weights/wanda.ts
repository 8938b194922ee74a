// Wanda: weights by their magnitude times the norm of their input, compared among the inputs of one output.
import { addGroups } from "./groups.ts";
import type { PrunePattern } from "./recipe.ts";
import { addSmallest, shareOf } from "./smallest.ts";
import { ZeroMask } from "./zero-mask.ts";

/**
 * The mask of one layer `[out, in]` from the norm of each input feature over the calibration tokens, `[in]`: each row loses its
 * smallest `|W| · ‖X‖₂`, of equal ones the first.
 * @see Sun et al. 2023, eq. 1, and its public code: float32 products, `torch.sort(dim=-1, stable=True)`, `int(in · ratio)` a row.
 */
export function wandaMask(weight: Float32Array, inputNorms: Float32Array, pattern: PrunePattern): ZeroMask {
  const mask = new ZeroMask(weight.length);
  const inFeatures = inputNorms.length;
  const metric = new Float32Array(inFeatures);
  const count = pattern.kind === "ratio" ? shareOf(inFeatures, pattern.ratio) : 0;
  for (let row = 0; row < weight.length; row += inFeatures) {
    for (let i = 0; i < inFeatures; i++) metric[i] = Math.abs(weight[row + i]!) * inputNorms[i]!;
    if (pattern.kind === "ratio") addSmallest(mask, metric, count, row);
    else addGroups(mask, metric, row, pattern);
  }
  return mask;
}
