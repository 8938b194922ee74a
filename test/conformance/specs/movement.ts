// Cases of ops that move numbers without changing them.
import fc from "fast-check";
import {
  concat,
  type Dim,
  dimension,
  expand,
  gather,
  iota,
  multiplyDims,
  nonzero,
  pad,
  reduceSum,
  reshape,
  type Shape,
  scatterAdd,
  shapeSize,
  slice,
  sliceFrom,
  transpose,
} from "../../../src/graph/index.ts";
import type { DType } from "../../../src/tensor/index.ts";
import {
  cases,
  type Domain,
  dim,
  domainOf,
  floats,
  fullDim,
  narrowed,
  normal,
  shape,
  stored,
  withAxis,
} from "../case.ts";

/** Other shapes of as many elements. */
function reshapes(from: Shape): Shape[] {
  const merged = from.length < 2 ? from : [multiplyDims(from[0]!, from[1]!), ...from.slice(2)];
  return [[shapeSize(from)], [1, ...from], [...from, 1, 1], merged, [...from].reverse(), from];
}

/** Ranges of an axis: static ones inside it, or up to an end that only the run knows. */
function ranges(size: Dim): fc.Arbitrary<{ start: Dim; length: Dim }> {
  if (size === "B")
    return fc.constantFrom<{ start: Dim; length: Dim }>({ start: 0, length: "B" }, { start: "B", length: 0 });
  if (typeof size === "string") {
    const all = { start: 0, length: size };
    return fc.constantFrom<{ start: Dim; length: Dim }>(all, { start: 0, length: 1 }, { start: "S+-1", length: 1 });
  }
  return fc.nat(size).chain((start) => fc.nat(size - start).map((length) => ({ start, length })));
}

const amount = fc.constantFrom<Dim>(0, 1, 2, "B", "S");

/** Rows `0 … rows − 1`; a row is only drawn when there is one. */
const rowsBelow =
  (rows: Dim): Domain =>
  (random, sizes) =>
    random.integer(typeof rows === "number" ? rows : sizes.get(rows)!);
const indexDtype = fc.constantFrom<DType>("int64", "int32");

export const movement = {
  reshape: cases(
    fc
      .record({ from: shape(), dtype: stored, which: fc.nat(5) })
      .map(({ from, dtype, which }) => ({ from, dtype, to: reshapes(from)[which]! }))
      .map(({ from, dtype, to }) => ({
        label: `reshape to [${to.join(", ")}]`,
        inputs: [{ shape: from, dtype, domain: domainOf(dtype) }],
        build: ([x]) => [reshape(x!, to)],
      })),
  ),
  transpose: cases(
    shape()
      .chain((shape) => {
        const axes = shape.map((_, axis) => axis);
        const perms = fc.shuffledSubarray(axes, { minLength: axes.length });
        return fc.record({ shape: fc.constant(shape), perm: perms, dtype: stored });
      })
      .map(({ shape, perm, dtype }) => ({
        label: `transpose to (${perm.join(", ")})`,
        inputs: [{ shape, dtype, domain: domainOf(dtype) }],
        build: ([x]) => [transpose(x!, perm)],
      })),
  ),
  expand: cases(
    shape()
      .chain((to) => fc.record({ to: fc.constant(to), from: narrowed(to), dtype: stored }))
      .map(({ to, from, dtype }) => ({
        label: `expand to [${to.join(", ")}]`,
        inputs: [{ shape: from, dtype, domain: domainOf(dtype) }],
        build: ([x]) => [expand(x!, to)],
        tolerance: "f32Elementwise",
      })),
  ),
  concat: cases(
    fc
      .record({
        at: withAxis(shape(1)),
        lengths: fc.array(dim, { minLength: 1, maxLength: 3 }),
        twice: fc.boolean(),
        dtype: stored,
      })
      .map(({ at: { shape, axis }, lengths, twice, dtype }) => ({
        label: `concat along ${axis}${twice ? ", the first again" : ""}`,
        inputs: lengths.map((length) => ({ shape: [...shape].with(axis, length), dtype, domain: domainOf(dtype) })),
        build: (xs) => [concat(twice ? [...xs, xs[0]!] : xs, axis)],
      })),
  ),
  slice: cases(
    withAxis(shape(1))
      .chain(({ shape, axis }) =>
        fc.record({
          shape: fc.constant(shape),
          axis: fc.constant(axis),
          range: ranges(shape.at(axis)!),
          toEnd: fc.boolean(),
          dtype: stored,
        }),
      )
      .map(({ shape, axis, range: { start, length }, toEnd, dtype }) => ({
        label: `slice of axis ${axis} from ${start}${toEnd ? "" : ` by ${length}`}`,
        inputs: [{ shape, dtype, domain: domainOf(dtype) }],
        build: ([x]) => [toEnd ? sliceFrom(x!, axis, start) : slice(x!, axis, start, length)],
      })),
  ),
  pad: cases(
    fc
      .record({ at: withAxis(shape(1)), before: amount, after: amount, dtype: stored })
      .map(({ at: { shape, axis }, before, after, dtype }) => ({
        label: `pad axis ${axis} by ${before}, ${after}`,
        inputs: [{ shape, dtype, domain: domainOf(dtype) }],
        build: ([x]) => [pad(x!, axis, before, after)],
      })),
  ),
  gather: cases(
    fc
      .record({ rows: fullDim, rest: shape(0, 2), places: shape(0, 2), dtype: stored, indices: indexDtype })
      .map(({ rows, rest, places, dtype, indices }) => ({
        label: "gather",
        inputs: [
          { shape: [rows, ...rest], dtype, domain: domainOf(dtype) },
          { shape: places, dtype: indices, domain: rowsBelow(rows) },
        ],
        build: ([data, at]) => [gather(data!, at!)],
      })),
  ),
  nonzero: cases(
    fc
      .record({
        length: dim,
        rest: shape(0, 1),
        dtype: fc.constantFrom<DType>("float32", "int64", "int32", "bool"),
        none: fc.boolean(),
      })
      .map(({ length, rest, dtype, none }) => ({
        label: `nonzero${none ? " of zeros" : ""}, and rows gathered there`,
        inputs: [
          { shape: [length], dtype, domain: (random) => (none ? 0 : random.integer(2)) },
          { shape: [length, ...rest], dtype: "float32", domain: normal },
        ],
        build: ([x, rows], graph) => {
          const at = nonzero(x!);
          const found = gather(rows!, at);
          const size = at.shape[0]!;
          // the size itself and what is made of it alone; which elements are 0 has no slope
          const counted = [at, dimension(graph, size), iota(graph, size), reduceSum(found, { axes: [0] })];
          return dtype === "float32" ? [...counted, reduceSum(x!)] : counted;
        },
        tolerance: "f32Gemm",
      })),
  ),
  scatterAdd: cases(
    fc
      .record({ rows: fullDim, rest: shape(0, 2), places: shape(0, 2), dtype: floats, indices: indexDtype })
      .map(({ rows, rest, places, dtype, indices }) => ({
        label: `scatterAdd into ${rows} rows`,
        inputs: [
          { shape: [...places, ...rest], dtype, domain: normal },
          { shape: places, dtype: indices, domain: rowsBelow(rows) },
        ],
        build: ([updates, at]) => [scatterAdd(updates!, at!, rows)],
        tolerance: "f32Elementwise",
      })),
  ),
};
