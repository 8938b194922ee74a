// Ops that work on each element alone, with NumPy broadcasting.
import { ShapeError } from "../../errors.ts";
import { type DType, float16ToFloat32 } from "../../tensor/index.ts";
import { broadcastShapes, printShape } from "../dim.ts";
import { isOp } from "../graph.ts";
import type { Op, Operand, Value } from "../value.ts";

const FLOATS: readonly DType[] = ["float32", "float16", "float64"];

type Unary =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "reciprocal"
  | "abs"
  | "sign"
  | "tanh"
  | "erf"
  | "sigmoid"
  | "relu"
  | "floor"
  | "sin"
  | "cos"
  | "gelu"
  | "geluTanh";
type Binary = "add" | "sub" | "mul" | "div" | "pow" | "max" | "min" | "bitXor" | "shiftRight";
type Compare = "less" | "lessEqual" | "equal";

function unary(op: Unary, x: Value): Value {
  const anyNumber = op === "neg" || op === "abs" || op === "sign";
  if (x.dtype === "bool" || (!anyNumber && !FLOATS.includes(x.dtype))) {
    throw new ShapeError(op, anyNumber ? "numbers" : "a float dtype", [x.dtype], x.graph.site);
  }
  return x.graph.apply(op, [x], {}, [{ dtype: x.dtype, shape: x.shape }])[0]!;
}

function pair(op: Op, a: Operand, b: Operand): [Value, Value] {
  if (typeof a === "number") {
    if (typeof b === "number") throw new ShapeError(op, "at least one value of a graph", [`${a}`, `${b}`]);
    return [b.graph.scalar(a, b.dtype), b];
  }
  if (typeof b === "number") return [a, a.graph.scalar(b, a.dtype)];
  if (a.dtype !== b.dtype) throw new ShapeError(op, "two values of one dtype", [a.dtype, b.dtype], a.graph.site);
  return [a, b];
}

function binary(op: Binary, left: Operand, right: Operand): Value {
  const [a, b] = pair(op, left, right);
  const shape = broadcastShapes(op, a.shape, b.shape, a.graph.site);
  return a.graph.apply(op, [a, b], {}, [{ dtype: a.dtype, shape }])[0]!;
}

function compare(op: Compare, left: Operand, right: Operand): Value {
  const [a, b] = pair(op, left, right);
  const shape = broadcastShapes(op, a.shape, b.shape, a.graph.site);
  return a.graph.apply(op, [a, b], {}, [{ dtype: "bool", shape }])[0]!;
}

function logical(op: "and" | "or", a: Value, b: Value): Value {
  if (a.dtype !== "bool" || b.dtype !== "bool") throw new ShapeError(op, "two bools", [a.dtype, b.dtype], a.graph.site);
  const shape = broadcastShapes(op, a.shape, b.shape, a.graph.site);
  return a.graph.apply(op, [a, b], {}, [{ dtype: "bool", shape }])[0]!;
}

/** `−x`. */
export const neg = (x: Value): Value => unary("neg", x);
/** `eˣ`. */
export const exp = (x: Value): Value => unary("exp", x);
/** Natural logarithm. */
export const log = (x: Value): Value => unary("log", x);
/** `√x`. */
export const sqrt = (x: Value): Value => unary("sqrt", x);
/** `1 / x`. */
export const reciprocal = (x: Value): Value => unary("reciprocal", x);
/** `|x|`. */
export const abs = (x: Value): Value => unary("abs", x);
/** −1, 0 or 1. */
export const sign = (x: Value): Value => unary("sign", x);
/** Hyperbolic tangent. */
export const tanh = (x: Value): Value => unary("tanh", x);
/** Gauss error function. */
export const erf = (x: Value): Value => unary("erf", x);
/** `1 / (1 + e⁻ˣ)`. */
export const sigmoid = (x: Value): Value => unary("sigmoid", x);
/** `max(x, 0)`. */
export const relu = (x: Value): Value => unary("relu", x);
/** Largest integer not above x. */
export const floor = (x: Value): Value => unary("floor", x);
/** Sine of radians. */
export const sin = (x: Value): Value => unary("sin", x);
/** Cosine of radians. */
export const cos = (x: Value): Value => unary("cos", x);
/** Exact GELU `x · Φ(x)`, Φ the standard normal distribution function (Hendrycks & Gimpel 2016). */
export const gelu = (x: Value): Value => unary("gelu", x);
/** GELU's approximation `½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))` (the same, section 2). */
export const geluTanh = (x: Value): Value => unary("geluTanh", x);

/** The same numbers, constant to differentiation. */
export function stopGradient(x: Value): Value {
  return x.graph.apply("stopGradient", [x], {}, [{ dtype: x.dtype, shape: x.shape }])[0]!;
}

/** `a + b`; adding the number 0 gives `a` itself. */
export function add(a: Operand, b: Operand): Value {
  if (b === 0 && typeof a !== "number") return a;
  if (a === 0 && typeof b !== "number") return b;
  return binary("add", a, b);
}
/** `a − b`. */
export function sub(a: Operand, b: Operand): Value {
  return b === 0 && typeof a !== "number" ? a : binary("sub", a, b);
}
/** `a · b`; a factor of the number 1 gives the other itself. */
export function mul(a: Operand, b: Operand): Value {
  if (b === 1 && typeof a !== "number") return a;
  if (a === 1 && typeof b !== "number") return b;
  return binary("mul", a, b);
}
/** `a / b`. */
export function div(a: Operand, b: Operand): Value {
  return b === 1 && typeof a !== "number" ? a : binary("div", a, b);
}
/** `aᵇ`. */
export const pow = (a: Operand, b: Operand): Value => binary("pow", a, b);
/** The larger of each pair. */
export const max = (a: Operand, b: Operand): Value => binary("max", a, b);
/** The smaller of each pair. */
export const min = (a: Operand, b: Operand): Value => binary("min", a, b);
/** Bitwise exclusive or of unsigned integers. */
export const bitXor = (a: Operand, b: Operand): Value => binary("bitXor", a, b);
/** Logical shift of unsigned integers to the right. */
export const shiftRight = (a: Operand, b: Operand): Value => binary("shiftRight", a, b);
/** `a < b`, bool. */
export const less = (a: Operand, b: Operand): Value => compare("less", a, b);
/** `a ≤ b`, bool. */
export const lessEqual = (a: Operand, b: Operand): Value => compare("lessEqual", a, b);
/** `a = b`, bool. */
export const equal = (a: Operand, b: Operand): Value => compare("equal", a, b);
/** `a > b`, bool. */
export const greater = (a: Operand, b: Operand): Value => compare("less", b, a);
/** Both. */
export const and = (a: Value, b: Value): Value => logical("and", a, b);
/** Either. */
export const or = (a: Value, b: Value): Value => logical("or", a, b);

/** Not. */
export function not(x: Value): Value {
  if (x.dtype !== "bool") throw new ShapeError("not", "a bool", [x.dtype], x.graph.site);
  return x.graph.apply("not", [x], {}, [{ dtype: "bool", shape: x.shape }])[0]!;
}

/** The same numbers in another dtype. */
export function cast(x: Value, to: DType): Value {
  if (x.dtype === to) return x;
  return x.graph.apply("cast", [x], { to }, [{ dtype: to, shape: x.shape }])[0]!;
}

/** `condition ? a : b` for each element, all three broadcast. */
export function where(condition: Value, left: Operand, right: Operand): Value {
  if (condition.dtype !== "bool")
    throw new ShapeError("where", "a bool condition", [condition.dtype], condition.graph.site);
  const [a, b] =
    typeof left === "number" && typeof right === "number"
      ? [condition.graph.scalar(left), condition.graph.scalar(right)]
      : pair("where", left, right);
  const site = condition.graph.site;
  const shape = broadcastShapes("where", condition.shape, broadcastShapes("where", a.shape, b.shape, site), site);
  return condition.graph.apply("where", [condition, a, b], {}, [{ dtype: a.dtype, shape }])[0]!;
}

/** `x²`. */
export const square = (x: Value): Value => mul(x, x);

/** The number a value is known to be when the graph is built, else undefined. */
export function constantNumber(x: Value): number | undefined {
  if (!isOp(x.node, "constant") || x.node.attributes.tensor.data.length !== 1) return undefined;
  const { dtype, data } = x.node.attributes.tensor;
  if (dtype === "bfloat16") return undefined;
  return Number(dtype === "float16" ? float16ToFloat32(data as Uint16Array)[0] : data[0]);
}

/** Says which shapes met, for messages. */
export const describe = (x: Value): string => `${x.dtype}${printShape(x.shape)}`;
