// A product and its bias as one Gemm, which writes the bias first and adds the product to it: one pass over memory fewer.
import { isOp, type Node, type Value } from "../graph/index.ts";
import type { Builder } from "./builder.ts";

/**
 * The additions `x · W + b` that become one Gemm, with their product: a product of two matrices that nothing else reads,
 * and a bias `[N]` as wide as it. Products that are emitted `otherwise` are left alone.
 */
export function biasedProducts(
  nodes: readonly Node[],
  outputs: readonly Value[],
  otherwise: ReadonlyMap<Node, unknown>,
): ReadonlyMap<Node, Node<"matmul">> {
  const readers = new Map<Value, number>();
  const count = (value: Value) => readers.set(value, (readers.get(value) ?? 0) + 1);
  for (const node of nodes) node.inputs.forEach(count);
  outputs.forEach(count);
  const found = new Map<Node, Node<"matmul">>();
  for (const node of nodes) {
    if (node.op !== "add") continue;
    const [product, bias] = node.inputs as readonly [Value, Value];
    const { node: maker } = product;
    const fits = product.shape.length === 2 && product.dtype === "float32" && readers.get(product) === 1;
    if (
      !fits ||
      !isOp(maker, "matmul") ||
      otherwise.has(maker) ||
      maker.inputs.some((input) => input.shape.length !== 2)
    )
      continue;
    if (bias.shape.length === 1 && bias.shape[0] === product.shape[1]) found.set(node, maker);
  }
  return found;
}

/** Emits the addition `node` over `product`; gives the ONNX name of the sum. */
export function emitGemm(
  builder: Builder,
  node: Node,
  product: Node<"matmul">,
  names: ReadonlyMap<Value, string>,
): string {
  const { transA, transB, alpha } = product.attributes;
  const inputs = [...product.inputs, node.inputs[1]!].map((value) => names.get(value)!);
  return builder.node("Gemm", inputs, {
    transA: Number(transA),
    transB: Number(transB),
    alpha: { float: alpha },
    beta: { float: 1 },
  });
}
