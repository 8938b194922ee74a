// Cases of ops that sum over axes or look along one: products, reductions, normalisation.
import fc from "fast-check";
import {
  argMax,
  cumSum,
  dequantize,
  layerNorm,
  logSoftmax,
  matmul,
  reduceMax,
  reduceMean,
  reduceSum,
  type Shape,
  softmax,
  storedShapes,
  type Value,
} from "../../../src/graph/index.ts";
import type { DType } from "../../../src/tensor/index.ts";
import {
  type Case,
  cases,
  domainOf,
  floats,
  fullDim,
  grid,
  integers,
  narrowed,
  normal,
  numbers,
  positive,
  shape,
  withAxis,
} from "../case.ts";

interface ReduceOptions {
  readonly axes?: readonly number[];
  readonly keepDims: boolean;
}

/** A reduction over some axes, counted from either end, or over all. */
function reduction(
  op: (x: Value, options: ReduceOptions) => Value,
  shapes: fc.Arbitrary<Shape>,
  gradient: "flows" | "stops",
  dtypes: fc.Arbitrary<DType>,
): fc.Arbitrary<Case> {
  const axesOf = (rank: number) =>
    fc.option(
      fc
        .subarray(Array.from({ length: rank }, (_, axis) => axis))
        .chain((axes) => fc.boolean().map((back) => (back ? axes.map((axis) => axis - rank) : axes))),
    );
  return cases(
    shapes
      .chain((shape) =>
        fc.record({ shape: fc.constant(shape), axes: axesOf(shape.length), keepDims: fc.boolean(), dtype: dtypes }),
      )
      .map(({ shape, axes, keepDims, dtype }) => ({
        label: `${op.name} over ${axes ? `(${axes.join(", ")})` : "all"}${keepDims ? ", kept" : ""}`,
        inputs: [{ shape, dtype, domain: dtype.includes("int") ? integers : normal }],
        build: ([x]) => [op(x!, { ...(axes ? { axes } : {}), keepDims })],
        tolerance: "f32Gemm",
        gradient: axes?.length === 0 || shape.length === 0 ? "flows" : gradient,
      })),
  );
}

const full = shape(0, 3, fullDim);

const along = (op: (x: Value, axis: number) => Value, dtypes: fc.Arbitrary<DType> = floats) =>
  cases(
    fc.record({ at: withAxis(shape(1)), dtype: dtypes }).map(({ at: { shape, axis }, dtype }) => ({
      label: `${op.name} along ${axis}`,
      inputs: [{ shape, dtype, domain: domainOf(dtype) }],
      build: ([x]) => [op(x!, axis)],
      tolerance: "f32Gemm",
    })),
  );

const fullOr0 = fc.oneof({ arbitrary: fullDim, weight: 5 }, { arbitrary: fc.constant(0), weight: 1 });
// a batch that only some operands have, and that only the run knows, may not be empty
const batches = fc.oneof(shape(0, 2, fullOr0), fc.constant(["B"]), fc.constant(["B", "S"]));
const swapped = (shape: Shape, yes: boolean): Shape =>
  yes ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

export const contraction = {
  matmul: cases(
    fc
      .record({
        batch: batches.chain((batch) => fc.tuple(narrowed(batch), narrowed(batch), fc.constant(batch))),
        repeated: fc.nat(3),
        // B is a batch's size alone: products of batches refuse inner sizes of 0 that only the run knows
        sizes: fc.tuple(fullOr0, fc.constantFrom(0, 1, 2, 5, "S"), fullOr0),
        transA: fc.boolean(),
        transB: fc.boolean(),
        alpha: fc.constantFrom(1, 0.25),
        dtype: floats,
      })
      .map(({ batch: [left, right, whole], repeated, sizes: [m, k, n], transA, transB, alpha, dtype }) => ({
        label: `matmul${transA ? " transA" : ""}${transB ? " transB" : ""} alpha ${alpha}`,
        inputs: [
          {
            shape: swapped([...(repeated === 1 && !whole.includes("B") ? left : whole), m, k], transA),
            dtype,
            domain: normal,
          },
          {
            shape: swapped([...(repeated === 2 && !whole.includes("B") ? right : whole), k, n], transB),
            dtype,
            domain: normal,
          },
        ],
        build: ([a, b]) => [matmul(a!, b!, { transA, transB, alpha })],
        tolerance: "f32Gemm",
      })),
  ),

  dequantize: cases(
    fc
      .record({
        format: fc.constantFrom("nf4", "int4", "int8"),
        // whole blocks, parts of one, an odd count, rows of several
        shape: fc.constantFrom<[number, number]>([1, 1], [3, 5], [2, 32], [4, 16], [1, 64], [3, 40], [5, 26], [2, 96]),
        as: fc.constantFrom("input", "frozen"),
      })
      .map(({ format, shape, as }) => {
        const { codes, codesDtype, scales } = storedShapes(format, shape);
        return {
          label: `dequantize ${format} [${shape.join(", ")}]`,
          inputs: [
            {
              shape: codes,
              dtype: codesDtype,
              domain: (random) => random.integer(256) - (codesDtype === "int8" ? 128 : 0),
              as,
            },
            { shape: scales, dtype: "float32", domain: normal, as },
          ],
          build: ([x, scale]) => [dequantize(x!, scale!, format, shape)],
          tolerance: "f32Elementwise",
          gradient: "stops",
        };
      }),
  ),

  reduceSum: reduction(reduceSum, shape(), "flows", numbers),
  reduceMean: reduction(reduceMean, shape(), "flows", floats),
  reduceMax: reduction(reduceMax, full, "stops", numbers),
  argMax: cases(
    fc.record({ at: withAxis(shape(1, 3, fullDim)), dtype: numbers }).map(({ at: { shape, axis }, dtype }) => ({
      label: `argMax along ${axis}`,
      // the grid and the integers tie often: the first of equals wins
      inputs: [{ shape, dtype, domain: dtype.includes("int") ? integers : grid(0) }],
      build: ([x]) => [argMax(x!, axis)],
      gradient: "stops",
    })),
  ),
  cumSum: along(cumSum, numbers),

  softmax: along(softmax),
  logSoftmax: along(logSoftmax),
  layerNorm: cases(
    fc
      .record({
        lead: shape(0, 2),
        width: fc.constantFrom(1, 2, 3, 4, "S"),
        epsilon: fc.constantFrom(1e-5, 1e-2),
        wanted: fc.constantFrom([0], [0, 1], [2, 0], [0, 1, 2]),
      })
      .map(({ lead, width, epsilon, wanted }) => ({
        label: `layerNorm ε ${epsilon}, outputs ${wanted.join(", ")}`,
        inputs: [
          // on a grid, so that the spread of a row is 0 or far from it
          { shape: [...lead, width], dtype: "float32", domain: grid(0.1) },
          { shape: [width], dtype: "float32", domain: positive },
          { shape: [width], dtype: "float32", domain: normal },
        ],
        build: ([x, gamma, beta]) => {
          const { y, mean, invStd } = layerNorm(x!, gamma!, beta!, { epsilon });
          return wanted.map((which) => [y, mean, invStd][which]!);
        },
        tolerance: "f32Gemm",
      })),
  ),
};
