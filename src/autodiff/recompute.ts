// Which forward results are cheaper to compute again than to keep until the backward pass.
import { isOp, type Node, type Op } from "../graph/index.ts";

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
