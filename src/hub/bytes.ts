// Byte arrays joined and seen as numbers.
import { type DType, elementCount, type Tensor, type TypedArray, wrap } from "../tensor/index.ts";

/** The chunks one after another in one array. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}

/** The elements of `shape` over little-endian `bytes`, copied only when they are not aligned for `dtype`. */
export function numbersOf(dtype: DType, shape: readonly number[], bytes: Uint8Array): TypedArray {
  const length = elementCount(shape);
  if (length === 0) return wrap(dtype, new ArrayBuffer(0), 0, 0);
  const aligned = bytes.byteOffset % (bytes.byteLength / length) === 0 ? bytes : bytes.slice();
  return wrap(dtype, aligned.buffer, aligned.byteOffset, length);
}

/** A tensor's bytes, little endian, not copied. */
export function tensorBytes({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
