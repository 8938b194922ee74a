// Which forward results are cheaper to compute again than to keep until the backward pass.
import type { Node, Op } from "../graph/index.ts";

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
