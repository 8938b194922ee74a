// Weights of an ONNX model in 8 or 4 bits, as operators that ONNX Runtime has everywhere.
import { MICROSOFT, type OnnxModel, type OnnxNode, type OnnxTensor } from "../onnx/index.ts";

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
 * `MatMulInteger`, one scale an output; for 4 bits `MatMulNBits`, one scale for 32 inputs. Weights must be in the model as bytes.
 */
export function quantizeModel(model: OnnxModel, bits: 8 | 4): OnnxModel {
  const tensors = new Map(model.tensors);
  const dynamic = new Map<string, readonly [string, string, string]>();
  const nodes = model.nodes.flatMap((node): readonly OnnxNode[] => {
    const stored = tensors.get(node.inputs[node.type === "Gather" ? 0 : 1] ?? "");
    if (stored === undefined || stored.dtype !== "float32" || stored.shape.length !== 2) return [node];
    if (node.type === "Gather") return tableRows(node, stored, tensors);
    if (node.type !== "Gemm" || node.attributes.transB !== 1) return [node];
    return bits === 8 ? int8Product(node, stored, tensors, dynamic) : int4Product(node, stored, tensors);
  });
  return { ...model, nodes, tensors };
}

/** The numbers of a float32 tensor that is in the model. */
export function floats({ data }: OnnxTensor): Float32Array {
  const bytes = data as Uint8Array;
  if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  return new Float32Array(bytes.slice().buffer);
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

function int8Product(
  node: OnnxNode,
  { shape }: OnnxTensor,
  tensors: Map<string, OnnxTensor>,
  dynamic: Map<string, readonly [string, string, string]>,
): OnnxNode[] {
  const [x, weight, bias] = node.inputs as readonly [string, string, string];
  const [rows, width] = shape as readonly [number, number];
  const { values, scales } = int8Columns(floats(tensors.get(weight)!), rows);
  const [q, s, z] = ["int8", "scale", "zero"].map((part) => `${weight}:${part}`) as [string, string, string];
  tensors.set(q, { dtype: "int8", shape: [width, rows], data: new Uint8Array(values.buffer) });
  tensors.set(s, { dtype: "float32", shape: [rows], data: new Uint8Array(scales.buffer) });
  tensors.set(z, { dtype: "int8", shape: [], data: new Uint8Array(1) });
  const made: OnnxNode[] = [];
  const known = dynamic.get(x);
  const [xq, xs, xz] = known ?? ([`${x}:uint8`, `${x}:scale`, `${x}:zero`] as const);
  if (known === undefined) {
    dynamic.set(x, [xq, xs, xz]);
    made.push(nodePart(node, "input", "DynamicQuantizeLinear", [x], [xq, xs, xz]));
  }
  const out = node.outputs[0]!;
  made.push(
    nodePart(node, "scale", "Mul", [xs, s], [`${out}:scale`]),
    nodePart(node, "product", "MatMulInteger", [xq, q, xz, z], [`${out}:int32`]),
    nodePart(node, "float", "Cast", [`${out}:int32`], [`${out}:float`], { to: 1 }),
    nodePart(node, "scaled", "Mul", [`${out}:float`, `${out}:scale`], [`${out}:product`]),
    nodePart(node, "bias", "Add", [`${out}:product`, bias], [out]),
  );
  return made;
}

function int4Product(node: OnnxNode, { shape }: OnnxTensor, tensors: Map<string, OnnxTensor>): OnnxNode[] {
  const [x, weight, bias] = node.inputs as readonly [string, string, string];
  const [rows, width] = shape as readonly [number, number];
  const { codes, scales, blocks } = int4Blocks(floats(tensors.get(weight)!), rows);
  const [q, s] = [`${weight}:int4`, `${weight}:scales`];
  tensors.set(q, { dtype: "uint8", shape: [rows, blocks, INT4_BLOCK / 2], data: codes });
  tensors.set(s, { dtype: "float32", shape: [rows * blocks], data: new Uint8Array(scales.buffer) });
  const out = node.outputs[0]!;
  const attributes = { K: width, N: rows, bits: 4, block_size: INT4_BLOCK, accuracy_level: 4 };
  return [
    nodePart(node, "product", "MatMulNBits", [x, q, s], [`${out}:product`], attributes, MICROSOFT),
    nodePart(node, "bias", "Add", [`${out}:product`, bias], [out]),
  ];
}

function tableRows(node: OnnxNode, stored: OnnxTensor, tensors: Map<string, OnnxTensor>): OnnxNode[] {
  const [table, indices] = node.inputs as readonly [string, string];
  const [rows, width] = stored.shape as readonly [number, number];
  if (4 * rows * width < SMALL_TABLE_BYTES) return [node];
  const { values, scales } = int8Rows(floats(stored), rows);
  const [q, s] = [`${table}:int8`, `${table}:scales`];
  tensors.set(q, { dtype: "int8", shape: [rows, width], data: new Uint8Array(values.buffer) });
  tensors.set(s, { dtype: "float32", shape: [rows, 1], data: new Uint8Array(scales.buffer) });
  const out = node.outputs[0]!;
  return [
    nodePart(node, "codes", "Gather", [q, indices], [`${out}:int8`], { axis: 0 }),
    nodePart(node, "scales", "Gather", [s, indices], [`${out}:scales`], { axis: 0 }),
    nodePart(node, "float", "Cast", [`${out}:int8`], [`${out}:float`], { to: 1 }),
    nodePart(node, "scaled", "Mul", [`${out}:float`, `${out}:scales`], [out]),
  ];
}
