// How each op of the graph is said in ONNX (opset 21 and com.microsoft), in a table no op can be missing from.
import { invariant, UnsupportedError } from "../errors.ts";
import { addDims, type Dim, dimTerms, type Node, type Op, type Shape, shapeSize, type Value } from "../graph/index.ts";
import { allocate, type DType } from "../tensor/index.ts";
import { type Builder, dataType, MICROSOFT } from "./builder.ts";
import { emitDequantize } from "./quantized.ts";
import type { SizeEmitter } from "./shapes.ts";

/** What a rule may use: the builder, sizes, and the ONNX names of the node's inputs. */
export interface EmitContext {
  readonly builder: Builder;
  readonly sizes: SizeEmitter;
  readonly inputs: readonly string[];
  /** Says that the program is not defined where this size is 0. */
  readonly refuseEmpty: (size: Dim) => void;
  /** Says that the named size is the length of this `[N]` ONNX value. */
  readonly bindSize: (name: string, vector: string) => void;
}

/** Gives the ONNX names of the node's outputs. */
export type EmitRule<O extends Op> = (node: Node<O>, context: EmitContext) => string | readonly string[];

const simple =
  (type: string) =>
  (_: Node, { builder, inputs }: EmitContext) =>
    builder.node(type, inputs);
const declared = (): never => {
  throw new UnsupportedError("emission of a declaration by rule", ["emit"]);
};

/** One rule for each op of the graph. */
export const emitRules: { readonly [O in Op]: EmitRule<O> } = {
  input: declared,
  parameter: declared,
  constant: (node, { builder }) => builder.constant(node.attributes.tensor),
  dimension: (node, { builder, sizes }) => builder.node("Squeeze", [sizes.size(node.attributes.dim)]),
  iota: (node, { builder, sizes }) => {
    const zero = builder.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(0n) });
    const one = builder.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(1n) });
    return builder.node("Range", [zero, builder.node("Squeeze", [sizes.size(node.attributes.length)]), one]);
  },

  neg: simple("Neg"),
  exp: simple("Exp"),
  log: simple("Log"),
  sqrt: simple("Sqrt"),
  reciprocal: simple("Reciprocal"),
  abs: simple("Abs"),
  sign: simple("Sign"),
  tanh: simple("Tanh"),
  erf: simple("Erf"),
  sigmoid: simple("Sigmoid"),
  relu: simple("Relu"),
  floor: simple("Floor"),
  sin: simple("Sin"),
  cos: simple("Cos"),
  not: simple("Not"),
  gelu: simple("Gelu"),
  geluTanh: (_, { builder, inputs }) => builder.node("Gelu", inputs, { approximate: "tanh" }),
  stopGradient: simple("Identity"),
  cast: (node, { builder, inputs }) => builder.node("Cast", inputs, { to: dataType(node.attributes.to) }),

  add: simple("Add"),
  sub: simple("Sub"),
  mul: simple("Mul"),
  div: simple("Div"),
  pow: simple("Pow"),
  max: simple("Max"),
  min: simple("Min"),
  less: simple("Less"),
  lessEqual: simple("LessOrEqual"),
  equal: simple("Equal"),
  and: simple("And"),
  or: simple("Or"),
  bitXor: simple("BitwiseXor"),
  shiftRight: (_, { builder, inputs }) => builder.node("BitShift", inputs, { direction: "RIGHT" }),
  where: simple("Where"),

  matmul: matmulRule,
  dequantize: (node, { builder, inputs }) => emitDequantize(builder, node, inputs),

  // allowzero: a 0 in the shape is a size, not "copy from the input"
  reshape: (node, { builder, sizes, inputs }) =>
    builder.node("Reshape", [inputs[0]!, sizes.shape(node.attributes.shape)], { allowzero: 1 }),
  transpose: (node, { builder, inputs }) => builder.node("Transpose", inputs, { perm: node.attributes.perm }),
  expand: (node, { inputs, ...context }) => expand(inputs[0]!, node.outputs[0]!.dtype, node.attributes.shape, context),
  concat: (node, { builder, inputs }) => builder.node("Concat", inputs, { axis: node.attributes.axis }),
  slice: (node, { builder, sizes, inputs }) => {
    const { axis, start, length } = node.attributes;
    return builder.node("Slice", [
      inputs[0]!,
      sizes.size(start),
      sizes.size(addDims(start, length)),
      builder.int64s([axis]),
    ]);
  },
  pad: (node, { builder, sizes, inputs }) => {
    const { axis, before, after } = node.attributes;
    const value = node.outputs[0]!;
    const zero = builder.node("CastLike", [builder.float(0), inputs[0]!]);
    const amounts = sizes.shape([before, after]);
    invariant(value.shape.length > 0, "pad of a scalar");
    return builder.node("Pad", [inputs[0]!, amounts, zero, builder.int64s([axis])]);
  },

  reduceSum: (node, context) => reduce("ReduceSum", node, context),
  reduceMean: (node, context) => reduce("ReduceMean", node, context),
  reduceMax: (node, context) => {
    for (const axis of node.attributes.axes) context.refuseEmpty(node.inputs[0]!.shape[axis]!);
    return reduce("ReduceMax", node, context);
  },
  argMax: (node, { builder, inputs, refuseEmpty }) => {
    refuseEmpty(node.inputs[0]!.shape[node.attributes.axis]!);
    return builder.node("ArgMax", inputs, { axis: node.attributes.axis, keepdims: 0 });
  },
  cumSum: (node, { builder, inputs }) =>
    builder.node("CumSum", [
      inputs[0]!,
      builder.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(node.attributes.axis)) }),
    ]),

  nonzero: (node, { builder, inputs, bindSize }) => {
    const indices = builder.node("Squeeze", [builder.node("NonZero", inputs), builder.int64s([0])]);
    bindSize(node.attributes.size, indices);
    return indices;
  },
  gather: (_, { builder, inputs }) => builder.node("Gather", inputs, { axis: 0 }),
  scatterAdd: scatterAddRule,

  softmax: (node, { builder, inputs }) => builder.node("Softmax", inputs, { axis: node.attributes.axis }),
  logSoftmax: (node, { builder, inputs }) => builder.node("LogSoftmax", inputs, { axis: node.attributes.axis }),
  layerNorm: (node, { builder, inputs }) =>
    builder.nodeWith("LayerNormalization", inputs, 3, { axis: -1, epsilon: { float: node.attributes.epsilon } }),
};

function reduce(
  type: string,
  node: Node<"reduceSum"> | Node<"reduceMean"> | Node<"reduceMax">,
  { builder, inputs }: EmitContext,
): string {
  const { axes, keepDims } = node.attributes;
  return builder.node(type, [inputs[0]!, builder.int64s(axes)], { keepdims: Number(keepDims) });
}

type ShapeContext = Pick<EmitContext, "builder" | "sizes">;

const zero = (builder: Builder, dtype: DType): string =>
  builder.constant({ dtype, shape: [1], data: allocate(dtype, 1) });

function expand(x: string, dtype: DType, shape: Shape, { builder, sizes }: ShapeContext): string {
  // ORT drops an Expand to a fixed shape whose sizes are all 0 or 1 as if it did nothing (1.30)
  if (shape.includes(0) && shape.every((size) => typeof size === "number")) {
    return builder.constant({ dtype, shape: shape as readonly number[], data: allocate(dtype, 0) });
  }
  return builder.node("Expand", [x, sizes.shape(shape)]);
}

function matmulRule(node: Node<"matmul">, context: EmitContext): string {
  const { builder, inputs } = context;
  const { transA, transB, alpha } = node.attributes;
  const [a, b] = node.inputs as readonly [Value, Value];
  const { dtype, shape } = node.outputs[0]!;
  const inner = a.shape.at(transA ? -2 : -1)!;
  if (inner === 0 || shape.includes(0)) return expand(zero(builder, dtype), dtype, shape, context);
  if (b.shape.length > 2 || (a.shape.length > 2 && transA)) {
    // with no inner elements the batched kernels leave their output as they found it, and
    // they do not repeat one matrix for an empty batch (1.30); two matrices alone are right
    if (!emptyWith(shape, inner)) context.refuseEmpty(inner);
    shape.slice(0, -2).forEach((size, i) => {
      const repeated = [a, b].some((x) => (x.shape[i + x.shape.length - shape.length] ?? 1) !== size);
      if (repeated) context.refuseEmpty(size);
    });
  }
  if (!transA && !transB && alpha === 1) return builder.node("MatMul", inputs);
  const attributes = { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } };
  return builder.node("FusedMatMul", inputs, attributes, MICROSOFT);
}

/** Whether a shape has no elements wherever `size` is 0, or the size is never 0. */
function emptyWith(shape: Shape, size: Dim): boolean {
  if (shape.includes(0)) return true;
  const terms = dimTerms(size);
  const positive = terms.every(({ factor }) => factor > 0);
  if (positive && terms.some(({ names }) => names.length === 0)) return true;
  const factors = new Set(shape.flatMap((dim) => (dimTerms(dim).length === 1 ? dimTerms(dim)[0]!.names : [])));
  return terms.length === 1 && terms[0]!.names.every((name) => factors.has(name));
}

function scatterAddRule(node: Node<"scatterAdd">, context: EmitContext): string {
  const { builder, sizes, inputs } = context;
  const [updates, indices] = inputs as readonly [string, string];
  const [values, places] = node.inputs as readonly [Value, Value];
  const output = node.outputs[0]!;
  const zeros = expand(zero(builder, output.dtype), output.dtype, output.shape, context);
  // ScatterND with "add" loses updates of equal indices when it runs on several threads; ScatterElements is sequential
  const wide = output.shape.slice(1).map((): Dim => 1);
  const rows = shapeSize(places.shape);
  const flat = builder.node("Reshape", [updates, sizes.shape([rows, ...output.shape.slice(1)])], { allowzero: 1 });
  const column = builder.node("Reshape", [indices, sizes.shape([rows, ...wide])], { allowzero: 1 });
  const full = expand(column, places.dtype, [rows, ...values.shape.slice(places.shape.length)], context);
  return builder.node("ScatterElements", [zeros, full, flat], { axis: 0, reduction: "add" });
}
