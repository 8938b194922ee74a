// The points random numbers miss: kinks, ties, infinities, saturation; gradients there as PyTorch defines them.
import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/index.ts";
import * as ops from "../../src/graph/index.ts";
import { Graph, reduceSum, type Value } from "../../src/graph/index.ts";
import { type DType, float32, tensor } from "../../src/tensor/index.ts";
import { backends } from "../support/backends.ts";
import { fromTensor } from "../support/numbers.ts";

const { POSITIVE_INFINITY: inf, NaN: nan } = Number;

interface Row {
  readonly name: string;
  readonly op: (...xs: Value[]) => Value;
  /** One array an operand. */
  readonly at: readonly (readonly number[])[];
  readonly gives: readonly number[];
  /** `∂Σy/∂x`, one array an operand. */
  readonly gradients?: readonly (readonly number[])[];
}

const ROWS: readonly Row[] = [
  { name: "abs", op: ops.abs, at: [[-1, 0, 2]], gives: [1, 0, 2], gradients: [[-1, 0, 1]] },
  { name: "sign", op: ops.sign, at: [[-inf, -0.5, 0, 3]], gives: [-1, -1, 0, 1] },
  { name: "relu", op: ops.relu, at: [[-1, 0, 2]], gives: [0, 0, 2], gradients: [[0, 0, 1]] },
  { name: "floor", op: ops.floor, at: [[-0.5, 0, 0.5, 3]], gives: [-1, 0, 0, 3] },
  { name: "sqrt", op: ops.sqrt, at: [[0, 4, -1]], gives: [0, 2, nan], gradients: [[inf, 0.25, nan]] },
  { name: "log", op: ops.log, at: [[0, 1, inf]], gives: [-inf, 0, inf], gradients: [[inf, 1, 0]] },
  { name: "exp", op: ops.exp, at: [[-inf, -200, 0, 200]], gives: [0, 0, 1, inf], gradients: [[0, 0, 1, inf]] },
  {
    name: "reciprocal",
    op: ops.reciprocal,
    at: [[0, -4, inf]],
    gives: [inf, -0.25, 0],
    gradients: [[-inf, -0.0625, 0]],
  },
  { name: "tanh", op: ops.tanh, at: [[-inf, -50, 0, 50]], gives: [-1, -1, 0, 1], gradients: [[0, 0, 1, 0]] },
  { name: "sigmoid", op: ops.sigmoid, at: [[-200, 0, 200]], gives: [0, 0.5, 1], gradients: [[0, 0.25, 0]] },
  { name: "erf", op: ops.erf, at: [[-15, 0, 15]], gives: [-1, 0, 1], gradients: [[0, 1.1283792, 0]] },
  { name: "gelu", op: ops.gelu, at: [[-40, 0, 40]], gives: [0, 0, 40], gradients: [[0, 0.5, 1]] },
  {
    name: "max",
    op: ops.max,
    at: [
      [1, 2, 3],
      [2, 2, 2],
    ],
    gives: [2, 2, 3],
    gradients: [
      [0, 0.5, 1],
      [1, 0.5, 0],
    ],
  },
  {
    name: "min",
    op: ops.min,
    at: [
      [1, 2, 3],
      [2, 2, 2],
    ],
    gives: [1, 2, 2],
    gradients: [
      [1, 0.5, 0],
      [0, 0.5, 1],
    ],
  },
  {
    name: "div by 0",
    op: ops.div,
    at: [
      [1, -1, 0],
      [0, 0, 0],
    ],
    gives: [inf, -inf, nan],
  },
  { name: "pow 2", op: (x) => ops.pow(x, 2), at: [[-3, 0, 2]], gives: [9, 0, 4], gradients: [[-6, 0, 4]] },
  { name: "pow 1", op: (x) => ops.pow(x, 1), at: [[-3, 0, 2]], gives: [-3, 0, 2], gradients: [[1, 1, 1]] },
  { name: "pow 0", op: (x) => ops.pow(x, 0), at: [[-3, 0, 2]], gives: [1, 1, 1], gradients: [[0, 0, 0]] },
  {
    name: "pow of 0",
    op: ops.pow,
    at: [
      [0, 0, 2],
      [0, 2, 0],
    ],
    gives: [1, 0, 1],
    gradients: [
      [0, 0, 0],
      [0, 0, Math.fround(Math.log(2))],
    ],
  },
  { name: "softmax, far", op: (x) => ops.softmax(x), at: [[1000, 0, -inf]], gives: [1, 0, 0], gradients: [[0, 0, 0]] },
  {
    name: "logSoftmax, far",
    op: (x) => ops.logSoftmax(x),
    at: [[1000, 0, 0]],
    gives: [0, -1000, -1000],
    gradients: [[-2, 1, 1]],
  },
  {
    name: "where with the other side infinite",
    op: (x) => ops.where(ops.less(x, 1), x, ops.div(x, 0)),
    at: [[0.5, 2]],
    gives: [0.5, inf],
  },
  { name: "reduceMax", op: (x) => ops.reduceMax(x), at: [[-inf, -3, -5]], gives: [-3] },
  { name: "argMax of equals", op: (x) => ops.cast(ops.argMax(x, 0), "float32"), at: [[1, 7, 7]], gives: [1] },
];

const CASTS: readonly (readonly [DType, DType, readonly number[], readonly number[]])[] = [
  ["float32", "int64", [-1.5, -0.5, 1.9], [-1, 0, 1]],
  ["float32", "bool", [0, 0.5, -2], [0, 1, 1]],
  ["bool", "float32", [0, 1], [0, 1]],
  ["int64", "uint32", [2 ** 32 + 5, 7], [5, 7]],
  ["uint32", "float32", [2 ** 31], [2 ** 31]],
  ["float32", "float16", [65520, 1 / 3], [inf, 0.333251953125]],
];

describe.each(backends)("$name", (backend) => {
  it("has the limits' values and PyTorch's gradients at kinks, ties and infinities", async () => {
    const graph = new Graph();
    const outputs: Record<string, Value> = {};
    const feeds: Record<string, ReturnType<typeof float32>> = {};
    for (const { name, op, at, gradients } of ROWS) {
      const xs = at.map((values, k) => graph.input(`${name}.x${k}`, "float32", [values.length]));
      at.forEach((values, k) => {
        feeds[`${name}.x${k}`] = float32([values.length], values);
      });
      outputs[`${name} gives`] = op(...xs);
      if (!gradients) continue;
      backward(reduceSum(outputs[`${name} gives`]!), xs).forEach((dx, k) => {
        outputs[`${name} gradient ${k}`] = dx;
      });
    }
    const program = await backend.compile(outputs);
    const got = await program.run(feeds);
    await program.dispose();
    const rounded = Object.fromEntries(
      Object.entries(got).map(([name, t]) => [name, Array.from(fromTensor(t).data, round)]),
    );
    const wanted = ROWS.flatMap(({ name, gives, gradients = [] }) => [
      [`${name} gives`, gives.map(round)],
      ...gradients.map((gradient, k) => [`${name} gradient ${k}`, gradient.map(round)]),
    ]);
    expect(rounded).toEqual(Object.fromEntries(wanted));
  });

  it.each(CASTS)("casts %s to %s as C does", async (from, to, values, wanted) => {
    const graph = new Graph();
    const program = await backend.compile({ y: ops.cast(graph.input("x", from, ["N"]), to) });
    const data = from === "int64" ? BigInt64Array.from(values, BigInt) : values;
    const arrays = { float32: Float32Array, uint32: Uint32Array, bool: Uint8Array } as const;
    const array =
      data instanceof BigInt64Array ? data : arrays[from as keyof typeof arrays].from(data as readonly number[]);
    const { y } = await program.run({ x: tensor(from, [values.length], array) });
    await program.dispose();
    expect(Array.from(fromTensor(y!).data)).toEqual(wanted);
  });
});

/** Six digits, and one zero. */
function round(x: number): number {
  return Number.isFinite(x) ? Number(x.toPrecision(6)) + 0 : x;
}
