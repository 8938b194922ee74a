// Models by `model_type`, written as stages over a scope.
// Takes (config.json, scope, inputs), gives hidden states and logits. Never: imports peft or density.
export { type EncoderConfig, maxSequenceLength, parseEncoderConfig } from "./config.ts";
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
export { type MlpSite, mlpSites } from "./mlp-sites.ts";
export {
  anyModel,
  type EncoderModel,
  encoderLogits,
  encoderModel,
  encoderSpans,
  type Model,
  type ModelConfig,
  sanitize,
} from "./registry.ts";
export { bucketTable } from "./relative-bias.ts";
export { t5Model } from "./t5.ts";
export type { CachedKeys } from "./t5-attention.ts";
export { parseT5Config, type T5Config } from "./t5-config.ts";
export { type Unwrapped, unwrapped } from "./wrappers.ts";
