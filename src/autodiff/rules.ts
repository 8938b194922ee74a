// Every op's vector–Jacobian product, one line a rule where it can be, in a table no op can be missing from.
import {
  add,
  addDims,
  cast,
  constantNumber,
  cos,
  type Dim,
  dimension,
  div,
  equal,
  erf,
  exp,
  expand,
  gather,
  isOp,
  less,
  lessEqual,
  log,
  matmul,
  mul,
  multiplyDims,
  type Node,
  neg,
  type Op,
  pad,
  pow,
  reduceMean,
  reduceSum,
  reshape,
  type Shape,
  sameShape,
  scatterAdd,
  sign,
  sin,
  slice,
  square,
  sub,
  subtractDims,
  tanh,
  transpose,
  type Value,
  where,
} from "../graph/index.ts";
import { unbroadcast } from "./unbroadcast.ts";

/**
 * The cotangents of a node's inputs from those of its outputs (null where none arrived).
 * `needs(i)` is false when nobody asks for input i: its entry may be null.
 */
export type Rule<O extends Op> = (
  node: Node<O>,
  dys: readonly (Value | null)[],
  needs: (input: number) => boolean,
) => readonly (Value | null)[];

/** No gradient flows through the op, by its nature. */
const stops = () => [null, null, null];

type One = (x: Value, y: Value, dy: Value) => Value;
const unary = (rule: One) => (node: Node, dys: readonly (Value | null)[]) => [
  rule(node.inputs[0]!, node.outputs[0]!, dys[0]!),
];

type Two = (a: Value, b: Value, dy: Value, y: Value) => readonly [() => Value, () => Value];
const binary = (rule: Two) => (node: Node, dys: readonly (Value | null)[], needs: (i: number) => boolean) => {
  const [a, b] = node.inputs as readonly [Value, Value];
  const [da, db] = rule(a, b, dys[0]!, node.outputs[0]!);
  return [needs(0) ? unbroadcast(da(), a.shape) : null, needs(1) ? unbroadcast(db(), b.shape) : null];
};

/** One rule for each op of the graph. */
export const rules: { readonly [O in Op]: Rule<O> } = {
  input: stops,
  parameter: stops,
  constant: stops,
  dimension: stops,
  iota: stops,

  neg: unary((_x, _y, dy) => neg(dy)),
  exp: unary((_x, y, dy) => mul(dy, y)),
  log: unary((x, _y, dy) => div(dy, x)),
  sqrt: unary((_x, y, dy) => div(mul(dy, 0.5), y)),
  // the sign goes to dy, which may be one number for many
  reciprocal: unary((_x, y, dy) => mul(neg(dy), square(y))),
  abs: unary((x, _y, dy) => mul(dy, sign(x))),
  sign: stops,
  tanh: unary((_x, y, dy) => mul(dy, sub(1, square(y)))),
  erf: unary((x, _y, dy) => mul(dy, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  sigmoid: unary((_x, y, dy) => mul(dy, mul(y, sub(1, y)))),
  relu: unary((_x, y, dy) => where(less(y.graph.scalar(0, y.dtype), y), dy, 0)),
  floor: stops,
  not: stops,
  sin: unary((x, _y, dy) => mul(dy, cos(x))),
  cos: unary((x, _y, dy) => neg(mul(dy, sin(x)))),
  gelu: unary((x, _y, dy) => mul(dy, geluDerivative(x))),
  geluTanh: unary((x, _y, dy) => mul(dy, geluTanhDerivative(x))),
  stopGradient: stops,
  cast: (node, [dy]) => {
    const { dtype } = node.inputs[0]!;
    return [isFloat(dtype) && isFloat(node.attributes.to) ? cast(dy!, dtype) : null];
  },

  add: binary((_a, _b, dy) => [() => dy, () => dy]),
  sub: binary((_a, _b, dy) => [() => dy, () => neg(dy)]),
  mul: (node, dys, needs) => {
    const [a, b] = node.inputs as readonly [Value, Value];
    return a === b ? [mul(twice(dys[0]!), a), null] : products(node, dys, needs);
  },
  div: binary((_a, b, dy, y) => [() => div(dy, b), () => neg(div(mul(dy, y), b))]),
  pow: binary((a, b, dy, y) => [() => mul(dy, powerSlope(a, b)), () => mul(dy, mul(y, safeLog(a)))]),
  // where both are equal each gets half, as in torch.maximum and torch.minimum
  max: binary((a, b, dy) => [() => mul(dy, share(b, a)), () => mul(dy, share(a, b))]),
  min: binary((a, b, dy) => [() => mul(dy, share(a, b)), () => mul(dy, share(b, a))]),
  less: stops,
  lessEqual: stops,
  equal: stops,
  and: stops,
  or: stops,
  bitXor: stops,
  shiftRight: stops,
  where: (node, [dy], needs) => {
    const [condition, a, b] = node.inputs as readonly [Value, Value, Value];
    return [
      null,
      needs(1) ? unbroadcast(where(condition, dy!, 0), a.shape) : null,
      needs(2) ? unbroadcast(where(condition, 0, dy!), b.shape) : null,
    ];
  },

  matmul: matmulRule,
  dequantize: stops,

  reshape: (node, [dy]) => [reshape(dy!, node.inputs[0]!.shape)],
  transpose: (node, [dy]) => {
    const { perm } = node.attributes;
    return [
      transpose(
        dy!,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
    ];
  },
  expand: (node, [dy]) => [unbroadcast(dy!, node.inputs[0]!.shape)],
  concat: (node, [dy], needs) => {
    const { axis } = node.attributes;
    let start: Shape[number] = 0;
    return node.inputs.map((input, i) => {
      const length = input.shape[axis]!;
      const part = needs(i) ? slice(dy!, axis, start, length) : null;
      start = addDims(start, length);
      return part;
    });
  },
  slice: (node, [dy]) => {
    const { axis, start, length } = node.attributes;
    return [pad(dy!, axis, start, subtractDims(node.inputs[0]!.shape[axis]!, addDims(start, length)))];
  },
  pad: (node, [dy]) => {
    const { axis, before } = node.attributes;
    return [slice(dy!, axis, before, node.inputs[0]!.shape[axis]!)];
  },

  // the cotangents of sums and means stay one number for each sum: `backward` repeats them where an op needs that
  reduceSum: (node, [dy]) => [restoreAxes(node, dy!)],
  reduceMean: (node, [dy]) => {
    const { shape } = node.inputs[0]!;
    const count = node.attributes.axes.reduce((size, axis) => multiplyDims(size, shape[axis]!), 1 as Shape[number]);
    return [restoreAxes(node, divideBySize(dy!, count))];
  },
  reduceMax: stops,
  argMax: stops,
  cumSum: (node, [dy]) => {
    // the sum from each place to the end: total − running sum + itself
    const { axis } = node.attributes;
    const running = node.inputs[0]!.graph.apply("cumSum", [dy!], { axis }, [
      { dtype: dy!.dtype, shape: dy!.shape },
    ])[0]!;
    return [add(sub(reduceSum(dy!, { axes: [axis], keepDims: true }), running), dy!)];
  },

  nonzero: stops,
  gather: (node, [dy]) => {
    const [data, indices] = node.inputs as readonly [Value, Value];
    return [scatterAdd(dy!, indices, data.shape[0]!), null];
  },
  scatterAdd: (node, [dy]) => [gather(dy!, node.inputs[1]!), null],

  softmax: (node, [dy]) => {
    const y = node.outputs[0]!;
    const weighted = timesShares(dy!, y);
    return [sub(weighted, mul(y, reduceSum(weighted, { axes: [node.attributes.axis], keepDims: true })))];
  },
  logSoftmax: (node, [dy]) => [
    sub(dy!, mul(exp(node.outputs[0]!), reduceSum(dy!, { axes: [node.attributes.axis], keepDims: true }))),
  ],
  layerNorm: layerNormRule,
};

/**
 * `dy · y` of a softmax. Behind a mask `m` of its result, `dy` is `g · m`: then it is `g · (y · m)`, whose second factor the forward pass has,
 * so that the mask need not be kept.
 */
function timesShares(dy: Value, y: Value): Value {
  if (!isOp(dy.node, "mul")) return mul(dy, y);
  const [g, mask] = dy.node.inputs as readonly [Value, Value];
  return sameShape(mask.shape, y.shape) ? mul(g, mul(y, mask)) : mul(dy, y);
}

const products = binary((a, b, dy) => [() => mul(dy, b), () => mul(dy, a)]);

/** `2x`; of a product with a factor that is repeated, that factor is doubled, which has fewer elements. */
function twice(x: Value): Value {
  if (isOp(x.node, "mul")) {
    const [a, b] = x.node.inputs as readonly [Value, Value];
    if (!sameShape(a.shape, x.shape)) return mul(mul(a, 2), b);
    if (!sameShape(b.shape, x.shape)) return mul(a, mul(b, 2));
  }
  return mul(x, 2);
}

/**
 * `Φ(x) + x·φ(x)`, φ the standard normal density, as `½(1 + erf u + 2/√π · u · e^{−u²})` with u = x/√2:
 * the factor goes into the exponent, since each pass over memory costs more than its arithmetic.
 */
function geluDerivative(x: Value): Value {
  const u = mul(x, Math.SQRT1_2);
  const bell = exp(sub(Math.log(2 / Math.sqrt(Math.PI)), square(u)));
  return mul(add(add(erf(u), mul(u, bell)), 1), 0.5);
}

/**
 * `½ + ½ t + x (1 − t²) (½ c + 3/2 m)` with `t = tanh(x (c + m))`, `m = 0.044715 c x²` and c = √(2/π): as few passes over memory as there are.
 */
function geluTanhDerivative(x: Value): Value {
  const c = Math.sqrt(2 / Math.PI);
  const m = mul(square(x), 0.044715 * c);
  const t = tanh(mul(x, add(m, c)));
  const slope = mul(mul(x, add(mul(m, 1.5), 0.5 * c)), sub(1, square(t)));
  return add(add(mul(t, 0.5), 0.5), slope);
}

/** `b·aᵇ⁻¹`, and 0 where b is 0 although aᵇ⁻¹ may be infinite there. */
function powerSlope(a: Value, b: Value): Value {
  const slope = mul(b, pow(a, sub(b, 1)));
  const known = constantNumber(b);
  return known === undefined || known === 0 ? where(equal(b, 0), 0, slope) : slope;
}

/** `log x`, and 0 at x = 0, where `xᵇ` does not move with a positive b. */
function safeLog(x: Value): Value {
  return where(equal(x, 0), 0, log(x));
}

/** 1 where `small < large`, ½ where equal, else 0. */
function share(small: Value, large: Value): Value {
  const { graph, dtype } = small;
  return where(equal(small, large), graph.scalar(0.5, dtype), cast(lessEqual(small, large), dtype));
}

const isFloat = (dtype: string): boolean => dtype.startsWith("float") || dtype.startsWith("bfloat");

function divideBySize(x: Value, size: Dim): Value {
  if (typeof size === "number") return size === 0 ? x : mul(x, 1 / size);
  return div(x, cast(dimension(x.graph, size), x.dtype));
}

function restoreAxes(node: Node<"reduceSum"> | Node<"reduceMean">, dy: Value): Value {
  if (node.attributes.keepDims) return dy;
  return reshape(
    dy,
    node.inputs[0]!.shape.map((dim, i) => (node.attributes.axes.includes(i) ? 1 : dim)),
  );
}

/** `y = α·op(A)·op(B)`: each side's gradient is a product again, arranged so that nothing is transposed in memory. */
function matmulRule(
  node: Node<"matmul">,
  [dy]: readonly (Value | null)[],
  needs: (i: number) => boolean,
): readonly (Value | null)[] {
  const [a, b] = node.inputs as readonly [Value, Value];
  const { transA, transB, alpha } = node.attributes;
  const g = dy!;
  const da = () =>
    transA ? matmul(b, g, { transA: transB, transB: true, alpha }) : matmul(g, b, { transB: !transB, alpha });
  const db = () => {
    // a weight shared by all rows: fold the leading axes, one product instead of a batch to sum
    if (b.shape.length === 2 && a.shape.length > 2 && !transA) {
      const rows = flattenRows(a);
      const dRows = flattenRows(g);
      return transB ? matmul(dRows, rows, { transA: true, alpha }) : matmul(rows, dRows, { transA: true, alpha });
    }
    return transB ? matmul(g, a, { transA: true, transB: transA, alpha }) : matmul(a, g, { transA: !transA, alpha });
  };
  return [needs(0) ? unbroadcast(da(), a.shape) : null, needs(1) ? unbroadcast(db(), b.shape) : null];
}

function flattenRows(x: Value): Value {
  const rows = x.shape.slice(0, -1).reduce((size, dim) => multiplyDims(size, dim), 1 as Shape[number]);
  return reshape(x, [rows, x.shape.at(-1)!]);
}

function layerNormRule(
  node: Node<"layerNorm">,
  dys: readonly (Value | null)[],
  needs: (i: number) => boolean,
): readonly (Value | null)[] {
  const [x, gamma, beta] = node.inputs as readonly [Value, Value, Value];
  const { dtype } = x;
  const [mean, invStd] = node.outputs.slice(1).map((output) => cast(output, dtype)) as [Value, Value];
  const [dy, dMean, dInvStd] = dys;
  const normal = mul(sub(x, mean), invStd);
  const last = { axes: [-1], keepDims: true };
  // dx = invStd · (g − mean(g) − x̂ · mean(g · x̂)),  g = dy · γ
  const throughY = () => {
    const g = mul(dy!, gamma);
    return mul(invStd, sub(sub(g, reduceMean(g, last)), mul(normal, reduceMean(mul(g, normal), last))));
  };
  // each x moves the mean by 1/D, and invStd by −invStd² · x̂ / D
  const spread = (statistic: Value) => divideBySize(cast(statistic, dtype), x.shape.at(-1)!);
  const parts = () => [
    ...(dy ? [throughY()] : []),
    ...(dMean ? [expand(spread(dMean), x.shape)] : []),
    ...(dInvStd ? [neg(mul(mul(spread(dInvStd), square(invStd)), normal))] : []),
  ];
  return [
    needs(0) ? parts().reduce((sum, part) => add(sum, part)) : null,
    needs(1) && dy ? unbroadcast(mul(dy, normal), gamma.shape) : null,
    needs(2) && dy ? unbroadcast(dy, beta.shape) : null,
  ];
}
