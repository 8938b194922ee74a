// Which dtypes each op takes: what ONNX Runtime 1.30 has kernels for, alike on cpu and wasm (measured for each pair).
import { UnsupportedError } from "../errors.ts";
import type { DType } from "../tensor/index.ts";
import type { Op, Value } from "./value.ts";

const FLOATS: readonly DType[] = ["float32", "float16", "float64"];
// Erf, Gelu and LayerNormalization have no double kernel
const SHORT_FLOATS: readonly DType[] = ["float32", "float16"];
const SIGNED: readonly DType[] = [...FLOATS, "int64", "int32", "int16", "int8"];
const UNSIGNED: readonly DType[] = ["uint64", "uint32", "uint16", "uint8"];
const NUMBERS: readonly DType[] = [...SIGNED, ...UNSIGNED];
const COMMON: readonly DType[] = [...FLOATS, "int64", "int32"];
const ORDERED: readonly DType[] = [...COMMON, "int8", "uint64", "uint32", "uint8"];
const BOOL: readonly DType[] = ["bool"];
const STORED: readonly DType[] = [...NUMBERS, "bool"];

/** Dtypes of the input that decides (the last one: `where`'s condition and indices have their own checks). */
const DTYPES: { readonly [O in Op]: readonly DType[] | "any" } = {
  input: "any",
  parameter: "any",
  constant: "any",
  dimension: "any",
  iota: "any",
  neg: SIGNED,
  exp: FLOATS,
  log: FLOATS,
  sqrt: FLOATS,
  reciprocal: FLOATS,
  abs: NUMBERS,
  sign: NUMBERS,
  tanh: FLOATS,
  erf: SHORT_FLOATS,
  sigmoid: FLOATS,
  relu: FLOATS,
  floor: FLOATS,
  not: BOOL,
  sin: FLOATS,
  cos: FLOATS,
  gelu: SHORT_FLOATS,
  geluTanh: SHORT_FLOATS,
  stopGradient: "any",
  cast: "any",
  add: NUMBERS,
  sub: NUMBERS,
  mul: NUMBERS,
  div: NUMBERS,
  pow: COMMON,
  max: ORDERED,
  min: ORDERED,
  less: NUMBERS,
  lessEqual: NUMBERS,
  equal: STORED,
  and: BOOL,
  or: BOOL,
  bitXor: ["int64", "int32", "int16", "int8", ...UNSIGNED],
  shiftRight: ["uint64", "uint32", "uint8"],
  where: [...COMMON, "uint8"],
  matmul: FLOATS,
  dequantize: ["uint8", "int8"],
  reshape: STORED,
  transpose: STORED,
  expand: STORED,
  concat: STORED,
  slice: STORED,
  pad: [...ORDERED, "bool"],
  reduceSum: COMMON,
  reduceMean: COMMON,
  reduceMax: [...COMMON, "int8", "uint8", "bool"],
  argMax: [...COMMON, "int8", "uint8"],
  cumSum: COMMON,
  gather: STORED,
  nonzero: ["float32", "int64", "int32", "uint8", "bool"],
  scatterAdd: [...COMMON, "uint32"],
  softmax: FLOATS,
  logSoftmax: FLOATS,
  layerNorm: SHORT_FLOATS,
};

/**
 * Refuses an op on a dtype that no backend computes.
 * @throws {UnsupportedError} naming the op, the dtype, the site and what to cast to.
 */
export function checkDtypes(op: Op, inputs: readonly Value[], site: string): void {
  const supported = DTYPES[op];
  const value = op === "where" ? inputs[1] : inputs[0];
  if (supported === "any" || !value || supported.includes(value.dtype)) return;
  throw new UnsupportedError(`${op} of ${value.dtype}${site ? ` at ${site}` : ""}`, supported, {
    hint: "cast the value to one of these first",
  });
}
