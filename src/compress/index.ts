// Density into smaller models: what to remove, the plan that says so, and the plan applied.
// Takes weights, sites and calibration statistics, gives plans and plain smaller models. Never: runs a program, trains.
export { ActivationHistogram, type ActivationRange } from "./activation-range.ts";
export { applyPlan, type BesideMethod, hasAdapter, type PlainModel } from "./apply.ts";
export { addedTap, CalibrationMeter, calibrationOutputs, type NeuronStatistics, outputReadTap } from "./calibration.ts";
export {
  type Compensation,
  complement,
  dropMlp,
  gated,
  keepNeurons,
  type LayerFacts,
  neuronImportance,
  neuronsToKeep,
} from "./choose.ts";
export { deploy, deployEncoder, deployedProgram, deployGraph, openable, type Precision } from "./deploy.ts";
export {
  type Arithmetic,
  type ArithmeticOptions,
  arithmeticOf,
  PICOJOULES,
  type TextArithmetic,
  type TextArithmeticOptions,
  textArithmetic,
} from "./energy.ts";
export {
  INPUT_NAMES,
  type InferenceGraph,
  type InferenceModel,
  type InferenceOptions,
  inferenceGraph,
} from "./inference.ts";
export { type PaddedModel, padded } from "./pad.ts";
export {
  type Exactness,
  keptCount,
  type LayerPlan,
  type Plan,
  type PlanTarget,
  parsePlan,
  QUANTIZATIONS,
  type Quantization,
  type StoredLayerPlan,
  type StoredPlan,
  unchanged,
} from "./plan.ts";
export { largestPreactivations, type NeuronBounds, provenSilent } from "./proof.ts";
export { multiplied, noiseNames, noisy, observed, type StaticRanges } from "./quantize-static.ts";
export {
  levelsOf,
  type Measured,
  orderedPath,
  type SearchOptions,
  type SearchResult,
  type SearchStep,
  type Sizes,
  search,
  sizeOfShare,
} from "./search.ts";
export {
  type DeployedFile,
  type DeployedFiles,
  deployedFiles,
  type FileLimits,
  readStored,
  type StoredModel,
} from "./stored-model.ts";
export { neuronSwitches, switchFeeds } from "./switches.ts";
export { textDecoderGraph, textEncoderGraph } from "./text-to-text.ts";
