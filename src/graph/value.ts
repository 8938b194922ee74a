// What a graph is made of: values, the nodes that make them, and the one list of ops with their attributes.
import type { DType, Tensor } from "../tensor/index.ts";
import type { Dim, Shape } from "./dim.ts";
import type { Graph } from "./graph.ts";

/** How a matrix is stored in few bits; `dequantize` says what each means. */
export type StoredFormat = "nf4" | "int4" | "int8";

type None = Record<never, never>;
interface Axis {
  readonly axis: number;
}
interface Reduce {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Every op of the graph and its attributes; gradient rules and emission are total tables over these keys. */
export interface OpAttributes {
  input: { readonly name: string };
  parameter: { readonly name: string; readonly trainable: boolean };
  constant: { readonly tensor: Tensor };
  /** A symbolic size as an int64 scalar. */
  dimension: { readonly dim: Dim };
  /** `0, 1, …, length − 1`, int64. */
  iota: { readonly length: Dim };

  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  abs: None;
  sign: None;
  tanh: None;
  erf: None;
  sigmoid: None;
  relu: None;
  floor: None;
  not: None;
  sin: None;
  cos: None;
  /** Exact GELU `x · Φ(x)`. */
  gelu: None;
  /** GELU by a hyperbolic tangent. */
  geluTanh: None;
  /** The same numbers; no gradient flows back. */
  stopGradient: None;
  cast: { readonly to: DType };

  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  max: None;
  min: None;
  less: None;
  lessEqual: None;
  equal: None;
  and: None;
  or: None;
  bitXor: None;
  shiftRight: None;
  /** `condition ? a : b`. */
  where: None;

  /** `alpha · op(A) · op(B)`, op = transpose of the last two axes where asked. */
  matmul: { readonly transA: boolean; readonly transB: boolean; readonly alpha: number };

  /** A matrix `[N, K]` from its codes and scales. */
  dequantize: {
    readonly format: StoredFormat;
    readonly shape: readonly [number, number];
    /** Products with it may round what they multiply to eight bits. */
    readonly isCoarse?: true;
  };

  reshape: { readonly shape: Shape };
  transpose: { readonly perm: readonly number[] };
  expand: { readonly shape: Shape };
  concat: Axis;
  /** `length` elements from `start` along `axis`. */
  slice: { readonly axis: number; readonly start: Dim; readonly length: Dim };
  /** Zeros before and after along `axis`. */
  pad: { readonly axis: number; readonly before: Dim; readonly after: Dim };

  reduceSum: Reduce;
  reduceMean: Reduce;
  reduceMax: Reduce;
  argMax: Axis;
  cumSum: Axis;

  /** Rows of `data` `[N, …]` at integer `indices`: `[…indices, …]`. */
  gather: None;
  /** Where `x` `[N]` is not 0: ascending indices, int64, as many as `size` names from then on. */
  nonzero: { readonly size: string };
  /** Adds rows of `updates` into zeros `[rows, …]` at `indices`: the gradient of `gather`. */
  scatterAdd: { readonly rows: Dim };

  softmax: Axis;
  logSoftmax: Axis;
  /** `(x − mean)·invStd·γ + β` over the last axis; outputs y, mean, invStd. */
  layerNorm: { readonly epsilon: number };
}

export type Op = keyof OpAttributes;

/** One application of an op; owns its outputs. */
export interface Node<O extends Op = Op> {
  readonly id: number;
  readonly op: O;
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[O];
  /** Dotted path of the layer that asked for it; `…/grad` for its gradient. */
  readonly site: string;
  /** Id of the node whose work this one does again; see `Graph.copy`. */
  readonly copyOf: number | null;
  readonly outputs: readonly Value[];
}

/** An immutable result in a graph, with dtype and shape known at once. */
export interface Value {
  readonly id: number;
  readonly graph: Graph;
  readonly node: Node;
  /** Which output of `node`. */
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A value, or a number that takes its partner's dtype. */
export type Operand = Value | number;
