// Magnitude pruning: the smallest weights of a layer, of each group of inputs, or of all layers become zero.
import type { Weights } from "../../tensor/index.ts";
import { addGroups } from "./groups.ts";
import type { PrunePattern } from "./recipe.ts";
import { addSmallest, bitsOf, MagnitudeSelector, shareOf } from "./smallest.ts";
import { ZeroMask } from "./zero-mask.ts";

/**
 * The mask of one layer `[out, in]`: the smallest |W| of the whole matrix, of equal ones the first, or all but N of each M inputs.
 * @see Han et al. 2015; ties as `torch.sort(W.abs().flatten(), stable=True)`.
 */
export function magnitudeMask(weight: Float32Array, inFeatures: number, pattern: PrunePattern): ZeroMask {
  const mask = new ZeroMask(weight.length);
  const metric = weight.map(Math.abs);
  if (pattern.kind === "ratio") addSmallest(mask, metric, shareOf(metric.length, pattern.ratio));
  else {
    for (let row = 0; row < metric.length; row += inFeatures)
      addGroups(mask, metric.subarray(row, row + inFeatures), row, pattern);
  }
  return mask;
}

/**
 * Masks of the named float32 weights that make zero the smallest |W| of all of them together, of equal ones those of the first
 * names. Reads each weight three times and holds none of them.
 */
export async function globalMagnitudeMasks(
  weights: Weights,
  names: readonly string[],
  ratio: number,
): Promise<Map<string, ZeroMask>> {
  const read = async (name: string) => (await weights.get(name)!.read()).data as Float32Array;
  const selector = new MagnitudeSelector();
  let total = 0;
  for (const name of names) {
    const values = await read(name);
    selector.countHigh(values);
    total += values.length;
  }
  const count = shareOf(total, ratio);
  const masks = new Map<string, ZeroMask>();
  const bucket = selector.bucketOf(count);
  for (const name of names) selector.countLow(await read(name), bucket);
  const threshold = selector.threshold(count);
  let { ties } = threshold;
  for (const name of names) {
    const bits = bitsOf(await read(name));
    const mask = new ZeroMask(bits.length);
    for (let i = 0; count > 0 && i < bits.length; i++) {
      const magnitude = bits[i]! & 0x7fffffff;
      if (magnitude < threshold.bits) mask.add(i);
      else if (magnitude === threshold.bits && ties-- > 0) mask.add(i);
    }
    masks.set(name, mask);
  }
  return masks;
}
