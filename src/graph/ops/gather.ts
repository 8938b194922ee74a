// Rows by index, their gradient, and which elements are not zero.
import { ShapeError } from "../../errors.ts";
import { type Dim, printShape, sameShape } from "../dim.ts";
import type { Value } from "../value.ts";

/**
 * Rows of `data` `[N, …]` at integer `indices`: `[…indices, …]`.
 * @throws {ShapeError} when the indices are not int32 or int64, or `data` has no axis.
 */
export function gather(data: Value, indices: Value): Value {
  checkIndices("gather", indices);
  if (data.shape.length === 0) throw new ShapeError("gather", "data of rank 1 or more", ["[]"], data.graph.site);
  const shape = [...indices.shape, ...data.shape.slice(1)];
  return data.graph.apply("gather", [data, indices], {}, [{ dtype: data.dtype, shape }])[0]!;
}

/**
 * Indices of the elements of `x` `[N]` that are not 0, ascending, int64. Their number is a size of its own, which the
 * run binds: the one axis of the result names it.
 * @throws {ShapeError} when `x` has not one axis.
 */
export function nonzero(x: Value): Value {
  if (x.shape.length !== 1) throw new ShapeError("nonzero", "one axis", [printShape(x.shape)], x.graph.site);
  const size = `nonzero${x.id}`;
  return x.graph.apply("nonzero", [x], { size }, [{ dtype: "int64", shape: [size] }])[0]!;
}

/** Zeros `[rows, …]` with rows of `updates` `[…indices, …]` added at `indices`; equal indices add up. */
export function scatterAdd(updates: Value, indices: Value, rows: Dim): Value {
  checkIndices("scatterAdd", indices);
  if (!sameShape(updates.shape.slice(0, indices.shape.length), indices.shape)) {
    throw new ShapeError(
      "scatterAdd",
      "updates that begin with the indices' shape",
      [printShape(updates.shape), printShape(indices.shape)],
      updates.graph.site,
    );
  }
  const shape = [rows, ...updates.shape.slice(indices.shape.length)];
  return updates.graph.apply("scatterAdd", [updates, indices], { rows }, [{ dtype: updates.dtype, shape }])[0]!;
}

function checkIndices(op: string, indices: Value): void {
  if (indices.dtype !== "int64" && indices.dtype !== "int32") {
    throw new ShapeError(op, "int32 or int64 indices", [indices.dtype], indices.graph.site);
  }
}
