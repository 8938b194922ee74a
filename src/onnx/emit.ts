// From a graph to the bytes of an ONNX model; frozen parameters are external data, so no model meets protobuf's 2 GB limit.
import { create, toBinary } from "@bufbuild/protobuf";
import { GraphError, UnsupportedError } from "../errors.ts";
import {
  type Dim,
  dimTerms,
  isOp,
  type Node,
  type Op,
  reachable,
  type Shape,
  sizeNames,
  type Value,
  verify,
} from "../graph/index.ts";
import type { DType, FileSpan } from "../tensor/index.ts";
import { Builder, dataType, MICROSOFT, OWN_NAME } from "./builder.ts";
import { biasedProducts, emitGemm } from "./gemm.ts";
import {
  TensorProto_DataLocation as DataLocation,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./generated/onnx_pb.js";
import { emitStoredProduct, storedProducts } from "./quantized.ts";
import { type EmitRule, emitRules } from "./rules.ts";
import { SizeEmitter } from "./shapes.ts";

const OPSET = 21n;
const IR_VERSION = 10n;

/** A frozen parameter that the model file refers to but does not hold. */
export interface ExternalWeight {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface EmittedModel {
  readonly bytes: Uint8Array;
  /** What must be fed: graph inputs and trainable parameters, in order. */
  readonly inputs: readonly { readonly name: string; readonly dtype: DType; readonly shape: Shape }[];
  readonly outputs: readonly { readonly name: string; readonly dtype: DType; readonly shape: Shape }[];
  readonly external: readonly ExternalWeight[];
  /** Some work is done twice on purpose: a runtime must not merge equal nodes. */
  readonly hasCopies: boolean;
  /** Some matrices are stored in few bits: a runtime must not restore them once and for all. */
  readonly hasStoredMatrices: boolean;
  /** Sizes at which 0 has no defined result: a largest of nothing, a batched product without inner elements. */
  readonly nonEmpty: readonly Dim[];
  /** ONNX node name → site. */
  readonly sites: ReadonlyMap<string, string>;
}

/** Where a frozen parameter's bytes lie: a span of a file beside the model, or the bytes themselves. */
export type Placement = Pick<FileSpan, "name" | "byteOffset" | "byteLength"> | Uint8Array;

export interface EmitOptions {
  /** Bytes are written into the model (small weights, tests); a span's `name` becomes the ONNX location. */
  readonly place: (weight: ExternalWeight) => Placement;
}

/**
 * The ONNX model (opset 21, com.microsoft 1) that computes `outputs` by name.
 * Dead code is left out: only what the outputs need is emitted.
 * @throws {GraphError} when the graph is not legal.
 */
export function emit(outputs: Readonly<Record<string, Value>>, { place }: EmitOptions): EmittedModel {
  const values = Object.values(outputs);
  verify(values);
  const nodes = byDepth(reachable(values));
  const builder = new Builder();
  const declared: Declared = { names: new Map(), inputs: [], external: [], sources: new Map() };
  for (const node of nodes) declare(node, declared);
  checkNames(Object.keys(outputs), nodes);
  const nonEmpty = emitNodes(builder, nodes, values, declared);
  builder.site = "outputs";
  const outputInfos = nameOutputs(builder, outputs, declared.names);
  return {
    bytes: modelBytes(builder, declared, outputInfos, place),
    inputs: declared.inputs,
    outputs: outputInfos,
    external: declared.external,
    nonEmpty: [...nonEmpty].filter((size) => typeof size === "string"),
    hasCopies: nodes.some((node) => node.copyOf !== null),
    hasStoredMatrices: nodes.some((node) => node.op === "dequantize"),
    sites: builder.sites,
  };
}

/** What the graph's inputs and parameters are in the model. */
interface Declared {
  readonly names: Map<Value, string>;
  readonly inputs: { name: string; dtype: DType; shape: Shape }[];
  readonly external: ExternalWeight[];
  readonly sources: Map<string, { input: string; axis: number }>;
}

/** Emits every node that computes something; gives the sizes at which 0 has no defined result. */
function emitNodes(
  builder: Builder,
  nodes: readonly Node[],
  values: readonly Value[],
  { names, sources }: Declared,
): ReadonlySet<Dim> {
  const sizes = new SizeEmitter(builder, sources);
  const nonEmpty = new Set<Dim>();
  const counted = new Set(nodes.flatMap((node) => (isOp(node, "nonzero") ? [node.attributes.size] : [])));
  const refuseEmpty = (size: Dim) => {
    if (dimTerms(size).some(({ names: used }) => used.some((name) => counted.has(name))))
      throw new UnsupportedError(`a largest or a batched product over ${size}, which may be 0`, ["sums", "gathers"]);
    nonEmpty.add(size);
  };
  const bindSize = (name: string, vector: string) => void sources.set(name, { input: vector, axis: 0 });
  const stored = storedProducts(nodes, values);
  const biased = biasedProducts(nodes, values, stored.products);
  const products = new Set<Node>(biased.values());
  for (const node of nodes) {
    if (node.op === "input" || node.op === "parameter" || products.has(node) || stored.unread.has(node)) continue;
    const product = biased.get(node);
    builder.site = (product ?? node).site;
    const matrix = stored.products.get(node);
    if (matrix) {
      names.set(node.outputs[0]!, emitStoredProduct(builder, node, matrix, names));
      continue;
    }
    if (product) {
      names.set(node.outputs[0]!, emitGemm(builder, node, product, names));
      continue;
    }
    // the table pairs each op with a rule for that op's node
    const rule = emitRules[node.op] as EmitRule<Op>;
    const inputs = node.inputs.map((input) => names.get(input)!);
    const made = rule(node, { builder, sizes, refuseEmpty, bindSize, inputs });
    for (const output of node.outputs) names.set(output, typeof made === "string" ? made : made[output.index]!);
  }
  return nonEmpty;
}

/** The model with its graph, as bytes of protobuf. */
function modelBytes(
  builder: Builder,
  { names, inputs, external }: Declared,
  outputs: EmittedModel["outputs"],
  place: EmitOptions["place"],
): Uint8Array {
  const initializers = [...builder.initializers, ...external.map((weight) => parameterTensor(weight, place(weight)))];
  const model = create(ModelProtoSchema, {
    irVersion: IR_VERSION,
    producerName: "deft",
    opsetImport: [
      { domain: "", version: OPSET },
      { domain: MICROSOFT, version: 1n },
    ],
    graph: {
      name: "deft",
      node: builder.nodes,
      initializer: initializers,
      input: inputs.map(valueInfo),
      output: outputs.map(valueInfo),
      valueInfo: innerInfos(builder, names, outputs).map(valueInfo),
    },
  });
  return toBinary(ModelProtoSchema, model);
}

/**
 * Nodes by their distance from the inputs. Of a node's inputs ONNX Runtime computes the one numbered highest first, so
 * the long chain comes before what only waits for it, and a result is made when it is needed, not long before.
 */
function byDepth(nodes: readonly Node[]): Node[] {
  const depths = new Map<Node, number>();
  const counts = new Map<string, Node>();
  for (const node of nodes) {
    // what speaks of a counted size reads it where it was counted
    const counters = [...sizeNames(node)].flatMap((name) => counts.get(name) ?? []);
    const before = [...node.inputs.map((input) => input.node), ...counters];
    depths.set(node, 1 + Math.max(-1, ...before.map((each) => depths.get(each)!)));
    if (isOp(node, "nonzero")) counts.set(node.attributes.size, node);
  }
  return [...nodes].sort((a, b) => depths.get(a)! - depths.get(b)! || a.id - b.id);
}

/**
 * The frozen parameters that the outputs need: what `emit` will ask a place for.
 * @throws {GraphError} when the graph is not legal.
 */
export function externalWeights(outputs: Readonly<Record<string, Value>>): ExternalWeight[] {
  const values = Object.values(outputs);
  verify(values);
  return reachable(values).flatMap((node) =>
    isOp(node, "parameter") && !node.attributes.trainable ? [externalWeight(node)] : [],
  );
}

interface Declarations {
  readonly names: Map<Value, string>;
  readonly inputs: { name: string; dtype: DType; shape: Shape }[];
  readonly external: ExternalWeight[];
  readonly sources: Map<string, { input: string; axis: number }>;
}

function declare(node: Node, { names, inputs, external, sources }: Declarations): void {
  const value = node.outputs[0]!;
  const { dtype, shape } = value;
  if (isOp(node, "input") || (isOp(node, "parameter") && node.attributes.trainable)) {
    const { name } = node.attributes;
    names.set(value, name);
    inputs.push({ name, dtype, shape });
    shape.forEach((dim, axis) => {
      if (typeof dim === "string" && /^\w+$/.test(dim) && !sources.has(dim)) sources.set(dim, { input: name, axis });
    });
  } else if (isOp(node, "parameter")) {
    names.set(value, node.attributes.name);
    external.push(externalWeight(node));
  }
}

function externalWeight(node: Node<"parameter">): ExternalWeight {
  const { name } = node.attributes;
  const { dtype, shape } = node.outputs[0]!;
  return { name, dtype, shape: shape.map((dim) => staticDim(name, dim)) };
}

/** ONNX has one name space: an output may not bear the name of an input or parameter. */
function checkNames(outputs: readonly string[], nodes: readonly Node[]): void {
  const declared = new Set(
    nodes.flatMap((node) => (isOp(node, "input") || isOp(node, "parameter") ? [node.attributes.name] : [])),
  );
  const issues = outputs
    .filter((name) => declared.has(name))
    .map((name) => `output ${name}: an input or parameter has this name; name the output otherwise`);
  for (const name of [...declared, ...outputs]) {
    if (name === "" || name.startsWith(OWN_NAME))
      issues.push(`${name || "the empty name"}: kept for values without a name`);
  }
  if (issues.length > 0) throw new GraphError(issues);
}

function staticDim(name: string, dim: number | string): number {
  if (typeof dim === "number") return dim;
  throw new UnsupportedError(`parameter ${name} with the open size ${dim}`, ["sizes known when the graph is built"]);
}

/** Gives each output its public name: on the node that makes it where that is free, else through an Identity. */
function nameOutputs(builder: Builder, outputs: Readonly<Record<string, Value>>, names: ReadonlyMap<Value, string>) {
  const makers = new Map(builder.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const renamed = new Map<string, string>();
  const infos = Object.entries(outputs).map(([name, value]) => {
    const source = names.get(value)!;
    const maker = makers.get(source);
    if (maker && !renamed.has(source)) {
      maker.output[maker.output.indexOf(source)] = name;
      renamed.set(source, name);
    } else {
      builder.nodeWith("Identity", [source], 1);
      builder.nodes.at(-1)!.output[0] = name;
    }
    return { name, dtype: value.dtype, shape: value.shape };
  });
  for (const node of builder.nodes) {
    node.input.forEach((input, i) => {
      node.input[i] = renamed.get(input) ?? input;
    });
  }
  return infos;
}

/**
 * Shape and type of what nodes make on the way. ONNX Runtime infers few symbolic sizes, and its memory planner compares
 * each result with all earlier ones whose size it does not know: opening would take the square of the graph's size.
 */
function innerInfos(
  { nodes }: Builder,
  names: ReadonlyMap<Value, string>,
  outputs: readonly { readonly name: string }[],
) {
  const made = new Set(nodes.flatMap(({ output }) => output));
  for (const { name } of outputs) made.delete(name);
  return [...names].flatMap(([{ dtype, shape }, name]) => (made.delete(name) ? [{ name, dtype, shape }] : []));
}

function parameterTensor({ name, dtype, shape }: ExternalWeight, placement: Placement): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType: dataType(dtype), dims: shape.map((dim) => BigInt(dim)) });
  if (placement instanceof Uint8Array) {
    tensor.rawData = placement;
    return tensor;
  }
  tensor.dataLocation = DataLocation.EXTERNAL;
  tensor.externalData = [
    entry("location", placement.name),
    entry("offset", String(placement.byteOffset)),
    entry("length", String(placement.byteLength)),
  ];
  return tensor;
}

const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });

function valueInfo({ name, dtype, shape }: { name: string; dtype: DType; shape: Shape }): ValueInfoProto {
  const dim = shape.map((size) =>
    typeof size === "number"
      ? { value: { case: "dimValue" as const, value: BigInt(size) } }
      : { value: { case: "dimParam" as const, value: size } },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: "tensorType", value: { elemType: dataType(dtype), shape: { dim } } } },
  });
}
