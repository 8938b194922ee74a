// An ONNX model whose weights are read, and put into few bits, when they are written: a large one is never in memory whole.
import { type OnnxModel, type OnnxTensor, writeModel } from "../onnx/index.ts";
import { type DType, elementBytes, sizeOf, type TypedArray } from "../tensor/index.ts";

/** A model of which the tensors named in `stored` have sizes, but no bytes yet. */
export interface StoredModel extends OnnxModel {
  /** Reads a tensor's bytes, little endian. */
  readonly stored: ReadonlyMap<string, () => Promise<Uint8Array>>;
}

/** A tensor whose bytes are read later. */
export function unreadTensor(dtype: DType, shape: readonly number[]): OnnxTensor {
  return { dtype, shape, data: { name: "", byteOffset: 0, byteLength: elementBytes(dtype) * sizeOf(shape) } };
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
  readonly model: Uint8Array;
  /** None: the model holds everything. */
  readonly data: readonly DataFile[];
  /** Of all files together. */
  readonly sizeBytes: number;
}

/** Weights beside a model. */
export interface DataFile {
  readonly name: string;
  /** The content, read on the way. */
  chunks(): AsyncIterable<Uint8Array>;
}

export interface FileLimits {
  /** Most bytes of weights inside the model itself, which protobuf holds to 2 GB. */
  readonly inlineLimit?: number;
  /** Most bytes of a file beside it, as browsers hold no larger buffer; a tensor is never cut. */
  readonly dataLimit?: number;
}

const LIMIT = 1_900_000_000;
const ALIGNMENT = 64;

/** The files of a deployed model; those beside it are to be called `dataName`, `dataName_1`, … */
export async function deployedFiles(
  model: StoredModel,
  dataName: string,
  { inlineLimit = LIMIT, dataLimit = LIMIT }: FileLimits = {},
): Promise<DeployedFiles> {
  const used = usedNames(model);
  const sizes = [...model.stored.keys()].flatMap((name) =>
    used.has(name) ? [[name, byteLengthOf(model.tensors.get(name)!)] as const] : [],
  );
  if (sizes.reduce((sum, [, bytes]) => sum + bytes, 0) <= inlineLimit) {
    const whole = writeModel(await readStored(model));
    return { model: whole, data: [], sizeBytes: whole.length };
  }
  const tensors = new Map(model.tensors);
  const parts: string[][] = [];
  let byteOffset = Number.POSITIVE_INFINITY;
  let dataBytes = 0;
  for (const [name, byteLength] of sizes) {
    if (byteOffset + byteLength > dataLimit) {
      parts.push([]);
      byteOffset = 0;
    }
    const place = { name: partName(dataName, parts.length - 1), byteOffset, byteLength };
    tensors.set(name, { ...model.tensors.get(name)!, data: place });
    parts.at(-1)!.push(name);
    byteOffset += byteLength + paddingOf(byteLength);
    dataBytes += byteLength + paddingOf(byteLength);
  }
  const written = writeModel({ ...model, tensors });
  const data = parts.map((names, part) => ({
    name: partName(dataName, part),
    chunks: () => contentOf(model, names),
  }));
  return { model: written, data, sizeBytes: written.length + dataBytes };
}

async function* contentOf({ stored }: StoredModel, names: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const name of names) {
    const bytes = await stored.get(name)!();
    yield bytes;
    yield new Uint8Array(paddingOf(bytes.length));
  }
}

const partName = (dataName: string, part: number) => (part === 0 ? dataName : `${dataName}_${part}`);

const paddingOf = (byteLength: number) => (ALIGNMENT - (byteLength % ALIGNMENT)) % ALIGNMENT;

function byteLengthOf({ data }: OnnxTensor): number {
  return data instanceof Uint8Array ? data.length : data.byteLength;
}
