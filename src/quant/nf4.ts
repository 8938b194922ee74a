// NF4: sixteen levels at the quantiles of a normal distribution, one scale for each block of 64 numbers.
import { NF4_LEVELS } from "../graph/index.ts";

/** Numbers that share a scale. */
const NF4_BLOCK = 64;

/** Below this a block's largest number counts as this: its reciprocal must be finite. As bitsandbytes has it. */
const SMALLEST_SCALE = Math.fround(1e-38);

const CELLS = 32;
/** The number of levels' midpoints below `cell / 32 − 1`: no cell holds two midpoints, so one comparison finishes. */
const FIRST_CODE = new Uint8Array(2 * CELLS + 2);
/** `MIDPOINTS[i]` lies between level i and i + 1; nothing lies above the last. */
const MIDPOINTS = new Float32Array(16).fill(Number.POSITIVE_INFINITY);
for (let i = 0; i < 15; i++) MIDPOINTS[i] = Math.fround(NF4_LEVELS[i]! + NF4_LEVELS[i + 1]!) / 2;
for (let cell = 0; cell < FIRST_CODE.length; cell++) {
  FIRST_CODE[cell] = MIDPOINTS.filter((midpoint) => midpoint < cell / CELLS - 1).length;
}

/** The largest magnitude of each block of 64: `[n]` float32 → `[⌈n / 64⌉]`. NaN where a block holds one. */
export function nf4Scales(values: Float32Array): Float32Array {
  const scales = new Float32Array(Math.ceil(values.length / NF4_BLOCK));
  for (let block = 0; block < scales.length; block++) {
    const end = Math.min(values.length, (block + 1) * NF4_BLOCK);
    let largest = 0;
    for (let i = block * NF4_BLOCK; i < end; i++) {
      const magnitude = Math.abs(values[i]!);
      // NaN wins, and stays as nothing is larger
      if (magnitude > largest || Number.isNaN(magnitude)) largest = magnitude;
    }
    // a last block that is not full has its smallest scale stored, as in bitsandbytes
    scales[block] = end % NF4_BLOCK === 0 ? largest : Math.max(largest, SMALLEST_SCALE);
  }
  return scales;
}

/**
 * The nearest level of each number over its block's scale, two in a byte, the first in the high bits: `[⌈n / 2⌉]`.
 * The same codes as bitsandbytes 0.50 `quantize_4bit(…, blocksize=64, quant_type="nf4")`: a midpoint belongs to the
 * lower level, and arithmetic is float32, a product with the reciprocal for full blocks and a quotient for the last.
 */
export function nf4Codes(values: Float32Array, scales: Float32Array): Uint8Array {
  const { length } = values;
  const codes = new Uint8Array((length + 1) >> 1);
  const full = length - (length % NF4_BLOCK);
  for (let i = 0; i < full; ) {
    const inverse = Math.fround(1 / Math.max(scales[i / NF4_BLOCK]!, SMALLEST_SCALE));
    for (const end = i + NF4_BLOCK; i < end; i += 2) {
      codes[i >> 1] =
        (nearest(Math.fround(values[i]! * inverse)) << 4) | nearest(Math.fround(values[i + 1]! * inverse));
    }
  }
  const scale = scales[scales.length - 1]!;
  for (let i = full; i < length; i += 2) {
    const second = i + 1 < length ? values[i + 1]! : 0;
    codes[i >> 1] = (nearest(Math.fround(values[i]! / scale)) << 4) | nearest(Math.fround(second / scale));
  }
  return codes;
}

/** The code of a number in [−1, 1]. */
function nearest(x: number): number {
  const code = FIRST_CODE[((x + 1) * CELLS) | 0]!;
  return x > MIDPOINTS[code]! ? code + 1 : code;
}

/** `level · scale` of `length` codes: what the codes stand for. */
export function nf4Values(codes: Uint8Array, scales: Float32Array, length: number): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const byte = codes[i >> 1]!;
    values[i] = NF4_LEVELS[i & 1 ? byte & 15 : byte >> 4]! * scales[(i / NF4_BLOCK) | 0]!;
  }
  return values;
}
