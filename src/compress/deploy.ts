// A plain model as the bytes of an ONNX model for inference: fused, and in fewer bits where asked.
import { emit, externalWeights, type OnnxModel, readModel, writeModel } from "../onnx/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import { fuseAttention } from "./fuse.ts";
import { type InferenceModel, inferenceGraph } from "./inference.ts";
import { quantizeModel } from "./quantize.ts";

/** Numbers that an exported model multiplies with. */
export type Precision = "fp32" | "int8" | "q4";

/** The ONNX model of a classifier: inputs `INPUT_NAMES`, output `logits` `[batch_size, C]`. */
export async function deploy(inference: InferenceModel, weights: Weights, precision: Precision): Promise<OnnxModel> {
  const { logits } = inferenceGraph(inference);
  const stored = new Map<string, Uint8Array>();
  for (const { name } of externalWeights({ logits })) stored.set(name, bytesOf(await weights.get(name)!.read()));
  const emitted = readModel(emit({ logits }, { place: ({ name }) => stored.get(name)! }).bytes);
  const fused = fuseAttention(emitted, inference.model.config.numHeads);
  return precision === "fp32" ? fused : quantizeModel(fused, precision === "int8" ? 8 : 4);
}

/** The bytes of a deployed model, weights and all. */
export function deployedBytes(model: OnnxModel): Uint8Array {
  return writeModel(model);
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
