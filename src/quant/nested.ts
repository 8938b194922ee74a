// Double quantisation: the scales of NF4 blocks themselves in 8 bits, around their mean.

/** Scales that share a scale of their own. */
export const NESTED_BLOCK = 256;

const SMALLEST_SCALE = Math.fround(1e-38);

/** Scales in 8 bits: `NESTED_LEVELS[codes[i]] · absmax[i / 256] + offset`. */
export interface NestedScales {
  /** `[n]` */
  readonly codes: Uint8Array;
  /** `[⌈n / 256⌉]` */
  readonly absmax: Float32Array;
  /** The mean of the scales, float32. */
  readonly offset: number;
}

/**
 * The 256 levels of the dynamic data type, ascending: seven decades, each with twice the levels of the one below.
 * @see Dettmers 2016, 8-Bit Approximations for Parallelism in Deep Learning; bitsandbytes `create_dynamic_map()`.
 */
export const NESTED_LEVELS: Float32Array = dynamicLevels();

function dynamicLevels(): Float32Array {
  const levels = [0, 1];
  for (let decade = 0; decade < 7; decade++) {
    const count = 2 ** decade;
    const scale = Math.fround(10 ** (decade - 6));
    for (let i = 0; i < count; i++) {
      const middle = Math.fround(Math.fround(boundary(i, count) + boundary(i + 1, count)) / 2);
      levels.push(Math.fround(scale * middle), -Math.fround(scale * middle));
    }
  }
  return Float32Array.from(levels).sort();
}

/** `torch.linspace(0.1, 1, count + 1)[i]` in float32: from the nearer end, rounded once (a fused multiply–add). */
function boundary(i: number, count: number): number {
  const start = Math.fround(0.1);
  const step = Math.fround(Math.fround(1 - start) / count);
  return Math.fround(i < (count + 1) / 2 ? start + step * i : 1 - step * (count - i));
}

const MIDPOINTS = NESTED_LEVELS.slice(0, 255).map((level, i) => Math.fround(level + NESTED_LEVELS[i + 1]!) / 2);

/**
 * Scales in 8 bits: the nearest level of each, less the mean and over the largest of its 256.
 * The mean is exact and then rounded; torch's, in bitsandbytes, may differ in the last bit with the machine.
 * @see QLoRA, section 3; bitsandbytes `quantize_4bit(…, compress_statistics=True)`, its reference kernel.
 */
export function nestScales(scales: Float32Array, offset = meanOf(scales)): NestedScales {
  const codes = new Uint8Array(scales.length);
  const absmax = new Float32Array(Math.ceil(scales.length / NESTED_BLOCK));
  for (let block = 0; block < absmax.length; block++) {
    const [start, end] = [block * NESTED_BLOCK, Math.min(scales.length, (block + 1) * NESTED_BLOCK)];
    const isFull = end - start === NESTED_BLOCK;
    let largest = isFull ? 0 : SMALLEST_SCALE;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(Math.fround(scales[i]! - offset)));
    absmax[block] = largest;
    const inverse = Math.fround(1 / Math.max(largest, SMALLEST_SCALE));
    for (let i = start; i < end; i++) {
      const centred = Math.fround(scales[i]! - offset);
      codes[i] = nearest(Math.fround(isFull ? centred * inverse : centred / largest));
    }
  }
  return { codes, absmax, offset };
}

/** The scales that nested ones stand for, float32 at each step as the graph computes them. */
export function unnestScales({ codes, absmax, offset }: NestedScales): Float32Array {
  const scales = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) {
    const scaled = Math.fround(NESTED_LEVELS[codes[i]!]! * absmax[Math.floor(i / NESTED_BLOCK)]!);
    scales[i] = scaled + offset;
  }
  return scales;
}

function meanOf(scales: Float32Array): number {
  let sum = 0;
  for (const scale of scales) sum += scale;
  return scales.length === 0 ? 0 : Math.fround(sum / scales.length);
}

/** How many midpoints lie below x: a midpoint belongs to the lower level. */
function nearest(x: number): number {
  let [low, high] = [0, 255];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (MIDPOINTS[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}
