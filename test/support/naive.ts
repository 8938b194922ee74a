// A reference interpreter of graphs in float64, one plain rule an op, in a table no op can be missing from.
import { invariant } from "../../src/errors.ts";
import { evaluateDim, isOp, NF4_LEVELS, type Node, type Op, reachable, type Value } from "../../src/graph/index.ts";
import type { DType } from "../../src/tensor/index.ts";
import { broadcast, fromTensor, indices, make, type Numbers, read } from "./numbers.ts";

export type Sizes = ReadonlyMap<string, number>;
/** Numbers by input or parameter name. */
export type NaiveFeeds = ReadonlyMap<string, Numbers>;

interface Context {
  readonly feeds: NaiveFeeds;
  readonly sizes: Sizes;
}
type NaiveRule<O extends Op> = (node: Node<O>, inputs: readonly Numbers[], context: Context) => readonly Numbers[];

/** The values of `outputs`; nothing is rounded to a float dtype, integers wrap as their dtype does. */
export function evaluate(outputs: readonly Value[], feeds: NaiveFeeds, sizes: Sizes): Numbers[] {
  return interpreter(outputs)(feeds, sizes);
}

/** `evaluate` prepared once, for many feeds. */
export function interpreter(outputs: readonly Value[]): (feeds: NaiveFeeds, sizes: Sizes) => Numbers[] {
  const order = reachable(outputs);
  return (feeds, given) => {
    const sizes = new Map(given);
    const known = new Map<Value, Numbers>();
    for (const node of order) {
      const rule = naive[node.op] as NaiveRule<Op>;
      const made = rule(
        node,
        node.inputs.map((input) => known.get(input)!),
        { feeds, sizes },
      );
      if (isOp(node, "nonzero")) sizes.set(node.attributes.size, made[0]!.shape[0]!);
      for (const output of node.outputs) {
        const numbers = made[output.index]!;
        const inferred = output.shape.map((dim) => evaluateDim(dim, sizes)).join();
        invariant(
          inferred === numbers.shape.join(),
          `${node.op}: inferred [${inferred}], is [${numbers.shape.join()}]`,
        );
        known.set(output, numbers);
      }
    }
    return outputs.map((output) => known.get(output)!);
  };
}

const unary =
  (f: (x: number) => number) =>
  (_: Node, [x]: readonly Numbers[]): Numbers[] => [{ shape: x!.shape, data: x!.data.map(f) }];

const zip = (a: Numbers, b: Numbers, f: (x: number, y: number) => number): Numbers =>
  make(broadcast(a.shape, b.shape), (i) => f(read(a, i), read(b, i)));

type OnNumbers = (x: number, y: number) => number;
type OnIntegers = (x: bigint, y: bigint) => bigint;
const arithmetic =
  (onFloats: OnNumbers, onIntegers: OnIntegers) =>
  (node: Node, [a, b]: readonly Numbers[]): Numbers[] => {
    const { dtype } = node.outputs[0]!;
    if (dtype.includes("float")) return [zip(a!, b!, onFloats)];
    return [zip(a!, b!, (x, y) => wrapped(dtype, onIntegers(BigInt(x), BigInt(y))))];
  };
const compared =
  (f: (x: number, y: number) => boolean) =>
  (_: Node, [a, b]: readonly Numbers[]): Numbers[] => [zip(a!, b!, (x, y) => Number(f(x, y)))];

/** One rule for each op of the graph. */
export const naive: { readonly [O in Op]: NaiveRule<O> } = {
  input: (node, _, { feeds }) => [feeds.get(node.attributes.name)!],
  parameter: (node, _, { feeds }) => [feeds.get(node.attributes.name)!],
  constant: (node) => [fromTensor(node.attributes.tensor)],
  dimension: (node, _, { sizes }) => [make([], () => evaluateDim(node.attributes.dim, sizes))],
  iota: (node, _, { sizes }) => [make([evaluateDim(node.attributes.length, sizes)], ([i]) => i!)],

  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  reciprocal: unary((x) => 1 / x),
  abs: unary(Math.abs),
  sign: unary(Math.sign),
  tanh: unary(Math.tanh),
  erf: unary(erf),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  relu: unary((x) => Math.max(x, 0)),
  floor: unary(Math.floor),
  not: unary((x) => 1 - x),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  gelu: unary((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  geluTanh: unary((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  stopGradient: unary((x) => x),
  cast: (node, [x]) => [{ shape: x!.shape, data: x!.data.map((v) => castTo(node.attributes.to, v)) }],

  add: arithmetic(
    (x, y) => x + y,
    (x, y) => x + y,
  ),
  sub: arithmetic(
    (x, y) => x - y,
    (x, y) => x - y,
  ),
  mul: arithmetic(
    (x, y) => x * y,
    (x, y) => x * y,
  ),
  div: arithmetic(
    (x, y) => x / y,
    (x, y) => x / y,
  ),
  pow: arithmetic(
    (x, y) => x ** y,
    (x, y) => x ** y,
  ),
  max: arithmetic(Math.max, (x, y) => BigInt(Math.max(Number(x), Number(y)))),
  min: arithmetic(Math.min, (x, y) => BigInt(Math.min(Number(x), Number(y)))),
  less: compared((x, y) => x < y),
  lessEqual: compared((x, y) => x <= y),
  equal: compared((x, y) => x === y),
  and: compared((x, y) => x + y === 2),
  or: compared((x, y) => x + y > 0),
  bitXor: arithmetic(
    () => Number.NaN,
    (x, y) => x ^ y,
  ),
  shiftRight: arithmetic(
    () => Number.NaN,
    (x, y) => x >> y,
  ),
  where: (_, [condition, a, b]) => {
    const shape = broadcast(condition!.shape, broadcast(a!.shape, b!.shape));
    return [make(shape, (i) => (read(condition!, i) ? read(a!, i) : read(b!, i)))];
  },

  matmul: (node, [a, b]) => {
    const { transA, transB, alpha } = node.attributes;
    const [m, k] = lastTwo(a!, transA);
    const [, n] = lastTwo(b!, transB);
    const batch = broadcast(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    const product = (lead: readonly number[], row: number, column: number) => {
      let sum = 0;
      for (let i = 0; i < k!; i++) {
        sum +=
          read(a!, [...lead, ...(transA ? [i, row] : [row, i])]) *
          read(b!, [...lead, ...(transB ? [column, i] : [i, column])]);
      }
      return alpha * sum;
    };
    return [make([...batch, m!, n!], (i) => product(i.slice(0, -2), i.at(-2)!, i.at(-1)!))];
  },

  dequantize: ({ attributes: { format, shape } }, [codes, scales]) => [
    make(shape, ([row, column]) => {
      const flat = row! * shape[1] + column!;
      if (format === "int8") return codes!.data[flat]! * scales!.data[row!]!;
      const perRow = Math.ceil(shape[1] / 32);
      const at = format === "nf4" ? flat : row! * perRow * 32 + column!;
      const byte = codes!.data[Math.floor(at / 2)]!;
      const code = (at % 2 === 0) === (format === "nf4") ? Math.floor(byte / 16) : byte % 16;
      if (format === "nf4") return NF4_LEVELS[code]! * scales!.data[Math.floor(at / 64)]!;
      return (code - 8) * scales!.data[Math.floor(at / 32)]!;
    }),
  ],

  reshape: (node, [x], { sizes }) => [
    { shape: node.attributes.shape.map((d) => evaluateDim(d, sizes)), data: x!.data },
  ],
  transpose: ({ attributes: { perm } }, [x]) => {
    const shape = perm.map((axis) => x!.shape[axis]!);
    return [
      make(shape, (i) =>
        read(
          x!,
          x!.shape.map((_, axis) => i[perm.indexOf(axis)]!),
        ),
      ),
    ];
  },
  expand: (node, [x], { sizes }) => {
    const target = node.attributes.shape.map((d) => evaluateDim(d, sizes));
    return [make(broadcast(x!.shape, target), (i) => read(x!, i))];
  },
  concat: ({ attributes: { axis } }, inputs) => {
    const lengths = inputs.map((x) => x.shape[axis]!);
    const shape = inputs[0]!.shape.with(
      axis,
      lengths.reduce((a, b) => a + b, 0),
    );
    return [
      make(shape, (index) => {
        let at = index[axis]!;
        let which = 0;
        while (at >= lengths[which]!) at -= lengths[which++]!;
        return read(inputs[which]!, index.with(axis, at));
      }),
    ];
  },
  slice: ({ attributes: { axis, ...range } }, [x], { sizes }) => {
    const [start, length] = [range.start, range.length].map((d) => evaluateDim(d, sizes));
    return [make(x!.shape.with(axis, length!), (i) => elementOr0(x!, i.with(axis, i[axis]! + start!)))];
  },
  pad: ({ attributes: { axis, ...amounts } }, [x], { sizes }) => {
    const [before, after] = [amounts.before, amounts.after].map((d) => evaluateDim(d, sizes));
    const shape = x!.shape.with(axis, before! + x!.shape[axis]! + after!);
    return [make(shape, (i) => elementOr0(x!, i.with(axis, i[axis]! - before!)))];
  },

  reduceSum: (node, [x]) => [reduce(node, x!, sum)],
  reduceMean: (node, [x]) => [reduce(node, x!, (row) => mean(row, node.outputs[0]!.dtype))],
  reduceMax: (node, [x]) => [reduce(node, x!, (row) => Math.max(...row))],
  argMax: ({ attributes: { axis } }, [x]) => {
    return [reduce({ attributes: { axes: [axis], keepDims: false } }, x!, (row) => row.indexOf(Math.max(...row)))];
  },
  cumSum: ({ attributes: { axis } }, [x]) => [along(x!, axis, (row) => row.map((_, i) => sum(row.slice(0, i + 1))))],

  gather: (_, [data, at]) => {
    const rank = at!.shape.length;
    return [
      make([...at!.shape, ...data!.shape.slice(1)], (i) => {
        return read(data!, [read(at!, i.slice(0, rank)), ...i.slice(rank)]);
      }),
    ];
  },
  nonzero: (_, [x]) => {
    const at = Array.from(x!.data.keys()).filter((i) => x!.data[i] !== 0);
    return [make([at.length], ([i]) => at[i!]!)];
  },
  scatterAdd: (node, [updates, at], { sizes }) => {
    const rank = at!.shape.length;
    const rest = updates!.shape.slice(rank);
    const out = make([evaluateDim(node.attributes.rows, sizes), ...rest], () => 0);
    const width = rest.reduce((a, b) => a * b, 1);
    updates!.data.forEach((value, i) => {
      const row = at!.data[Math.floor(i / width)]!;
      out.data[row * width + (i % width)]! += value;
    });
    return [out];
  },

  softmax: ({ attributes: { axis } }, [x]) => [along(x!, axis, (row) => logSoftmax(row).map(Math.exp))],
  logSoftmax: ({ attributes: { axis } }, [x]) => [along(x!, axis, logSoftmax)],
  layerNorm: ({ attributes: { epsilon } }, [x, gamma, beta]) => {
    const last = { attributes: { axes: [x!.shape.length - 1], keepDims: true } };
    const means = reduce(last, x!, (row) => mean(row, "float64"));
    const centred = zip(x!, means, (a, b) => a - b);
    const invStd = reduce(
      last,
      centred,
      (row) =>
        1 /
        Math.sqrt(
          mean(
            row.map((v) => v * v),
            "float64",
          ) + epsilon,
        ),
    );
    const scaled = zip(
      zip(centred, invStd, (a, b) => a * b),
      gamma!,
      (a, b) => a * b,
    );
    return [zip(scaled, beta!, (a, b) => a + b), means, invStd];
  },
};

function wrapped(dtype: DType, value: bigint): number {
  const bits = Number(/\d+/.exec(dtype)![0]);
  return Number(dtype.startsWith("u") ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value));
}

function castTo(dtype: DType, value: number): number {
  if (dtype === "bool") return Number(value !== 0);
  // floats keep their float64 value: rounding would spoil central differences, and tolerances allow for it
  return dtype.includes("float") ? value : wrapped(dtype, BigInt(Math.trunc(value)));
}

/** `2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!`, all terms of one sign (Abramowitz & Stegun 7.1.6). */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(total); n++) total += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

function lastTwo(x: Numbers, transposed: boolean): number[] {
  const two = x.shape.slice(-2);
  return transposed ? two.reverse() : two;
}

const elementOr0 = (x: Numbers, index: readonly number[]): number =>
  index.every((at, axis) => at >= 0 && at < x.shape[axis]!) ? read(x, index) : 0;

const sum = (row: readonly number[]): number => row.reduce((a, b) => a + b, 0);

function mean(row: readonly number[], dtype: DType): number {
  const value = row.length === 0 ? 0 : sum(row) / row.length;
  return dtype.includes("float") ? value : Math.trunc(value);
}

function logSoftmax(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const logSum = largest + Math.log(sum(row.map((v) => Math.exp(v - largest))));
  return row.map((v) => v - logSum);
}

interface ReduceLike {
  readonly attributes: { readonly axes: readonly number[]; readonly keepDims: boolean };
}

function reduce({ attributes: { axes, keepDims } }: ReduceLike, x: Numbers, f: (row: number[]) => number): Numbers {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const inner = indices(x.shape.map((size, axis) => (axes.includes(axis) ? size : 1)));
  const full = make(kept, (i) =>
    f(
      inner.map((j) =>
        read(
          x,
          i.map((at, axis) => at + j[axis]!),
        ),
      ),
    ),
  );
  return { shape: keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis)), data: full.data };
}

function along(x: Numbers, axis: number, f: (row: readonly number[]) => readonly number[]): Numbers {
  const length = x.shape[axis]!;
  return make(x.shape, (i) => f(Array.from({ length }, (_, k) => read(x, i.with(axis, k))))[i[axis]!]!);
}
