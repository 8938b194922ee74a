// The symbolic graph: immutable values with shape and dtype known at once.
// Takes op calls, gives interned `Value`s. Never: holds weights, runs anything, is edited in place.
export {
  addDims,
  broadcastShapes,
  type Dim,
  dimTerms,
  evaluateDim,
  multiplyDims,
  normalizeAxis,
  printShape,
  type Shape,
  sameShape,
  shapeSize,
  subtractDims,
} from "./dim.ts";
export { Graph, isOp, type OutputType } from "./graph.ts";
export {
  abs,
  add,
  and,
  bitXor,
  cast,
  constantNumber,
  cos,
  describe,
  div,
  equal,
  erf,
  exp,
  floor,
  gelu,
  geluTanh,
  greater,
  less,
  lessEqual,
  log,
  max,
  min,
  mul,
  neg,
  not,
  or,
  pow,
  reciprocal,
  relu,
  shiftRight,
  sigmoid,
  sign,
  sin,
  sqrt,
  square,
  stopGradient,
  sub,
  tanh,
  where,
} from "./ops/elementwise.ts";
export { gather, nonzero, scatterAdd } from "./ops/gather.ts";
export { matmul } from "./ops/matmul.ts";
export { concat, dimension, expand, iota, pad, reshape, select, slice, sliceFrom, transpose } from "./ops/movement.ts";
export { layerNorm, logSoftmax, type Normalized, softmax } from "./ops/normalize.ts";
export { dequantize, NF4_LEVELS, storedShapes } from "./ops/quantized.ts";
export { argMax, cumSum, reduceMax, reduceMean, reduceSum } from "./ops/reduce.ts";
export { printGraph } from "./print.ts";
export { transplant } from "./transplant.ts";
export type { Node, Op, OpAttributes, Operand, StoredFormat, Value } from "./value.ts";
export { reachable, sizeNames, verify } from "./verify.ts";
