// Smaller models: which weights become exact zeros, which neurons and MLPs go, and what takes their place.
// Takes weights, statistics and recipes, gives masks, plans and weights. Never: runs a session, reads a file, trains.
export { applyPlan, type BesideMethod, hasAdapter, type PlainModel } from "./neurons/apply.ts";
export {
  addedTap,
  CalibrationMeter,
  calibrationOutputs,
  type NeuronStatistics,
  outputReadTap,
} from "./neurons/calibration.ts";
export { type Compensation, keepNeurons, type LayerFacts, neuronsToKeep } from "./neurons/choose.ts";
export {
  compensationBiases,
  compensationBiasName,
  isCompensationBias,
  isNeuronMask,
  maskName,
  meanName,
  neuronMasks,
  neuronMoments,
} from "./neurons/neuron-masks.ts";
export { type PaddedModel, padded } from "./neurons/pad.ts";
export {
  type Exactness,
  keptCount,
  type LayerPlan,
  type Plan,
  type PlanTarget,
  parsePlan,
  QUANTIZATIONS,
  type StoredLayerPlan,
  unchanged,
  type WeightQuantization,
} from "./neurons/plan.ts";
export { provenInactive } from "./neurons/proof.ts";
export { type Energies, NeuronRemoval, type RemovalOptions } from "./neurons/removal.ts";
export {
  type Measured,
  type SearchOptions,
  type SearchResult,
  type SearchStep,
  type Sizes,
  search,
  sizeAtBudget,
  sizeOfShare,
} from "./neurons/search.ts";
export { combinedLayer, fitOutput, type SwapSums } from "./neurons/swap.ts";
export { neuronSwitches, switchFeeds } from "./neurons/switches.ts";
export { keepZeros } from "./weights/keep-zeros.ts";
export { type PrunableWeight, prunableWeights } from "./weights/layers.ts";
export { globalMagnitudeMasks, magnitudeMask } from "./weights/magnitude.ts";
export { type PruneRecipe, parsePruneRecipe, pruneRecipeText } from "./weights/recipe.ts";
export { wandaMask } from "./weights/wanda.ts";
export { maskedWeight, ZeroMask, zeroCount } from "./weights/zero-mask.ts";
