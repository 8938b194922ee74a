// Expressions of many ops: where cotangents meet, stay small, and are summed back along other axes than one op alone shows.
import fc from "fast-check";
import {
  add,
  cast,
  cos,
  div,
  matmul,
  mul,
  normalizeAxis,
  reduceMean,
  reduceSum,
  reshape,
  sigmoid,
  softmax,
  square,
  sub,
  tanh,
  transpose,
  type Value,
} from "../../src/graph/index.ts";
import { broadcastable, cases, normal } from "./case.ts";
import { conform } from "./conform.ts";

type Step = (a: Value, b: Value, axis: number) => Value;

/** An axis of x, or x itself when it has none. */
const onAxis = (x: Value, axis: number, op: (axis: number) => Value): Value =>
  x.shape.length === 0 ? x : op(normalizeAxis("composition", axis % x.shape.length, x.shape.length));

/** Each keeps to shapes that broadcast with every other value, and to ground without kinks. */
const STEPS: Readonly<Record<string, Step>> = {
  add,
  sub,
  mul: (a, b) => mul(tanh(a), b),
  div: (a, b) => div(a, add(square(b), 1)),
  half: (a) => mul(a, 0.5),
  tanh,
  sigmoid,
  cos,
  double: (a) => cast(cos(cast(a, "float64")), "float32"),
  sum: (a, _, axis) => onAxis(a, axis, (at) => reduceSum(tanh(a), { axes: [at], keepDims: true })),
  mean: (a, _, axis) => onAxis(a, axis, (at) => reduceMean(a, { axes: [at], keepDims: true })),
  total: (a) => reduceMean(a),
  softmax: (a, _, axis) => onAxis(a, axis, (at) => softmax(a, at)),
  gram: (a) =>
    a.shape.length < 2 || a.shape.slice(-2).includes("B")
      ? a
      : reduceSum(matmul(tanh(a), a, { transB: true }), { axes: [-1], keepDims: true }),
  turned: (a) =>
    a.shape.length !== 2 ? a : transpose(reshape(transpose(a, [1, 0]), [a.shape[1]!, a.shape[0]!]), [1, 0]),
};

const step = fc.record({ name: fc.constantFrom(...Object.keys(STEPS)), a: fc.nat(20), b: fc.nat(20), axis: fc.nat(2) });

const compositions = cases(
  fc.record({ shapes: broadcastable(3), steps: fc.array(step, { minLength: 1, maxLength: 8 }) }).map((drawn) => ({
    label: drawn.steps.map(({ name, a, b }) => `${name}:${a},${b}`).join(" "),
    inputs: drawn.shapes.map((shape) => ({ shape, dtype: "float32", domain: normal })),
    build: (xs) => {
      const values = [...xs];
      // later values are likelier operands, so that expressions grow deep
      const pick = (i: number) => values[Math.max(0, values.length - 1 - (i % values.length))]!;
      for (const { name, a, b, axis } of drawn.steps) values.push(STEPS[name]!(pick(a), pick(b), axis));
      return [xs.reduce((sum, x) => add(sum, mul(x, 0.25)), values.at(-1)!)];
    },
    tolerance: "f32Composition",
  })),
);

conform([["compositions", compositions]]);
