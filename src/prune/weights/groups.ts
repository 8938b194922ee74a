// N:M sparsity: of every M inputs in a row, N stay.
import type { PrunePattern } from "./recipe.ts";
import { addSmallest } from "./smallest.ts";
import type { ZeroMask } from "./zero-mask.ts";

/**
 * Adds the M − N smallest of each group of M in a row that stands at `offset` in the mask; of equal ones the first. A last, shorter
 * group keeps N too.
 */
export function addGroups(
  mask: ZeroMask,
  row: Float32Array,
  offset: number,
  { kept, of }: Extract<PrunePattern, { kind: "n-of-m" }>,
): void {
  for (let from = 0; from < row.length; from += of) {
    const group = row.subarray(from, from + of);
    addSmallest(mask, group, group.length - kept, offset + from);
  }
}
