// A plain model as an ONNX model for inference: fused, and in fewer bits where asked.
import type { Value } from "../graph/index.ts";
import {
  bytesOf,
  type EmittedModel,
  emit,
  externalWeights,
  fuseAttention,
  type OnnxModel,
  quantizeModel,
  quantizeStatic,
  readModel,
  readStored,
  type StaticRanges,
  type StoredModel,
  writeModel,
} from "../onnx/index.ts";
import { elementBytes, elementCount, type Weights } from "../tensor/index.ts";
import { type InferenceModel, inferenceGraph } from "./encoder-graph.ts";

/** Numbers that an exported model multiplies with; `qdq`: 8 bits, with activations' ranges known beforehand. */
export type Precision = "fp32" | "int8" | "q4" | "qdq";

/** The ONNX model of a graph with frozen weights; each is read when it is written. */
export function deployGraph(
  outputs: Readonly<Record<string, Value>>,
  weights: Weights,
  precision: Exclude<Precision, "qdq">,
): StoredModel {
  const stored = new Map(
    externalWeights(outputs).map(
      ({ name }) => [name, async () => bytesOf((await weights.get(name)!.read()).data)] as const,
    ),
  );
  const { bytes } = emit(outputs, {
    place: ({ dtype, shape }) => ({ name: "", byteOffset: 0, byteLength: elementBytes(dtype) * elementCount(shape) }),
  });
  const model = { ...readModel(bytes), stored };
  return precision === "fp32" ? model : quantizeModel(model, precision === "int8" ? 8 : 4);
}

/**
 * The ONNX model of an encoder: inputs `INPUT_NAMES`, outputs as `inferenceGraph` names them. `ranges` is what `qdq` needs: a product
 * that it does not name takes its range anew in every run.
 */
export function deployEncoder(
  inference: InferenceModel,
  weights: Weights,
  precision: Precision,
  ranges: StaticRanges = new Map(),
): StoredModel {
  const { outputs } = inferenceGraph(inference);
  const fused = fuseAttention(deployGraph(outputs, weights, "fp32"), inference.model.config.numHeads);
  if (precision === "qdq") return quantizeStatic(fused, ranges);
  return precision === "fp32" ? fused : quantizeModel(fused, precision === "int8" ? 8 : 4);
}

/** The same with its weights in memory. */
export function deploy(...args: Parameters<typeof deployEncoder>): Promise<OnnxModel> {
  return readStored(deployEncoder(...args));
}

/** A deployed encoder as a backend opens it. */
export function deployedProgram(inference: InferenceModel, model: OnnxModel): EmittedModel {
  return openable(inferenceGraph(inference).outputs, model);
}

/** The model that `outputs` were emitted as and that was rewritten since, as a backend opens it: its weights are in it. */
export function openable(outputs: Readonly<Record<string, Value>>, model: OnnxModel): EmittedModel {
  const shapes = emit(outputs, { place: () => ({ name: "nowhere", byteOffset: 0, byteLength: 0 }) });
  return { ...shapes, bytes: writeModel(model), external: [] };
}
