// The compiler's door: define values, differentiate, emit, run.
export { backward } from "./autodiff/index.ts";
export * from "./graph/index.ts";
export { compose, type Hooks, type Site } from "./nn/index.ts";
export { type EmittedModel, emit } from "./onnx/index.ts";
export type { Backend, Program } from "./runtime/index.ts";
export { float32, int64, memoryWeights, type Tensor, tensor } from "./tensor/index.ts";
