// Matrices stored in few bits: restored by stock operators, or multiplied by a kernel that reads the codes itself.
import { isOp, NF4_LEVELS, type Node, type StoredFormat, type Value } from "../graph/index.ts";
import { type Builder, dataType, MICROSOFT } from "./builder.ts";

/** Products that a kernel computes from codes and scales, each with the matrix's node, and the matrices only they read. */
export interface StoredProducts {
  readonly products: ReadonlyMap<Node, Node<"dequantize">>;
  readonly unread: ReadonlySet<Node>;
}

/**
 * The products `x · Wᵀ` with a stored W that become `MatMulBnb4` (NF4) or `MatMulNBits` (int4). Both kernels restore W
 * into a buffer of their own, faster than stock operators do, or not at all for few rows. int8 has no such kernel that
 * is as fast as `DequantizeLinear`; gradients want W itself, and MatMulBnb4 is wrong without `transB` (1.30).
 */
export function storedProducts(nodes: readonly Node[], outputs: readonly Value[]): StoredProducts {
  const products = new Map<Node, Node<"dequantize">>();
  const read = new Set<Node>(outputs.map(({ node }) => node));
  for (const node of nodes) {
    const matrix = isOp(node, "matmul") ? storedFactor(node) : undefined;
    if (matrix) products.set(node, matrix);
    node.inputs.forEach((input, i) => {
      if (!(matrix && i === 1)) read.add(input.node);
    });
  }
  return { products, unread: new Set([...products.values()].filter((matrix) => !read.has(matrix))) };
}

function storedFactor(node: Node<"matmul">): Node<"dequantize"> | undefined {
  const { transA, transB, alpha } = node.attributes;
  const [x, { node: matrix }] = node.inputs as readonly [Value, Value];
  if (transA || !transB || alpha !== 1 || !isOp(matrix, "dequantize") || matrix === x.node) return undefined;
  const [n, k] = matrix.attributes.shape;
  const block = KERNEL_BLOCK[matrix.attributes.format];
  return block !== null && n > 0 && k > 0 && k % block === 0 ? matrix : undefined;
}

/** Rows must be whole blocks for the kernel; null: no kernel. */
const KERNEL_BLOCK: Readonly<Record<StoredFormat, number | null>> = { nf4: 64, int4: 32, int8: null };

/** Emits the product `node` with the stored `matrix`; gives the ONNX name of the result. */
export function emitStoredProduct(
  builder: Builder,
  node: Node,
  matrix: Node<"dequantize">,
  names: ReadonlyMap<Value, string>,
): string {
  const { format, shape, isCoarse } = matrix.attributes;
  const [N, K] = shape;
  const inputs = [node.inputs[0]!, ...matrix.inputs].map((value) => names.get(value)!);
  if (format === "nf4") return builder.node("MatMulBnb4", inputs, { N, K, block_size: 64, quant_type: 1 }, MICROSOFT);
  // 4: what is multiplied has eight bits; without it float32
  const accuracy = isCoarse ? { accuracy_level: 4 } : {};
  return builder.node("MatMulNBits", inputs, { N, K, block_size: 32, bits: 4, ...accuracy }, MICROSOFT);
}

/** Emits the matrix itself from its codes and scales; gives its ONNX name. */
export function emitDequantize(builder: Builder, node: Node<"dequantize">, inputs: readonly string[]): string {
  const { format, shape } = node.attributes;
  const [codes, scales] = inputs as readonly [string, string];
  switch (format) {
    case "int8":
      return builder.node("DequantizeLinear", [codes, scales], { axis: 0 });
    case "nf4":
      return restoreFlat(builder, codes, scales, shape);
    case "int4":
      return restoreRows(builder, codes, scales, shape);
  }
}

/** NF4: blocks of 64 over the flat matrix, the last one perhaps not full. */
function restoreFlat(builder: Builder, codes: string, scales: string, [n, k]: readonly [number, number]): string {
  const count = n * k;
  const stored = 2 * Math.ceil(count / 2);
  const blocks = Math.ceil(count / 64);
  let values = pairs(builder, codes, NF4_PAIRS);
  if (stored !== blocks * 64) {
    const flat = builder.node("Reshape", [values, builder.int64s([stored])]);
    values = builder.node("Pad", [flat, builder.int64s([0, blocks * 64 - stored])]);
  }
  const scaled = scale(builder, values, scales, blocks, 64);
  if (count === blocks * 64) return reshaped(builder, scaled, [n, k]);
  const flat = builder.node("Reshape", [scaled, builder.int64s([blocks * 64])]);
  return reshaped(builder, builder.node("Slice", [flat, builder.int64s([0]), builder.int64s([count])]), [n, k]);
}

/** int4: blocks of 32 in each row, the last one perhaps not full. */
function restoreRows(builder: Builder, codes: string, scales: string, [n, k]: readonly [number, number]): string {
  const blocks = Math.ceil(k / 32);
  const values = pairs(builder, codes, INT4_PAIRS);
  const rows = reshaped(builder, scale(builder, values, scales, n * blocks, 32), [n, blocks * 32]);
  if (k === blocks * 32) return rows;
  return builder.node("Slice", [rows, builder.int64s([0]), builder.int64s([k]), builder.int64s([1])]);
}

/** The two numbers of each of the 256 bytes, `[256, 2]`. */
const pairTable = (first: (byte: number) => number, second: (byte: number) => number): Float32Array =>
  Float32Array.from({ length: 512 }, (_, i) => (i & 1 ? second : first)(i >> 1));

const NF4_PAIRS = pairTable(
  (byte) => NF4_LEVELS[byte >> 4]!,
  (byte) => NF4_LEVELS[byte & 15]!,
);
const INT4_PAIRS = pairTable(
  (byte) => (byte & 15) - 8,
  (byte) => (byte >> 4) - 8,
);

/** The two numbers of each code byte, `[…, 2]`. */
function pairs(builder: Builder, codes: string, data: Float32Array): string {
  const table = builder.constant({ dtype: "float32", shape: [256, 2], data });
  return builder.node("Gather", [table, builder.node("Cast", [codes], { to: dataType("int32") })], { axis: 0 });
}

function scale(builder: Builder, values: string, scales: string, blocks: number, size: number): string {
  return builder.node("Mul", [
    builder.node("Reshape", [values, builder.int64s([blocks, size])], { allowzero: 1 }),
    builder.node("Reshape", [scales, builder.int64s([blocks, 1])], { allowzero: 1 }),
  ]);
}

function reshaped(builder: Builder, values: string, shape: readonly number[]): string {
  return builder.node("Reshape", [values, builder.int64s(shape)], { allowzero: 1 });
}
