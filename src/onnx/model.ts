// An ONNX model as plain data, to be rewritten for deployment: nodes, tensors, inputs and outputs.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { InternalError, UnsupportedError } from "../errors.ts";
import type { DType, FileSpan } from "../tensor/index.ts";
import { type AttributeValue, attribute, dataType, dtypeOf } from "./builder.ts";
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./generated/onnx_pb.js";

/** One operation; absent optional inputs are empty names. */
export interface OnnxNode {
  readonly name: string;
  readonly type: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A stored tensor: its bytes, little endian, or where they lie in a file beside the model. */
export interface OnnxTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | Pick<FileSpan, "name" | "byteOffset" | "byteLength">;
}

/** A model; inputs, and outputs that it had, stay as they were read. */
export interface OnnxModel {
  readonly nodes: readonly OnnxNode[];
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Names of the graph's outputs; one that was none is float32. */
  readonly outputs: readonly string[];
  /** The message the rest is kept in. */
  readonly source: ModelProto;
}

/**
 * A model from its bytes, as `emit` writes them.
 * @throws {UnsupportedError} for attributes other than numbers, text and lists of whole numbers.
 */
export function readModel(bytes: Uint8Array): OnnxModel {
  const source = fromBinary(ModelProtoSchema, bytes);
  const { graph } = source;
  if (!graph) throw new InternalError("an ONNX model without a graph");
  return {
    source,
    nodes: graph.node.map(({ name, opType, domain, input, output, attribute: attributes }) => ({
      name,
      type: opType,
      domain,
      inputs: input,
      outputs: output,
      attributes: Object.fromEntries(attributes.map((one) => [one.name, attributeValue(one)])),
    })),
    tensors: new Map(graph.initializer.map((tensor) => [tensor.name, readTensor(tensor)])),
    outputs: graph.output.map(({ name }) => name),
  };
}

/** The bytes of a model; tensors that no node reads are left out. */
export function writeModel(model: OnnxModel): Uint8Array {
  const parts = modelParts(model).map((part) => {
    if (part instanceof Uint8Array) return part;
    throw new InternalError(`the bytes of ${part.tensor} are not in memory`);
  });
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A part of a model's bytes: itself, or the tensor whose bytes stand here. */
export type ModelPart = Uint8Array | { readonly tensor: string; readonly byteLength: number };

/**
 * The bytes of a model in their order, without a copy of its tensors; those named in `unread` stand for bytes to come. As protobuf
 * writes it, but for the order of fields, which is free.
 */
export function modelParts(
  { source, nodes, tensors, outputs }: OnnxModel,
  unread: Pick<ReadonlyMap<string, unknown>, "has"> = new Map(),
): ModelPart[] {
  const used = new Set([...outputs, ...nodes.flatMap(({ inputs }) => inputs)]);
  const graph = source.graph!;
  const frame = toBinary(
    GraphProtoSchema,
    create(GraphProtoSchema, {
      name: graph.name,
      input: graph.input,
      output: outputs.map((name) => graph.output.find((of) => of.name === name) ?? floatInfo(name)),
      node: nodes.map(({ name, type, domain, inputs, outputs: made, attributes }) =>
        create(NodeProtoSchema, {
          name,
          opType: type,
          domain,
          input: [...inputs],
          output: [...made],
          attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
        }),
      ),
    }),
  );
  const stored = [...tensors].flatMap(([name, tensor]) =>
    used.has(name) ? tensorParts(name, tensor, unread.has(name)) : [],
  );
  const length = stored.reduce((sum, part) => sum + part.length, frame.length);
  const { graph: _, ...rest } = source;
  return [
    toBinary(ModelProtoSchema, create(ModelProtoSchema, rest)),
    fieldStart(ModelProtoSchema.field.graph.number, length),
    frame,
    ...stored.flatMap(({ parts }) => parts),
  ];
}

/** A tensor as an initializer of the graph, and how many bytes that is. */
function tensorParts(
  name: string,
  tensor: OnnxTensor,
  isUnread: boolean,
): { readonly parts: readonly ModelPart[]; readonly length: number }[] {
  const { dtype, shape, data } = tensor;
  const isInside = isUnread || data instanceof Uint8Array;
  const frame = toBinary(
    TensorProtoSchema,
    isInside ? writeTensor(name, { dtype, shape, data: new Uint8Array() }) : writeTensor(name, tensor),
  );
  const raw: ModelPart[] = [];
  let rawLength = 0;
  if (isInside) {
    const byteLength = data instanceof Uint8Array ? data.length : data.byteLength;
    const start = fieldStart(TensorProtoSchema.field.rawData.number, byteLength);
    raw.push(start, data instanceof Uint8Array ? data : { tensor: name, byteLength });
    rawLength = start.length + byteLength;
  }
  const start = fieldStart(GraphProtoSchema.field.initializer.number, frame.length + rawLength);
  return [{ parts: [start, frame, ...raw], length: start.length + frame.length + rawLength }];
}

/** What begins a field of so many bytes: its number with the wire type of bytes (2), and the length. */
function fieldStart(field: number, length: number): Uint8Array {
  return Uint8Array.from([...varint((field << 3) | 2), ...varint(length)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

/** A float32 value of any shape. */
function floatInfo(name: string): ValueInfoProto {
  const value = { elemType: dataType("float32") };
  return create(ValueInfoProtoSchema, { name, type: { value: { case: "tensorType", value } } });
}

function attributeValue({ name, type, i, f, s, ints }: AttributeProto): AttributeValue {
  switch (type) {
    case AttributeType.INT:
      return Number(i);
    case AttributeType.FLOAT:
      return { float: f };
    case AttributeType.STRING:
      return new TextDecoder().decode(s);
    case AttributeType.INTS:
      return ints.map(Number);
    default:
      throw new UnsupportedError(`attribute ${name} of type ${type}`, ["int", "float", "string", "ints"]);
  }
}

function readTensor({ dataType: type, dims, rawData, dataLocation, externalData }: TensorProto): OnnxTensor {
  const typed = { dtype: dtypeOf(type), shape: dims.map(Number) };
  if (dataLocation !== DataLocation.EXTERNAL) return { ...typed, data: rawData };
  const entry = (key: string) => externalData.find((one) => one.key === key)?.value ?? "";
  return {
    ...typed,
    data: { name: entry("location"), byteOffset: Number(entry("offset")), byteLength: Number(entry("length")) },
  };
}

function writeTensor(name: string, { dtype, shape, data }: OnnxTensor): TensorProto {
  const tensor = create(TensorProtoSchema, { name, dataType: dataType(dtype), dims: shape.map((dim) => BigInt(dim)) });
  if (data instanceof Uint8Array) {
    tensor.rawData = data;
    return tensor;
  }
  const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });
  tensor.dataLocation = DataLocation.EXTERNAL;
  tensor.externalData = [
    entry("location", data.name),
    entry("offset", String(data.byteOffset)),
    entry("length", String(data.byteLength)),
  ];
  return tensor;
}
