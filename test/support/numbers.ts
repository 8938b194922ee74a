// Small n-dimensional arrays of float64, for references that are slow and plainly right.
import {
  allocate,
  type DType,
  float16ToFloat32,
  float32ToFloat16,
  type Tensor,
  tensor,
} from "../../src/tensor/index.ts";

/** Row-major numbers of any dtype, held as float64; bool as 0 and 1. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** An array filled by a function of the index. */
export function make(shape: readonly number[], at: (index: readonly number[]) => number): Numbers {
  return { shape, data: Float64Array.from(indices(shape), at) };
}

/** All indices of a shape in row-major order. */
export function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((index) => Array.from({ length: size }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The element at an index that may be of a shape this one broadcasts to. */
export function read(x: Numbers, index: readonly number[]): number {
  const lead = index.length - x.shape.length;
  return x.data[x.shape.reduce((offset, size, i) => offset * size + (size === 1 ? 0 : index[lead + i]!), 0)]!;
}

/** The shape both broadcast to, by NumPy's rule. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[a.length - rank + i] ?? 1, b[b.length - rank + i] ?? 1];
    return x === 1 ? y : x;
  });
}

/** The numbers as a tensor a program can be fed. */
export function toTensor(dtype: DType, { shape, data }: Numbers): Tensor {
  if (dtype === "float16") return tensor(dtype, shape, float32ToFloat16(Float32Array.from(data)));
  const out = allocate(dtype, data.length);
  data.forEach((value, i) => {
    if (out instanceof BigInt64Array || out instanceof BigUint64Array) out[i] = BigInt(value);
    else out[i] = value;
  });
  return tensor(dtype, shape, out);
}

/** A program's tensor as numbers. */
export function fromTensor({ dtype, shape, data }: Tensor): Numbers {
  const plain = dtype === "float16" ? float16ToFloat32(data as Uint16Array) : data;
  return { shape, data: Float64Array.from(plain as ArrayLike<number | bigint>, Number) };
}
