// Ops that take axes away.
import { ShapeError } from "../../errors.ts";
import { normalizeAxis, printShape } from "../dim.ts";
import type { Value } from "../value.ts";

interface ReduceOptions {
  /** All axes when absent. */
  readonly axes?: readonly number[];
  readonly keepDims?: boolean;
}

function reduce(
  op: "reduceSum" | "reduceMean" | "reduceMax",
  x: Value,
  { axes, keepDims = false }: ReduceOptions,
): Value {
  const rank = x.shape.length;
  const all = axes ?? x.shape.map((_, i) => i);
  const normal = [...new Set(all.map((axis) => normalizeAxis(op, axis, rank, x.graph.site)))].sort((a, b) => a - b);
  if (normal.length === 0) return x;
  if (op === "reduceMax") refuseEmpty(op, x, normal);
  const shape = x.shape.flatMap((dim, i) => (!normal.includes(i) ? [dim] : keepDims ? [1] : []));
  return x.graph.apply(op, [x], { axes: normal, keepDims }, [{ dtype: x.dtype, shape }])[0]!;
}

function refuseEmpty(op: string, x: Value, axes: readonly number[]): void {
  if (axes.every((axis) => x.shape[axis] !== 0)) return;
  throw new ShapeError(op, "at least one element along the axis", [printShape(x.shape)], x.graph.site);
}

/** The sum over `axes`. */
export const reduceSum = (x: Value, options: ReduceOptions = {}): Value => reduce("reduceSum", x, options);
/** The mean over `axes`; over no elements it is 0. */
export const reduceMean = (x: Value, options: ReduceOptions = {}): Value => reduce("reduceMean", x, options);
/**
 * The largest over `axes`; no gradient.
 * @throws {ShapeError} when an axis has no elements.
 */
export const reduceMax = (x: Value, options: ReduceOptions = {}): Value => reduce("reduceMax", x, options);

/**
 * Index of the largest along `axis`, the axis taken away, int64; the first of equals.
 * @throws {ShapeError} when the axis has no elements.
 */
export function argMax(x: Value, axis: number): Value {
  const at = normalizeAxis("argMax", axis, x.shape.length, x.graph.site);
  refuseEmpty("argMax", x, [at]);
  const shape = x.shape.filter((_, i) => i !== at);
  return x.graph.apply("argMax", [x], { axis: at }, [{ dtype: "int64", shape }])[0]!;
}

/** Running sum along `axis`, the element itself included. */
export function cumSum(x: Value, axis: number): Value {
  const at = normalizeAxis("cumSum", axis, x.shape.length, x.graph.site);
  return x.graph.apply("cumSum", [x], { axis: at }, [{ dtype: x.dtype, shape: x.shape }])[0]!;
}
