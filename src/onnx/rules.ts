// How each op of the graph is said in ONNX (opset 21 and com.microsoft), in a table no op can be missing from.
import { invariant, UnsupportedError } from "../errors.ts";
import { addDims, type Dim, type Node, type Op, shapeSize, type Value } from "../graph/index.ts";
import { allocate } from "../tensor/index.ts";
import { type Builder, dataType } from "./builder.ts";
import type { SizeEmitter } from "./shapes.ts";

/** What a rule may use: the builder, sizes, and the ONNX names of the node's inputs. */
export interface EmitContext {
  readonly builder: Builder;
  readonly sizes: SizeEmitter;
  readonly inputs: readonly string[];
}

/** Gives the ONNX names of the node's outputs. */
export type EmitRule<O extends Op> = (node: Node<O>, context: EmitContext) => string | readonly string[];

/** ONNX Runtime's own operator domain. */
export const MICROSOFT = "com.microsoft";

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

  matmul: (node, { builder, inputs }) => {
    const { transA, transB, alpha } = node.attributes;
    if (!transA && !transB && alpha === 1) return builder.node("MatMul", inputs);
    return builder.node(
      "FusedMatMul",
      inputs,
      { transA: Number(transA), transB: Number(transB), alpha: { float: alpha } },
      MICROSOFT,
    );
  },

  // allowzero: a 0 in the shape is a size, not "copy from the input"
  reshape: (node, { builder, sizes, inputs }) =>
    builder.node("Reshape", [inputs[0]!, sizes.shape(node.attributes.shape)], { allowzero: 1 }),
  transpose: (node, { builder, inputs }) => builder.node("Transpose", inputs, { perm: node.attributes.perm }),
  expand: (node, { builder, sizes, inputs }) =>
    builder.node("Expand", [inputs[0]!, sizes.shape(node.attributes.shape)]),
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
  reduceMax: (node, context) => reduce("ReduceMax", node, context),
  argMax: (node, { builder, inputs }) => builder.node("ArgMax", inputs, { axis: node.attributes.axis, keepdims: 0 }),
  cumSum: (node, { builder, inputs }) =>
    builder.node("CumSum", [
      inputs[0]!,
      builder.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(node.attributes.axis)) }),
    ]),

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

function scatterAddRule(node: Node<"scatterAdd">, { builder, sizes, inputs }: EmitContext): string {
  const [updates, indices] = inputs as readonly [string, string];
  const [values, places] = node.inputs as readonly [Value, Value];
  const output = node.outputs[0]!;
  const zero = { dtype: output.dtype, shape: [1], data: allocate(output.dtype, 1) };
  const zeros = builder.node("Expand", [builder.constant(zero), sizes.shape(output.shape)]);
  // ScatterND with "add" loses updates of equal indices when it runs on several threads; ScatterElements is sequential
  const wide = output.shape.slice(1).map((): Dim => 1);
  const rows = shapeSize(places.shape);
  const flat = builder.node("Reshape", [updates, sizes.shape([rows, ...output.shape.slice(1)])], { allowzero: 1 });
  const column = builder.node("Reshape", [indices, sizes.shape([rows, ...wide])], { allowzero: 1 });
  const full = builder.node("Expand", [column, sizes.shape([rows, ...values.shape.slice(places.shape.length)])]);
  return builder.node("ScatterElements", [zeros, full, flat], { axis: 0, reduction: "add" });
}
