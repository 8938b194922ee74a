// Graphs as ONNX models, and the passes from one ONNX model to another.
// Takes a graph's outputs, gives bytes and what they refer to. Never: knows ONNX Runtime's API, trainables' meaning, or tasks.
export { type EmittedModel, type ExternalWeight, emit, externalWeights, type Placement } from "./emit.ts";
export { type OnnxModel, type OnnxTensor, readModel, writeModel } from "./model.ts";
export { ActivationHistogram, type ActivationRange } from "./passes/activation-range.ts";
export { bytesOf, deployedFiles, type FileLimits, readStored, type StoredModel } from "./passes/external-data.ts";
export { fuseAttention } from "./passes/fuse-attention.ts";
export {
  multiplied,
  noiseNames,
  noisy,
  observed,
  quantizeStatic,
  type StaticRanges,
} from "./passes/quantize-static.ts";
export { quantizeModel } from "./passes/quantize-weights.ts";
