// The k smallest of many numbers, equal ones taken from the front: what a stable ascending sort puts first.
import type { ZeroMask } from "./zero-mask.ts";

/** Adds the `count` smallest of `metric` to the mask, element 0 standing at `offset`. @see `torch.sort(stable=True)`. */
export function addSmallest(mask: ZeroMask, metric: Float32Array, count: number, offset = 0): void {
  if (count <= 0) return;
  const threshold = metric.slice().sort()[Math.min(count, metric.length) - 1]!;
  let ties = count;
  for (const value of metric) if (value < threshold) ties--;
  for (let i = 0; i < metric.length; i++) {
    if (metric[i]! < threshold) mask.add(offset + i);
    else if (metric[i] === threshold && ties > 0) {
      mask.add(offset + i);
      ties--;
    }
  }
}

/** How many of `size` a ratio takes; rounded down, as Python's `int(size * ratio)`. */
export function shareOf(size: number, ratio: number): number {
  return Math.trunc(size * ratio);
}

const BUCKETS = 1 << 16;

/**
 * The threshold below which the `count` smallest magnitudes of a stream lie, found without sorting or holding them: the bits of a
 * positive float32 order as whole numbers do, so two counts of 16 bits each give the value exactly.
 */
export class MagnitudeSelector {
  readonly #high = new Float64Array(BUCKETS);
  readonly #low = new Float64Array(BUCKETS);

  /** First pass: every number once. */
  countHigh(values: Float32Array): void {
    for (const bits of bitsOf(values)) this.#high[(bits & 0x7fffffff) >>> 16]!++;
  }

  /** Second pass, over the same numbers: `bucket` from `bucketOf`. */
  countLow(values: Float32Array, bucket: number): void {
    for (const bits of bitsOf(values)) if ((bits & 0x7fffffff) >>> 16 === bucket) this.#low[bits & 0xffff]!++;
  }

  /** The high bits of the `count`-th smallest. */
  bucketOf(count: number): number {
    return reach(this.#high, count).bucket;
  }

  /** The `count`-th smallest magnitude, as bits, and how many equal to it belong to the `count` smallest. */
  threshold(count: number): { readonly bits: number; readonly ties: number } {
    const high = reach(this.#high, count);
    const low = reach(this.#low, count - high.before);
    return { bits: high.bucket * BUCKETS + low.bucket, ties: count - high.before - low.before };
  }
}

function reach(counts: Float64Array, wanted: number): { readonly bucket: number; readonly before: number } {
  let before = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket]!;
    if (before + count >= wanted) return { bucket, before };
    before += count;
  }
  return { bucket: counts.length - 1, before };
}

/** The bits of float32 numbers. */
export function bitsOf(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}
