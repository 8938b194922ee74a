// Which forward results are cheaper to compute again than to keep until the backward pass.
import { isOp, type Node, type Op, type Value } from "../graph/index.ts";

const CHEAP: ReadonlySet<Op> = new Set<Op>([
  "neg",
  "exp",
  "reciprocal",
  "abs",
  "sqrt",
  "tanh",
  "erf",
  "sigmoid",
  "relu",
  "gelu",
  "geluTanh",
  "cast",
  "add",
  "sub",
  "mul",
  "div",
  "less",
  "lessEqual",
  "where",
  "bitXor",
  "shiftRight",
]);

/**
 * Ops that cost one pass over memory: activations, dropout masks, residual sums. A sum right behind a product is kept,
 * since both become one Gemm, and so is anything of rank below 2, which costs no memory.
 */
export function cheapToRecompute(node: Node): boolean {
  return (
    CHEAP.has(node.op) && node.outputs[0]!.shape.length >= 2 && node.inputs.every((input) => input.node.op !== "matmul")
  );
}

/**
 * Ops of one pass over something that is kept anyway, whose results are as large or larger: masks as numbers, what a mask leaves, GELU,
 * and the terms of a reciprocal. They cost a step 2 to 3 % and are a third to half of what it would keep.
 */
export function lightToRecompute({ op, inputs, outputs }: Node): boolean {
  if (outputs[0]!.shape.length < 2) return false;
  const [x, y] = inputs as readonly [Value, Value?];
  if (op === "cast") return x.dtype === "bool";
  if (op === "gelu" || op === "geluTanh" || op === "reciprocal") return true;
  if (op === "reshape") return lightToRecompute(x.node);
  if (op === "add") return [x, y!].some(({ shape }) => shape.length === 0);
  return op === "mul" && (x === y || [x, y!].some(isMask));
}

const isMask = ({ node }: Value): boolean => node.op === "cast" && node.inputs[0]!.dtype === "bool";

/** Nodes that restore stored matrices: each `dequantize` of frozen parameters, and what makes its scales. */
export function restoredNodes(order: readonly Node[]): ReadonlySet<Node> {
  const restored = new Set<Node>();
  const frozen = (node: Node): boolean =>
    isOp(node, "constant") || (isOp(node, "parameter") && !node.attributes.trainable) || inner(node);
  const inner = (node: Node): boolean => node.inputs.length > 0 && node.inputs.every((input) => frozen(input.node));
  const mark = (node: Node): void => {
    if (node.inputs.length === 0 || restored.has(node)) return;
    restored.add(node);
    for (const input of node.inputs) mark(input.node);
  };
  for (const node of order) if (node.op === "dequantize" && inner(node)) mark(node);
  return restored;
}
