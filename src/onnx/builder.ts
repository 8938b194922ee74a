// A growing ONNX graph: unique names, attributes by JavaScript type, shared small constants.
import { create } from "@bufbuild/protobuf";
import { UnsupportedError } from "../errors.ts";
import type { DType, Tensor, TypedArray } from "../tensor/index.ts";
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from "./generated/onnx_pb.js";

/** Marks a number that ONNX wants as a float attribute although it may be whole. */
export interface FloatAttribute {
  readonly float: number;
}
/** ONNX Runtime's own operator domain. */
export const MICROSOFT = "com.microsoft";

export type AttributeValue = number | string | readonly number[] | FloatAttribute;

/** Begins every name the builder makes, so that no input, parameter or output can meet one. */
export const OWN_NAME = "%";

const DATA_TYPES: { readonly [D in DType]: DataType } = {
  float32: DataType.FLOAT,
  float16: DataType.FLOAT16,
  bfloat16: DataType.BFLOAT16,
  float64: DataType.DOUBLE,
  int64: DataType.INT64,
  int32: DataType.INT32,
  int16: DataType.INT16,
  int8: DataType.INT8,
  uint64: DataType.UINT64,
  uint32: DataType.UINT32,
  uint16: DataType.UINT16,
  uint8: DataType.UINT8,
  bool: DataType.BOOL,
};

/** ONNX's number for a dtype. */
export function dataType(dtype: DType): DataType {
  return DATA_TYPES[dtype];
}

/** The dtype of ONNX's number. @throws {UnsupportedError} for a type that is not ours. */
export function dtypeOf(type: DataType): DType {
  const found = (Object.keys(DATA_TYPES) as DType[]).find((dtype) => DATA_TYPES[dtype] === type);
  if (found === undefined) throw new UnsupportedError(`ONNX data type ${type}`, Object.keys(DATA_TYPES));
  return found;
}

/** Collects nodes and initializers; every call gives the ONNX name of its result. */
export class Builder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  /** The site new ONNX nodes carry in their name. */
  site = "";
  /** ONNX node name → site, for profiles and errors. */
  readonly sites = new Map<string, string>();
  readonly #constants = new Map<string | TypedArray, string>();
  #count = 0;

  /** One node with one output. */
  node(
    type: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = "",
  ): string {
    return this.nodeWith(type, inputs, 1, attributes, domain)[0]!;
  }

  /** One node with `outputs` outputs. */
  nodeWith(
    type: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = "",
  ): string[] {
    const id = this.#count++;
    const names = Array.from({ length: outputs }, (_, i) => `${OWN_NAME}${id}${i === 0 ? "" : `_${i}`}`);
    const name = `${this.site || "graph"}/${type}_${id}`;
    this.sites.set(name, this.site);
    this.nodes.push(
      create(NodeProtoSchema, {
        name,
        opType: type,
        domain,
        input: [...inputs],
        output: names,
        attribute: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
      }),
    );
    return names;
  }

  /** A constant `[values.length]` int64 tensor. */
  int64s(values: readonly number[]): string {
    return this.constant({
      dtype: "int64",
      shape: [values.length],
      data: BigInt64Array.from(values, (v) => BigInt(v)),
    });
  }

  /** A float32 constant of rank 0. */
  float(value: number): string {
    return this.constant({ dtype: "float32", shape: [], data: Float32Array.of(value) });
  }

  /** A small tensor inside the model file; equal small ones are shared. */
  constant(value: Tensor): string {
    const bytes = new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength);
    // small ones by their bytes, tables by identity
    const key = bytes.length <= 64 ? `${value.dtype}[${value.shape.join()}]${bytes.join()}` : value.data;
    const known = this.#constants.get(key);
    if (known) return known;
    const name = `${OWN_NAME}c${this.#count++}`;
    this.#constants.set(key, name);
    this.initializers.push(
      create(TensorProtoSchema, {
        name,
        dataType: dataType(value.dtype),
        dims: value.shape.map((dim) => BigInt(dim)),
        rawData: bytes.slice(),
      }),
    );
    return name;
  }
}

/** An attribute by the type of its value. @throws {UnsupportedError} for a fraction that is not marked `{ float }`. */
export function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === "string")
    return create(AttributeProtoSchema, { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) });
  if (typeof value === "number") {
    if (!Number.isInteger(value))
      throw new UnsupportedError(`attribute ${name} = ${value}`, [
        "whole numbers",
        "{ float }",
        "text",
        "lists of whole numbers",
      ]);
    return create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) });
  }
  if ("float" in value) return create(AttributeProtoSchema, { name, type: AttributeType.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map((v) => BigInt(v)) });
}
