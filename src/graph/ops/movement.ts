// Ops that move numbers without changing them.
import { ShapeError } from "../../errors.ts";
import {
  addDims,
  broadcastShapes,
  type Dim,
  normalizeAxis,
  printShape,
  type Shape,
  sameShape,
  shapeSize,
  subtractDims,
} from "../dim.ts";
import type { Graph } from "../graph.ts";
import { isOp } from "../graph.ts";
import type { Value } from "../value.ts";

/**
 * The same numbers in row-major order under another shape.
 * @throws {ShapeError} when the sizes differ.
 */
export function reshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (shapeSize(x.shape) !== shapeSize(shape)) {
    throw new ShapeError("reshape", "as many elements", [printShape(x.shape), printShape(shape)], x.graph.site);
  }
  const source = isOp(x.node, "reshape") ? x.node.inputs[0]! : x;
  if (sameShape(source.shape, shape)) return source;
  return x.graph.apply("reshape", [source], { shape }, [{ dtype: x.dtype, shape }])[0]!;
}

/** Axes in the order `perm`. */
export function transpose(x: Value, perm: readonly number[]): Value {
  if (perm.length !== x.shape.length || new Set(perm).size !== perm.length) {
    throw new ShapeError(
      "transpose",
      `a permutation of ${x.shape.length} axes`,
      [`[${perm.join(", ")}]`],
      x.graph.site,
    );
  }
  if (perm.every((axis, i) => axis === i)) return x;
  const shape = perm.map((axis) => x.shape[normalizeAxis("transpose", axis, x.shape.length, x.graph.site)]!);
  return x.graph.apply("transpose", [x], { perm }, [{ dtype: x.dtype, shape }])[0]!;
}

/** The value repeated along axes of size 1, or new leading axes, up to `shape`. */
export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes("expand", x.shape, shape, x.graph.site), shape)) {
    throw new ShapeError(
      "expand",
      `a shape that broadcasts to ${printShape(shape)}`,
      [printShape(x.shape)],
      x.graph.site,
    );
  }
  return x.graph.apply("expand", [x], { shape }, [{ dtype: x.dtype, shape }])[0]!;
}

/** Values one after another along `axis`. */
export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0];
  if (!first) throw new ShapeError("concat", "at least one value", ["none"]);
  if (values.length === 1) return first;
  const at = normalizeAxis("concat", axis, first.shape.length, first.graph.site);
  let length: Dim = 0;
  for (const value of values) {
    const fits = value.dtype === first.dtype && value.shape.length === first.shape.length;
    if (!fits || value.shape.some((dim, i) => i !== at && dim !== first.shape[i])) {
      throw new ShapeError(
        "concat",
        `values alike but for axis ${at}`,
        values.map((v) => `${v.dtype}${printShape(v.shape)}`),
        first.graph.site,
      );
    }
    length = addDims(length, value.shape[at]!);
  }
  const shape = first.shape.map((dim, i) => (i === at ? length : dim));
  return first.graph.apply("concat", values, { axis: at }, [{ dtype: first.dtype, shape }])[0]!;
}

/** `length` elements from `start` along `axis`. */
export function slice(x: Value, axis: number, start: Dim, length: Dim): Value {
  const at = normalizeAxis("slice", axis, x.shape.length, x.graph.site);
  const size = x.shape[at]!;
  const negative = [start, length].some((dim) => typeof dim === "number" && dim < 0);
  const end = addDims(start, length);
  if (negative || (typeof size === "number" && typeof end === "number" && end > size)) {
    throw new ShapeError("slice", `a range inside ${size} elements`, [`${start} + ${length}`], x.graph.site);
  }
  if (start === 0 && length === size) return x;
  const shape = x.shape.map((dim, i) => (i === at ? length : dim));
  return x.graph.apply("slice", [x], { axis: at, start, length }, [{ dtype: x.dtype, shape }])[0]!;
}

/** Element `index` along `axis`, the axis taken away. */
export function select(x: Value, axis: number, index: number): Value {
  const at = normalizeAxis("select", axis, x.shape.length, x.graph.site);
  return reshape(
    slice(x, at, index, 1),
    x.shape.filter((_, i) => i !== at),
  );
}

/** Zeros before and after along `axis`. */
export function pad(x: Value, axis: number, before: Dim, after: Dim): Value {
  const at = normalizeAxis("pad", axis, x.shape.length, x.graph.site);
  if ([before, after].some((dim) => typeof dim === "number" && dim < 0)) {
    throw new ShapeError("pad", "amounts from 0 up", [`${before} and ${after}`], x.graph.site);
  }
  if (before === 0 && after === 0) return x;
  const shape = x.shape.map((dim, i) => (i === at ? addDims(addDims(before, dim), after) : dim));
  return x.graph.apply("pad", [x], { axis: at, before, after }, [{ dtype: x.dtype, shape }])[0]!;
}

/** The part of axis `axis` from `start` to the end. */
export function sliceFrom(x: Value, axis: number, start: Dim): Value {
  const at = normalizeAxis("slice", axis, x.shape.length, x.graph.site);
  return slice(x, at, start, subtractDims(x.shape[at]!, start));
}

/** `0, 1, …, length − 1`, int64. */
export function iota(graph: Graph, length: Dim): Value {
  return graph.apply("iota", [], { length }, [{ dtype: "int64", shape: [length] }])[0]!;
}

/** A size as an int64 scalar. */
export function dimension(graph: Graph, dim: Dim): Value {
  if (typeof dim === "number") return graph.scalar(dim, "int64");
  return graph.apply("dimension", [], { dim }, [{ dtype: "int64", shape: [] }])[0]!;
}
