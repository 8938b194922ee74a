// Weights and activations of an ONNX model in 8 bits with scales known beforehand, as pairs that ONNX Runtime fuses.
import type { OnnxModel, OnnxNode, OnnxTensor } from "../model.ts";
import type { ActivationRange } from "./activation-range.ts";
import { DerivedTensors } from "./derived-tensors.ts";
import type { StoredModel } from "./external-data.ts";
import { int8Columns, nodePart, quantizeModel } from "./quantize-weights.ts";

/** What each product reads, by its weight's name; null: its range is taken anew in every run. */
export type StaticRanges = ReadonlyMap<string, ActivationRange | null>;

/** A product with a stored matrix: `y = x Wᵀ + b`. */
interface StoredProduct {
  readonly node: OnnxNode;
  readonly x: string;
  readonly weight: string;
  readonly y: string;
}

function storedProducts({ nodes, tensors }: OnnxModel): StoredProduct[] {
  return nodes.flatMap((node) => {
    const [x, weight] = node.inputs as readonly [string, string];
    const stored = tensors.get(weight);
    if (node.type !== "Gemm" || node.attributes.transB !== 1) return [];
    if (stored?.dtype !== "float32" || stored.shape.length !== 2) return [];
    return [{ node, x, weight, y: node.outputs[0]! }];
  });
}

/** Activations that stored matrices are multiplied with, and the weights' names of each. */
export function multiplied(model: OnnxModel): Map<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { x, weight } of storedProducts(model)) {
    const weights = found.get(x);
    if (weights === undefined) found.set(x, [weight]);
    else weights.push(weight);
  }
  return found;
}

/** The model that gives `multiplied`'s activations instead of its own outputs. */
export function observed(model: OnnxModel): OnnxModel {
  return { ...model, outputs: [...multiplied(model).keys()] };
}

/** Names of what `noisy` gives for a product: its result's `shape` `[2]`, `energy` and `sums` of columns `[out]`, and the noise of each form. */
export const noiseNames = (weight: string) => ({
  shape: `${weight}:shape`,
  energy: `${weight}:energy`,
  sums: `${weight}:sums`,
  dynamic: `${weight}:noise`,
  fixed: (candidate: number) => `${weight}:noise.${candidate}`,
});

const COLUMN_AXIS = "axis:columns";

/**
 * The float model that gives, for each product, the squared error that eight-bit activations make in its result: with each range of
 * `candidates`, by activation, and with ranges taken from the very run.
 */
export function noisy(model: OnnxModel, candidates: ReadonlyMap<string, readonly ActivationRange[]>): OnnxModel {
  const tensors = new Map(model.tensors);
  tensors.set(COLUMN_AXIS, { dtype: "int64", shape: [1], data: new Uint8Array(BigInt64Array.of(0n).buffer) });
  const nodes = [...model.nodes];
  const outputs: string[] = [];
  const restored = new Map<string, readonly string[]>();
  for (const { node, x, weight, y } of storedProducts(model)) {
    const names = noiseNames(weight);
    if (!restored.has(x)) {
      const forms = restoredForms(node, x, candidates.get(x)!, tensors);
      nodes.push(...forms.nodes);
      restored.set(x, forms.names);
    }
    nodes.push(
      nodePart(node, "shape", "Shape", [y], [`${names.shape}:int64`]),
      nodePart(node, "rows", "Cast", [`${names.shape}:int64`], [names.shape], { to: 1 }),
      nodePart(node, "energy", "ReduceSumSquare", [y], [names.energy], { keepdims: 0 }),
      nodePart(node, "sums", "ReduceSum", [y, COLUMN_AXIS], [names.sums], { keepdims: 0 }),
    );
    outputs.push(names.shape, names.energy, names.sums);
    for (const [form, name] of restored.get(x)!.entries()) {
      const noise = form === 0 ? names.dynamic : names.fixed(form - 1);
      nodes.push(
        { ...node, name: `${noise}/product`, inputs: [name, ...node.inputs.slice(1)], outputs: [`${noise}:y`] },
        nodePart(node, `${form}/error`, "Sub", [`${noise}:y`, y], [`${noise}:error`]),
        nodePart(node, `${form}/noise`, "ReduceSumSquare", [`${noise}:error`], [noise], { keepdims: 0 }),
      );
      outputs.push(noise);
    }
  }
  return { ...model, nodes, tensors, outputs };
}

/** `x` in eight bits and back, by a range of the run and by each candidate. */
function restoredForms(
  node: OnnxNode,
  x: string,
  candidates: readonly ActivationRange[],
  tensors: Map<string, OnnxTensor>,
): { readonly nodes: readonly OnnxNode[]; readonly names: readonly string[] } {
  const [q, s, z] = ["uint8", "scale", "zero"].map((part) => `${x}:run:${part}`) as [string, string, string];
  const nodes = [
    nodePart(node, "run/codes", "DynamicQuantizeLinear", [x], [q, s, z]),
    nodePart(node, "run/restored", "DequantizeLinear", [q, s, z], [`${x}:run`]),
  ];
  const names = [`${x}:run`];
  for (const [i, range] of candidates.entries()) {
    const pair = quantizedPair(node, x, `${x}:candidate.${i}`, range, tensors);
    nodes.push(...pair);
    names.push(pair[1]!.outputs[0]!);
  }
  return { nodes, names };
}

/** `x` as codes and as numbers again, named after `name`. */
function quantizedPair(
  node: OnnxNode,
  x: string,
  name: string,
  { scale, zero }: ActivationRange,
  tensors: Map<string, OnnxTensor>,
): readonly OnnxNode[] {
  const [q, s, z] = ["uint8", "scale", "zero"].map((part) => `${name}:${part}`) as [string, string, string];
  tensors.set(s, { dtype: "float32", shape: [], data: new Uint8Array(Float32Array.of(scale).buffer) });
  tensors.set(z, { dtype: "uint8", shape: [], data: Uint8Array.of(zero) });
  return [
    nodePart(node, `${name}/codes`, "QuantizeLinear", [x, s, z], [q]),
    nodePart(node, `${name}/restored`, "DequantizeLinear", [q, s, z], [`${name}:restored`]),
  ];
}

/**
 * The model with every stored matrix and its embedding tables in 8 bits. A product whose activation has a range becomes
 * `QuantizeLinear → DequantizeLinear → Gemm` over restored weights and a bias in int32, one scale an output, which ONNX Runtime
 * computes as one `QGemm` of integers; the others are as `quantizeModel` makes them.
 */
export function quantizeStatic(model: StoredModel, ranges: StaticRanges): StoredModel {
  const derived = new DerivedTensors(model);
  const restored = new Set<string>();
  const products = new Map(storedProducts(model).map((product) => [product.node, product]));
  const nodes = model.nodes.flatMap((node): readonly OnnxNode[] => {
    const product = products.get(node);
    const range = product === undefined ? null : (ranges.get(product.weight) ?? null);
    return product === undefined || range === null ? [node] : staticProduct(product, range, derived, restored);
  });
  return quantizeModel({ ...model, nodes, tensors: derived.tensors, stored: derived.stored }, 8);
}

/** Codes of a bias have this many bits at most: float32 holds them exactly, and the product's sum still fits beside them. */
const BIAS_MAX = 2 ** 24;

function staticProduct(
  { node, x, weight, y }: StoredProduct,
  range: ActivationRange,
  derived: DerivedTensors,
  restored: Set<string>,
): OnnxNode[] {
  const [rows, width] = derived.tensors.get(weight)!.shape as readonly [number, number];
  const bias = node.inputs[2];
  const parts = { int8: ["int8", [width, rows]], scale: ["float32", [rows]] } as const;
  const biasParts = { bias: ["int32", [rows]], biasScale: ["float32", [rows]] } as const;
  derived.derive(weight, bias === undefined ? parts : { ...parts, ...biasParts }, async () => {
    const addend = bias === undefined ? null : await derived.floats(bias);
    return staticCodes(await derived.floats(weight), addend, rows, range);
  });
  const [q, s, z, w] = ["int8", "scale", "zeros", "restored"].map((part) => `${weight}:${part}`) as [
    string,
    string,
    string,
    string,
  ];
  // without them, zeros though they be, nothing is fused
  derived.set(z, { dtype: "int8", shape: [rows], data: new Uint8Array(rows) });
  const made: OnnxNode[] = [];
  if (!restored.has(x)) made.push(...quantizedPair(node, x, x, range, derived.tensors));
  restored.add(x);
  made.push(nodePart(node, "weight", "DequantizeLinear", [q, s, z], [w], { axis: 1 }));
  const inputs = [`${x}:restored`, w];
  if (bias !== undefined) {
    const [codes, steps, sum] = ["bias", "biasScale", "biasRestored"].map((part) => `${weight}:${part}`) as [
      string,
      string,
      string,
    ];
    made.push(nodePart(node, "bias", "DequantizeLinear", [codes, steps], [sum], { axis: 0 }));
    inputs.push(sum);
  }
  const { transB: _, ...attributes } = node.attributes;
  made.push({ ...node, inputs, outputs: [y], attributes });
  return made;
}

/** A product's matrix as columns of codes, and its bias in codes of what the product's own are worth. */
function staticCodes(weight: Float32Array, bias: Float32Array | null, rows: number, { scale: step }: ActivationRange) {
  // a row of zeros or nearly so takes its scale from the bias, whose code would overflow or be coarse
  const least = bias?.map((b) => Math.abs(b) / (step * BIAS_MAX));
  const { values, scales } = int8Columns(weight, rows, least);
  if (bias === null) return { int8: values, scale: scales };
  const biasScale = scales.map((scale) => step * scale);
  const codes = Int32Array.from(bias, (b, o) => Math.round(b / biasScale[o]!));
  return { int8: values, scale: scales, bias: codes, biasScale };
}
