// A plain model as the bytes of an ONNX model for inference: fused, and in fewer bits where asked.
import { type EmittedModel, emit, externalWeights, type OnnxModel, readModel, writeModel } from "../onnx/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import { fuseAttention } from "./fuse.ts";
import { type InferenceModel, inferenceGraph } from "./inference.ts";
import { quantizeModel } from "./quantize.ts";
import { quantizeStatic, type StaticRanges } from "./quantize-static.ts";

/** Numbers that an exported model multiplies with; `qdq`: 8 bits, with activations' ranges known beforehand. */
export type Precision = "fp32" | "int8" | "q4" | "qdq";

/**
 * The ONNX model of an encoder: inputs `INPUT_NAMES`, outputs as `inferenceGraph` names them. `ranges` is what `qdq` needs: a product
 * that it does not name takes its range anew in every run.
 */
export async function deploy(
  inference: InferenceModel,
  weights: Weights,
  precision: Precision,
  ranges: StaticRanges = new Map(),
): Promise<OnnxModel> {
  const { outputs } = inferenceGraph(inference);
  const stored = new Map<string, Uint8Array>();
  for (const { name } of externalWeights(outputs)) stored.set(name, bytesOf(await weights.get(name)!.read()));
  const { bytes } = emit(outputs, { place: ({ name }) => stored.get(name)! });
  const fused = fuseAttention(readModel(bytes), inference.model.config.numHeads);
  if (precision === "qdq") return quantizeStatic(fused, ranges);
  return precision === "fp32" ? fused : quantizeModel(fused, precision === "int8" ? 8 : 4);
}

/** A deployed model as a backend opens it. */
export function deployedProgram(inference: InferenceModel, model: OnnxModel): EmittedModel {
  const { outputs } = inferenceGraph(inference);
  const shapes = emit(outputs, { place: () => ({ name: "nowhere", byteOffset: 0, byteLength: 0 }) });
  return { ...shapes, bytes: writeModel(model), external: [] };
}

/** A model as files: the ONNX model, and beside it the weights where protobuf's 2 GB are not enough. */
export interface DeployedFiles {
  readonly model: Uint8Array;
  /** Content of `dataName`, in order; null: the model holds everything. */
  readonly data: readonly Uint8Array[] | null;
}

/** Most bytes of weights inside the model itself. */
export const INLINE_LIMIT = 1_900_000_000;
const SMALL_BYTES = 1024;
const ALIGNMENT = 64;

/** The files of a deployed model; `dataName` is what the second one will be called. */
export function deployedFiles(model: OnnxModel, dataName: string, inlineLimit = INLINE_LIMIT): DeployedFiles {
  const read = usedTensors(model);
  const total = read.reduce((sum, [, bytes]) => sum + bytes.length, 0);
  if (total <= inlineLimit) return { model: writeModel(model), data: null };
  const tensors = new Map(model.tensors);
  const data: Uint8Array[] = [];
  let byteOffset = 0;
  for (const [name, bytes] of read) {
    if (bytes.length <= SMALL_BYTES) continue;
    const { dtype, shape } = tensors.get(name)!;
    tensors.set(name, { dtype, shape, data: { name: dataName, byteOffset, byteLength: bytes.length } });
    const padding = (ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT;
    data.push(bytes, new Uint8Array(padding));
    byteOffset += bytes.length + padding;
  }
  return { model: writeModel({ ...model, tensors }), data };
}

function usedTensors({ nodes, tensors }: OnnxModel): (readonly [string, Uint8Array])[] {
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  return [...tensors].flatMap(([name, { data }]) =>
    used.has(name) && data instanceof Uint8Array ? [[name, data] as const] : [],
  );
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
