// Host numbers: a dtype, a shape and a typed array in row-major order.
import { ShapeError } from "../errors.ts";
import { allocate, type DType, type TypedArray } from "./dtype.ts";

/** Host numbers in row-major order; `data.length` is the product of `shape`. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

/**
 * A tensor over `data`, not copied.
 * @throws {ShapeError} when the shape does not hold as many elements as `data`.
 */
export function tensor(dtype: DType, shape: readonly number[], data: TypedArray): Tensor {
  if (elementCount(shape) !== data.length) {
    throw new ShapeError("tensor", `${elementCount(shape)} elements for [${shape.join(", ")}]`, [`${data.length}`]);
  }
  return { dtype, shape, data };
}

/** A float32 tensor from plain numbers. */
export function float32(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return tensor("float32", shape, values instanceof Float32Array ? values : Float32Array.from(values));
}

/** An int64 tensor from plain integers. */
export function int64(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return tensor("int64", shape, BigInt64Array.from(Array.from(values, (v) => BigInt(v))));
}

/** A tensor of zeros. */
export function zeros(dtype: DType, shape: readonly number[]): Tensor {
  return { dtype, shape, data: allocate(dtype, elementCount(shape)) };
}

/** The only element of a tensor of one element, as a number. */
export function scalarOf(t: Tensor): number {
  if (t.data.length !== 1) throw new ShapeError("scalarOf", "one element", [`[${t.shape.join(", ")}]`]);
  return Number(t.data[0]);
}
