// Inference: programs that score batches and generate texts.
// Takes a model and batches, gives logits, losses, densities and texts. Never: trains.

export { requireFinite } from "./finite.ts";
export type { Generated, GenerationOptions, SamplingOptions } from "./generation/decoding.ts";
export { measureGather } from "./generation/gather-times.ts";
export { buildDecodeStep, buildPrefill, cachedNames } from "./generation/generation-graph.ts";
export { type Generator, type GeneratorOptions, openGenerator } from "./generation/generator.ts";
export type { LogitRules } from "./generation/logit-rules.ts";
export { gatheredProjection, type SparseMlpPlan, withRowsByNeuron } from "./generation/sparse-mlp.ts";
export { calibrateSparseMlp, chooseSparseMlp, planSparseMlp } from "./generation/sparse-plan.ts";
export { inputSquares } from "./linear-inputs.ts";
export { openScorer, type Scorer, type Scores } from "./scorer.ts";
