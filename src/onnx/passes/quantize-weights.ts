// Weights of an ONNX model in 8 or 4 bits, as operators that ONNX Runtime has everywhere.
import { MICROSOFT } from "../builder.ts";
import type { OnnxNode } from "../model.ts";
import { DerivedTensors } from "./derived-tensors.ts";
import { bytesOf, type StoredModel } from "./external-data.ts";

/** A layer's weights for MatMulInteger. */
export interface Int8Columns {
  /** `[in, out]` */
  readonly values: Int8Array;
  /** `[out]` */
  readonly scales: Float32Array;
}

/** Seven bits: two products of a full byte each would overflow the 16-bit sums of CPUs without VNNI. */
const INT8_MAX = 63;

/** `W[o, i] ≈ scale[o] · q[i, o]`, symmetric, for `[out, in]`; no scale is below its `leastScales` `[out]`. */
export function int8Columns(weight: Float32Array, outFeatures: number, leastScales?: Float32Array): Int8Columns {
  const width = weight.length / outFeatures;
  const values = new Int8Array(weight.length);
  const scales = new Float32Array(outFeatures);
  for (let o = 0; o < outFeatures; o++) {
    let largest = 0;
    for (let i = 0; i < width; i++) largest = Math.max(largest, Math.abs(weight[o * width + i]!));
    const scale = Math.max(Math.fround(largest / INT8_MAX), leastScales?.[o] ?? 0) || 1;
    scales[o] = scale;
    for (let i = 0; i < width; i++)
      values[i * outFeatures + o] = Math.max(-INT8_MAX, Math.min(INT8_MAX, Math.round(weight[o * width + i]! / scale)));
  }
  return { values, scales };
}

/** Rows `[N, D]` in 8 bits with a scale each, symmetric. */
export function int8Rows(table: Float32Array, rows: number): Int8Columns {
  const width = table.length / rows;
  const values = new Int8Array(table.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let i = 0; i < width; i++) largest = Math.max(largest, Math.abs(table[row * width + i]!));
    const scale = Math.fround(largest / 127) || 1;
    scales[row] = scale;
    for (let i = 0; i < width; i++) values[row * width + i] = Math.round(table[row * width + i]! / scale);
  }
  return { values, scales };
}

/** Rows of codes and scales of `MatMulNBits`. */
export interface Int4Blocks {
  /** `[out, in / block, block / 2]`, low nibble first. */
  readonly codes: Uint8Array;
  /** `[out · in / block]` */
  readonly scales: Float32Array;
  readonly blocks: number;
}

/** Inputs that share a scale. */
export const INT4_BLOCK = 32;

/** `W[o, i] ≈ scale · (q − 8)` by blocks of 32 inputs, for `[out, in]`; the last block is filled with zeros. */
export function int4Blocks(weight: Float32Array, outFeatures: number): Int4Blocks {
  const width = weight.length / outFeatures;
  const blocks = Math.ceil(width / INT4_BLOCK);
  const codes = new Uint8Array((outFeatures * blocks * INT4_BLOCK) / 2);
  const scales = new Float32Array(outFeatures * blocks);
  for (let o = 0; o < outFeatures; o++) {
    for (let b = 0; b < blocks; b++) {
      const at = (i: number) => (i < width ? weight[o * width + i]! : 0);
      let extreme = 0;
      for (let i = b * INT4_BLOCK; i < (b + 1) * INT4_BLOCK; i++)
        if (Math.abs(at(i)) > Math.abs(extreme)) extreme = at(i);
      // the largest magnitude falls on −8, the one code without a mirror image
      const scale = Math.fround(extreme / -8);
      scales[o * blocks + b] = scale;
      for (let j = 0; j < INT4_BLOCK; j++) {
        const value = scale === 0 ? 0 : Math.round(at(b * INT4_BLOCK + j) / scale);
        const code = Math.max(0, Math.min(15, value + 8));
        codes[((o * blocks + b) * INT4_BLOCK + j) >> 1]! |= j % 2 === 0 ? code : code << 4;
      }
    }
  }
  return { codes, scales, blocks };
}

/** Tables below this many bytes stay as they are. */
const SMALL_TABLE_BYTES = 1 << 16;

/**
 * The model with every stored matrix in `bits` bits and its embedding tables in 8: for 8 bits `DynamicQuantizeLinear` and
 * `MatMulInteger`, one scale an output; for 4 bits `MatMulNBits`, one scale for 32 inputs. In 8 bits a table that is a matrix
 * of products too is kept once, as their columns.
 */
export function quantizeModel(model: StoredModel, bits: 8 | 4): StoredModel {
  const made = new DerivedTensors(model);
  // inputs in 8 bits by name
  const quantized = new Map<string, readonly [string, string, string]>();
  const products = new Set(model.nodes.flatMap((node) => (isProduct(node) ? [node.inputs[1]!] : [])));
  const nodes = model.nodes.flatMap((node): readonly OnnxNode[] => {
    const name = node.inputs[node.type === "Gather" ? 0 : 1] ?? "";
    const { dtype, shape } = model.tensors.get(name) ?? {};
    if (!model.stored.has(name) || dtype !== "float32" || shape?.length !== 2) return [node];
    const size = shape as readonly [number, number];
    if (node.type === "Gather") {
      const isShared = bits === 8 && products.has(name) && rankOf(model, node.inputs[1]!) === 2;
      return isShared ? sharedRows(made, node, size) : tableRows(made, node, size);
    }
    if (!isProduct(node)) return [node];
    return bits === 8 ? int8Product(made, quantized, node, size) : int4Product(made, node, size);
  });
  return { ...model, nodes, tensors: made.tensors, stored: made.stored };
}

/** `x · Wᵀ`, with a bias or without. */
function isProduct({ type, attributes }: OnnxNode): boolean {
  if (attributes.transB !== 1 || (attributes.transA ?? 0) !== 0) return false;
  const { alpha } = attributes;
  const isPlain = typeof alpha === "object" && "float" in alpha && alpha.float === 1;
  return type === "Gemm" || (type === "FusedMatMul" && isPlain);
}

/** Axes of a value; null where the model does not tell. */
function rankOf({ source: { graph } }: StoredModel, name: string): number | null {
  const told = [...(graph?.input ?? []), ...(graph?.valueInfo ?? [])];
  const { value } = told.find((input) => input.name === name)?.type ?? {};
  return value?.case === "tensorType" ? (value.value.shape?.dim.length ?? null) : null;
}

/** A node that is a part of what another becomes. */
export const nodePart = (
  node: OnnxNode,
  part: string,
  type: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: OnnxNode["attributes"] = {},
  domain = "",
): OnnxNode => ({ name: `${node.name}/${part}`, type, domain, inputs, outputs, attributes });

/** The sum of a product with its bias, or the product alone. */
function biased(node: OnnxNode, made: readonly OnnxNode[]): OnnxNode[] {
  const [out, bias] = [node.outputs[0]!, node.inputs[2]];
  const product = made.at(-1)!;
  if (bias === undefined) return [...made.slice(0, -1), { ...product, outputs: [out] }];
  return [...made, nodePart(node, "bias", "Add", [product.outputs[0]!, bias], [out])];
}

/** `[in, out]` codes and `[out]` scales of a product's matrix; their names. */
function int8Matrix(made: DerivedTensors, weight: string, [rows, width]: readonly [number, number]) {
  made.derive(weight, { int8: ["int8", [width, rows]], scale: ["float32", [rows]] }, async () => {
    const { values, scales } = int8Columns(await made.floats(weight), rows);
    return { int8: values, scale: scales };
  });
  const zero = `${weight}:zero`;
  made.set(zero, { dtype: "int8", shape: [], data: new Uint8Array(1) });
  return { codes: `${weight}:int8`, scale: `${weight}:scale`, zero };
}

function int8Product(
  made: DerivedTensors,
  quantized: Map<string, readonly [string, string, string]>,
  node: OnnxNode,
  size: readonly [number, number],
): OnnxNode[] {
  const [x, weight] = node.inputs as readonly [string, string];
  const { codes, scale, zero } = int8Matrix(made, weight, size);
  const parts: OnnxNode[] = [];
  const known = quantized.get(x);
  const [xq, xs, xz] = known ?? ([`${x}:uint8`, `${x}:scale`, `${x}:zero`] as const);
  if (known === undefined) {
    quantized.set(x, [xq, xs, xz]);
    parts.push(nodePart(node, "input", "DynamicQuantizeLinear", [x], [xq, xs, xz]));
  }
  const out = node.outputs[0]!;
  return biased(node, [
    ...parts,
    nodePart(node, "scale", "Mul", [xs, scale], [`${out}:productScale`]),
    nodePart(node, "product", "MatMulInteger", [xq, codes, xz, zero], [`${out}:int32`]),
    nodePart(node, "float", "Cast", [`${out}:int32`], [`${out}:float`], { to: 1 }),
    nodePart(node, "scaled", "Mul", [`${out}:float`, `${out}:productScale`], [`${out}:product`]),
  ]);
}

function int4Product(made: DerivedTensors, node: OnnxNode, [rows, width]: readonly [number, number]): OnnxNode[] {
  const [x, weight] = node.inputs as readonly [string, string];
  const blocks = Math.ceil(width / INT4_BLOCK);
  const parts = {
    int4: ["uint8", [rows, blocks, INT4_BLOCK / 2]],
    scales: ["float32", [rows * blocks]],
  } as const;
  made.derive(weight, parts, async () => {
    const { codes, scales } = int4Blocks(await made.floats(weight), rows);
    return { int4: codes, scales };
  });
  const attributes = { K: width, N: rows, bits: 4, block_size: INT4_BLOCK, accuracy_level: 4 };
  const inputs = [x, `${weight}:int4`, `${weight}:scales`];
  return biased(node, [
    nodePart(node, "product", "MatMulNBits", inputs, [`${node.outputs[0]!}:product`], attributes, MICROSOFT),
  ]);
}

function tableRows(made: DerivedTensors, node: OnnxNode, [rows, width]: readonly [number, number]): OnnxNode[] {
  const [table, indices] = node.inputs as readonly [string, string];
  if (4 * rows * width < SMALL_TABLE_BYTES) return [node];
  const parts = { rows: ["int8", [rows, width]], rowScales: ["float32", [rows, 1]] } as const;
  made.derive(table, parts, async () => {
    const { values, scales } = int8Rows(await made.floats(table), rows);
    return { rows: values, rowScales: scales };
  });
  const out = node.outputs[0]!;
  return [
    nodePart(node, "codes", "Gather", [`${table}:rows`, indices], [`${out}:int8`], { axis: 0 }),
    nodePart(node, "scales", "Gather", [`${table}:rowScales`, indices], [`${out}:scales`], { axis: 0 }),
    nodePart(node, "float", "Cast", [`${out}:int8`], [`${out}:float`], { to: 1 }),
    nodePart(node, "scaled", "Mul", [`${out}:float`, `${out}:scales`], [out]),
  ];
}

const LAST_AXIS = "axes:last";

/** Rows at indices `[B, S]` out of a product's codes, where they are columns. */
function sharedRows(made: DerivedTensors, node: OnnxNode, size: readonly [number, number]): OnnxNode[] {
  const [table, indices] = node.inputs as readonly [string, string];
  const { codes, scale } = int8Matrix(made, table, size);
  made.set(LAST_AXIS, { dtype: "int64", shape: [1], data: bytesOf(BigInt64Array.of(-1n)) });
  const out = node.outputs[0]!;
  return [
    nodePart(node, "codes", "Gather", [codes, indices], [`${out}:columns`], { axis: 1 }),
    nodePart(node, "rows", "Transpose", [`${out}:columns`], [`${out}:int8`], { perm: [1, 2, 0] }),
    nodePart(node, "scales", "Gather", [scale, indices], [`${out}:flat`], { axis: 0 }),
    nodePart(node, "wide", "Unsqueeze", [`${out}:flat`, LAST_AXIS], [`${out}:scales`]),
    nodePart(node, "float", "Cast", [`${out}:int8`], [`${out}:float`], { to: 1 }),
    nodePart(node, "scaled", "Mul", [`${out}:float`, `${out}:scales`], [out]),
  ];
}
