// Cases of ops that work on each element alone.
import fc from "fast-check";
import type { Value } from "../../../src/graph/index.ts";
import * as ops from "../../../src/graph/index.ts";
import type { DType } from "../../../src/tensor/index.ts";
import type { ToleranceName } from "../../support/close.ts";
import {
  bits,
  broadcastable,
  type Case,
  cases,
  type Domain,
  type Draft,
  domainOf,
  floats,
  grid,
  integers,
  naturals,
  normal,
  numbers,
  positive,
  shape,
  truth,
} from "../case.ts";

interface Options {
  readonly domains?: readonly Domain[];
  readonly tolerance?: ToleranceName;
  readonly gradient?: "flows" | "stops";
  readonly dtypes?: fc.Arbitrary<DType>;
}

const only = (...dtypes: DType[]) => fc.constantFrom(...dtypes);

function unary(op: (x: Value) => Value, options: Options = {}): fc.Arbitrary<Case> {
  const {
    domains: [domain = normal] = [],
    tolerance = "f32Elementwise",
    gradient = "flows",
    dtypes = floats,
  } = options;
  return cases(
    fc.record({ dtype: dtypes, shape: shape() }).map(({ dtype, shape }) => ({
      label: op.name,
      inputs: [{ shape, dtype, domain: dtype.includes("int") ? domainOf(dtype) : domain }],
      build: ([x]) => [op(x!)],
      tolerance,
      gradient,
    })),
  );
}

function binary(op: (a: Value, b: Value) => Value, options: Options = {}): fc.Arbitrary<Case> {
  return cases(binaryDraft(op, options));
}

function binaryDraft(op: (a: Value, b: Value) => Value, options: Options): fc.Arbitrary<Draft> {
  const { domains = [normal, normal], tolerance = "f32Elementwise", gradient = "flows", dtypes = numbers } = options;
  return fc.record({ dtype: dtypes, shapes: broadcastable(2), same: fc.integer({ min: 0, max: 7 }) }).map((drawn) => {
    const { dtype, shapes, same } = drawn;
    // an operand may be the other one itself, as in a square
    const operands = same === 0 && tolerance !== "exact" && !dtype.includes("int") ? [shapes[0]!] : shapes;
    return {
      label: op.name,
      inputs: operands.map((shape, i) => ({
        shape,
        dtype,
        domain: !dtype.includes("int") ? domains[i]! : op === ops.div && i === 1 ? naturals : domainOf(dtype),
      })),
      build: ([a, b]) => [op(a!, b ?? a!)],
      tolerance,
      gradient,
    };
  });
}

const compare = (op: (a: Value, b: Value) => Value) =>
  binary(op, { domains: [grid(0), grid(0)], tolerance: "exact", gradient: "stops" });
const logical = (op: (a: Value, b: Value) => Value) =>
  binary(op, { domains: [truth, truth], tolerance: "exact", gradient: "stops", dtypes: only("bool") });
const unsigned = (op: (a: Value, b: Value) => Value, ...dtypes: DType[]) =>
  cases(
    fc.record({ dtype: only(...dtypes), shapes: broadcastable(2) }).map(({ dtype, shapes }) => ({
      label: op.name,
      inputs: shapes.map((shape, i) => ({
        shape,
        dtype,
        domain: dtype === "uint8" || i === 1 ? (random) => random.integer(8) : bits,
      })),
      build: ([a, b]) => [op(a!, b!)],
      gradient: "stops",
    })),
  );

/** Two operands three times out of four, else one and a number. */
const mostly = (two: fc.Arbitrary<Draft>, ...numbers: fc.Arbitrary<Draft>[]) =>
  fc.oneof(two, two, two, fc.oneof(...numbers));

/** A number for one operand: the graph gives it the other's dtype. */
const withNumber = (label: string, op: (x: Value, n: number) => Value, domain: Domain, ...ns: number[]) =>
  fc.record({ dtype: floats, shape: shape(), n: fc.constantFrom(...ns) }).map(
    ({ dtype, shape, n }): Draft => ({
      label: `${label} ${n}`,
      inputs: [{ shape, dtype, domain }],
      build: ([x]) => [op(x!, n)],
      tolerance: "f32Elementwise",
    }),
  );

const CAST_TO: readonly DType[] = ["float32", "float64", "float16", "int64", "int32", "uint8", "bool"];
const steps: Options = { domains: [grid(0.1)], tolerance: "f32Elementwise" };

export const elementwise = {
  neg: unary(ops.neg, { dtypes: numbers, tolerance: "exact" }),
  exp: unary(ops.exp, { tolerance: "f32Approximation" }),
  log: unary(ops.log, { domains: [positive] }),
  sqrt: unary(ops.sqrt, { domains: [positive] }),
  reciprocal: unary(ops.reciprocal, { domains: [positive] }),
  abs: unary(ops.abs, { ...steps, dtypes: numbers }),
  sign: unary(ops.sign, { ...steps, dtypes: numbers, gradient: "stops" }),
  tanh: unary(ops.tanh, { tolerance: "f32Approximation" }),
  erf: unary(ops.erf, { tolerance: "f32Approximation", dtypes: only("float32") }),
  sigmoid: unary(ops.sigmoid, { tolerance: "f32Approximation" }),
  relu: unary(ops.relu, steps),
  floor: unary(ops.floor, { ...steps, gradient: "stops" }),
  not: unary(ops.not, { domains: [truth], tolerance: "exact", gradient: "stops", dtypes: only("bool") }),
  sin: unary(ops.sin),
  cos: unary(ops.cos),
  gelu: unary(ops.gelu, { tolerance: "f32Approximation", dtypes: only("float32") }),
  geluTanh: unary(ops.geluTanh, { tolerance: "f32Approximation", dtypes: only("float32") }),
  stopGradient: unary(ops.stopGradient, { dtypes: numbers, tolerance: "exact", gradient: "stops" }),
  cast: cases(
    fc
      .record({ from: numbers, to: fc.constantFrom(...CAST_TO), shape: shape() })
      .filter(({ from, to }) => from !== to)
      .map(({ from, to, shape }) => ({
        label: `cast to ${to}`,
        inputs: [{ shape, dtype: from, domain: from.includes("float") ? positive : naturals }],
        build: ([x]) => [ops.cast(x!, to)],
        tolerance: to === "float16" ? "f16Rounding" : "f32Elementwise",
      })),
  ),

  add: cases(mostly(binaryDraft(ops.add, {}), withNumber("add", ops.add, normal, 0, 1, -2.5))),
  sub: cases(
    mostly(
      binaryDraft(ops.sub, {}),
      withNumber("sub from", (x, n) => ops.sub(n, x), normal, 1, -2.5),
    ),
  ),
  mul: cases(mostly(binaryDraft(ops.mul, {}), withNumber("mul", ops.mul, normal, 0, 1, -2.5))),
  div: cases(
    mostly(
      binaryDraft(ops.div, { domains: [normal, positive] }),
      withNumber("div", ops.div, normal, 1, 4, -0.3),
      withNumber("div of", (x, n) => ops.div(n, x), positive, 1, 2.5),
    ),
  ),
  pow: cases(
    mostly(
      binaryDraft(ops.pow, { domains: [positive, normal], dtypes: floats, tolerance: "f32Approximation" }),
      withNumber("pow", ops.pow, positive, 0, 0.5, 1, 2, 3, -1.5),
      withNumber("pow of negatives", ops.pow, normal, 0, 1, 2, 3),
    ),
  ),
  max: binary(ops.max, { domains: [grid(0), grid(0.1)] }),
  min: binary(ops.min, { domains: [grid(0), grid(0.1)] }),
  less: compare(ops.less),
  lessEqual: compare(ops.lessEqual),
  equal: compare(ops.equal),
  and: logical(ops.and),
  or: logical(ops.or),
  bitXor: unsigned(ops.bitXor, "uint32", "uint8"),
  shiftRight: unsigned(ops.shiftRight, "uint32", "uint8"),
  where: cases(
    fc
      .record({ dtype: fc.constantFrom<DType>("float32", "float32", "float64", "int64"), shapes: broadcastable(3) })
      .map(({ dtype, shapes }) => ({
        label: "where",
        inputs: [
          { shape: shapes[0]!, dtype: "bool", domain: truth },
          ...shapes.slice(1).map((shape) => ({ shape, dtype, domain: dtype === "int64" ? integers : normal })),
        ],
        build: ([condition, a, b]) => [ops.where(condition!, a!, b!)],
      })),
  ),
};
