// Integers with scales: int8 with one scale a row, and int4 with one a block of 32, as MatMulNBits reads it.

/** Numbers of a row that share a scale in int4. */
export const INT4_BLOCK = 32;

/** Codes and their scales. */
export interface IntegerCodes<T> {
  readonly codes: T;
  readonly scales: Float32Array;
}

/** Added and taken away, it leaves a double rounded to the nearest whole number, ties to even. */
const ROUNDER = 1.5 * 2 ** 52;

/**
 * Symmetric int8, a scale for each row: `[N · K]` float32 → codes in [−127, 127] and scales `[N]`.
 * The same codes as bitsandbytes' `int8_vectorwise_quant`: `round(x · 127 / largest)`, ties to even.
 */
export function int8Codes(values: Float32Array, rows: number): IntegerCodes<Int8Array> {
  const columns = rows === 0 ? 0 : values.length / rows;
  const codes = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * columns, (row + 1) * columns];
    const largest = largestMagnitude(values, start, end);
    scales[row] = largest / 127;
    const inverse = Math.fround(127 / largest);
    // a row of zeros, or of numbers too small to divide by, stays zero
    if (!Number.isFinite(inverse)) continue;
    for (let i = start; i < end; i++) codes[i] = Math.fround(values[i]! * inverse) + ROUNDER - ROUNDER;
  }
  return { codes, scales };
}

/** `code · scale` of each number. */
export function int8Values({ codes, scales }: IntegerCodes<Int8Array>): Float32Array {
  const columns = scales.length === 0 ? 1 : codes.length / scales.length;
  const values = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) values[i] = codes[i]! * scales[Math.floor(i / columns)]!;
  return values;
}

/**
 * Symmetric int4, a scale for each block of 32 in a row, rows filled up to whole blocks with zeros:
 * `[N · K]` float32 → codes `[N · blocks · 16]`, the first of a pair in the low bits, 8 standing for 0, and scales `[N · blocks]`.
 * The number largest in magnitude becomes code 0, so that all sixteen codes are used.
 * @see ONNX Runtime `MatMulNBits` and the symmetric form of its block quantiser.
 */
export function int4Codes(values: Float32Array, rows: number): IntegerCodes<Uint8Array> {
  const columns = rows === 0 ? 0 : values.length / rows;
  const blocks = Math.ceil(columns / INT4_BLOCK);
  const codes = new Uint8Array((rows * blocks * INT4_BLOCK) / 2).fill(0x88);
  const scales = new Float32Array(rows * blocks);
  for (let block = 0; block < scales.length; block++) {
    const start = Math.floor(block / blocks) * columns + (block % blocks) * INT4_BLOCK;
    const count = Math.min(INT4_BLOCK, columns - (block % blocks) * INT4_BLOCK);
    const scale = Math.fround(signedLargest(values, start, start + count) / -8);
    const inverse = Math.fround(1 / scale);
    scales[block] = scale;
    if (!Number.isFinite(inverse)) continue;
    for (let i = 0; i < count; i++) {
      const code = Math.min(15, Math.max(0, Math.floor(Math.fround(Math.fround(values[start + i]! * inverse) + 8.5))));
      const at = (block * INT4_BLOCK + i) >> 1;
      codes[at] = i & 1 ? (codes[at]! & 0x0f) | (code << 4) : (codes[at]! & 0xf0) | code;
    }
  }
  return { codes, scales };
}

/** `(code − 8) · scale` of each number, `[N · columns]`. */
export function int4Values({ codes, scales }: IntegerCodes<Uint8Array>, rows: number, columns: number): Float32Array {
  const values = new Float32Array(rows * columns);
  const blocks = Math.ceil(columns / INT4_BLOCK);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = row * blocks * INT4_BLOCK + column;
      const byte = codes[at >> 1]!;
      values[row * columns + column] = ((at & 1 ? byte >> 4 : byte & 15) - 8) * scales[Math.floor(at / INT4_BLOCK)]!;
    }
  }
  return values;
}

function largestMagnitude(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) {
    const magnitude = Math.abs(values[i]!);
    if (magnitude > largest || Number.isNaN(magnitude)) largest = magnitude;
  }
  return largest;
}

function signedLargest(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) {
    if (Math.abs(values[i]!) > Math.abs(largest) || Number.isNaN(values[i]!)) largest = values[i]!;
  }
  return largest;
}
