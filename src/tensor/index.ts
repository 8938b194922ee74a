// Host values: dtypes, tensors, weights and random streams.
// Takes numbers, gives `Tensor` and `Weight`. Never: operations on tensors (those are the graph's).
export { DEEPEST_JSON, jsonDepth, parseBoundedJson } from "./bounded-json.ts";
export { sha256, sha256Bytes } from "./digest.ts";
export { allocate, type DType, elementBytes, type TypedArray, wrap } from "./dtype.ts";
export { entryOf } from "./entry.ts";
export {
  type Apart,
  type ApartLimits,
  type ByteSource,
  type FileLock,
  type FileStat,
  type Files,
  joinPath,
  type LockHolder,
  nearestPath,
  parentFolder,
} from "./files.ts";
export { firstNotFinite } from "./finite.ts";
export { bfloat16ToFloat32, float16ToFloat32, float32ToFloat16 } from "./float16.ts";
export { createPause, inTurn } from "./pause.ts";
export { type Random, randomStream, streamSeed } from "./random.ts";
export { elementCount, float32, int64, scalarOf, type Tensor, tensor, zeros } from "./tensor.ts";
export {
  type FileSpan,
  findWeight,
  memoryWeight,
  memoryWeights,
  parameterCount,
  type Weight,
  type Weights,
} from "./weights.ts";
