// Layers over a scope, calling hooks at named sites.
// Takes (scope, value), gives a value. Never: knows which hooks exist, or any number of a model.
export { activation } from "./activations.ts";
export { additiveMask, attention, bothMasks, causalMask, mergeHeads, splitHeads, windowMask } from "./attention.ts";
export { type DropoutNoise, dropout, dropoutMask, type KeptColumns } from "./dropout.ts";
export { type EmbeddingOptions, embedding } from "./embedding.ts";
export {
  type Activated,
  compose,
  type Embedded,
  type Hooks,
  type KeyValue,
  type Norm,
  none,
  type Projection,
  type Site,
  type Sublayer,
} from "./hooks.ts";
export { flattenRows, type LinearOptions, linear } from "./linear.ts";
export { binaryCrossEntropy, crossEntropy, sparseCrossEntropy, squaredError, teacherDivergence } from "./losses.ts";
export { layerNorm, rmsNorm } from "./norm.ts";
export { rotated } from "./rotary.ts";
export {
  type Block,
  type Init,
  type ModelParameter,
  type ParameterSpec,
  type Part,
  type Role,
  Scope,
  type ScopeOptions,
  type Stack,
} from "./scope.ts";
