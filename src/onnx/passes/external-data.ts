// An ONNX model whose weights are read, and put into few bits, when they are written: a large one is never in memory whole.

import { type DType, elementBytes, elementCount, type TypedArray } from "../../tensor/index.ts";
import { type ModelPart, modelParts, type OnnxModel, type OnnxTensor } from "../model.ts";

/** A model of which the tensors named in `stored` have sizes, but no bytes yet. */
export interface StoredModel extends OnnxModel {
  /** Reads a tensor's bytes, little endian. */
  readonly stored: ReadonlyMap<string, () => Promise<Uint8Array>>;
}

/** A tensor whose bytes are read later. */
export function unreadTensor(dtype: DType, shape: readonly number[]): OnnxTensor {
  return { dtype, shape, data: { name: "", byteOffset: 0, byteLength: elementBytes(dtype) * elementCount(shape) } };
}

/** The bytes of numbers, not copied. */
export function bytesOf({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The model with every tensor that it uses in memory. */
export async function readStored({ stored, ...model }: StoredModel): Promise<OnnxModel> {
  const used = usedNames(model);
  const tensors = new Map<string, OnnxTensor>();
  for (const [name, tensor] of model.tensors) {
    const read = stored.get(name);
    if (used.has(name)) tensors.set(name, read === undefined ? tensor : { ...tensor, data: await read() });
  }
  return { ...model, tensors };
}

function usedNames({ nodes }: OnnxModel): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ inputs }) => inputs));
}

/** A model as files: the ONNX model, and beside it the weights where they are too many for it. */
export interface DeployedFiles {
  readonly model: DeployedFile;
  /** None: the model holds everything. */
  readonly data: readonly DeployedFile[];
}

/** A file whose weights are read while it is written. */
export interface DeployedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly chunks: () => AsyncIterable<Uint8Array>;
}

export interface FileLimits {
  /** Most bytes of weights inside the model itself, which protobuf holds to 2 GB. */
  readonly inlineLimit?: number;
  /** Most bytes of a file beside it, as browsers hold no larger buffer; a tensor is never cut. */
  readonly dataLimit?: number;
}

const LIMIT = 1_900_000_000;
const ALIGNMENT = 64;

/** The files of a deployed model: `name`, and beside it `name_data`, `name_data_1`, … */
export function deployedFiles(
  model: StoredModel,
  name: string,
  { inlineLimit = LIMIT, dataLimit = LIMIT }: FileLimits = {},
): DeployedFiles {
  const used = usedNames(model);
  const sizes = [...model.stored.keys()].flatMap((of) =>
    used.has(of) ? [[of, byteLengthOf(model.tensors.get(of)!)] as const] : [],
  );
  if (sizes.reduce((sum, [, bytes]) => sum + bytes, 0) <= inlineLimit)
    return { model: modelFile(name, model, model.stored), data: [] };
  const tensors = new Map(model.tensors);
  const parts: { readonly name: string; readonly tensors: string[]; sizeBytes: number }[] = [];
  for (const [of, byteLength] of sizes) {
    let part = parts.at(-1);
    if (part === undefined || part.sizeBytes + byteLength > dataLimit) {
      part = { name: parts.length === 0 ? `${name}_data` : `${name}_data_${parts.length}`, tensors: [], sizeBytes: 0 };
      parts.push(part);
    }
    const place = { name: part.name, byteOffset: part.sizeBytes, byteLength };
    tensors.set(of, { ...model.tensors.get(of)!, data: place });
    part.tensors.push(of);
    part.sizeBytes += byteLength + paddingOf(byteLength);
  }
  return {
    model: modelFile(name, { ...model, tensors }, new Map()),
    data: parts.map(({ tensors: own, ...part }) => ({ ...part, chunks: () => contentOf(model, own) })),
  };
}

function modelFile(name: string, model: OnnxModel, stored: StoredModel["stored"]): DeployedFile {
  const parts = modelParts(model, stored);
  return {
    name,
    sizeBytes: parts.reduce((sum, part) => sum + (part instanceof Uint8Array ? part.length : part.byteLength), 0),
    chunks: () => wholeOf(parts, stored),
  };
}

async function* wholeOf(parts: readonly ModelPart[], stored: StoredModel["stored"]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield part instanceof Uint8Array ? part : await stored.get(part.tensor)!();
}

async function* contentOf({ stored }: StoredModel, names: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const name of names) {
    const bytes = await stored.get(name)!();
    yield bytes;
    yield new Uint8Array(paddingOf(bytes.length));
  }
}

const paddingOf = (byteLength: number) => (ALIGNMENT - (byteLength % ALIGNMENT)) % ALIGNMENT;

function byteLengthOf({ data }: OnnxTensor): number {
  return data instanceof Uint8Array ? data.length : data.byteLength;
}
