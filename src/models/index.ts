// Models by `model_type`, written as stages over a scope.
// Takes (config.json, scope, inputs), gives hidden states and logits. Never: imports peft or density.
export { type EncoderConfig, maxSequenceLength } from "./config.ts";
export { type BlockOptions, type EncoderInputs, encoderBlock, type Hidden } from "./encoder.ts";
export {
  type BiasedHidden,
  type CrossKeys,
  type DecoderStep,
  type EncoderDecoderModel,
  encode,
  languageModelLogits,
  shiftRight,
  type TextInputs,
} from "./encoder-decoder.ts";
export { type EncoderModel, encoderLogits, encoderSpans, encoderTokenLogits, type TokenHead } from "./encoder-model.ts";
export { layersInto, type MlpSite, type NeuronRows, neuronRows, partOf } from "./mlp-sites.ts";
export type { ModelFacts, UsualTargets } from "./model-facts.ts";
export {
  anyModel,
  ENCODER_TYPES,
  encoderModel,
  factsOf,
  MODEL_FACTS,
  type Model,
  type ModelConfig,
  type ModelType,
  sanitize,
  unwrapped,
  WRITER_TYPES,
} from "./registry.ts";
export { bucketTable } from "./relative-bias.ts";
export { t5Model } from "./t5.ts";
export type { CachedKeys } from "./t5-attention.ts";
export { parseT5Config, type T5Config } from "./t5-config.ts";
export { blockLinears, isHeadName, type LinearLayer, linearSites, type Topology, topologyOf } from "./topology.ts";
export type { Unwrapped } from "./wrappers.ts";
