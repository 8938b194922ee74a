// Inference: predictions, metrics and evaluations of a program.
// Takes a program and text, gives predictions and scores. Never: trains.

export { type AnsweredQuestion, type AnswerScore, answerMetrics, scoreAnswer } from "./answer-metrics.ts";
export {
  type Generated,
  type GenerationOptions,
  type ResolvedGeneration,
  resolveGeneration,
  type SamplingOptions,
} from "./decoding.ts";
export type { Evaluation, Outcome } from "./evaluation.ts";
export { expectedMs, type GatherShape, type GatherTimes, gatherTimes, measureGather } from "./gather-times.ts";
export { buildReading, buildWriting, cachedNames, type GenerationGraphOptions } from "./generation-graph.ts";
export { type Generator, type GeneratorOptions, openGenerator, type StepObserver } from "./generator.ts";
export { type HeadKind, numLogits, type SequenceHead } from "./head.ts";
export { type InputSquaresOptions, inputSquares } from "./linear-inputs.ts";
export type { LogitRules } from "./logit-rules.ts";
export {
  accuracy,
  type BootstrapInterval,
  type ConfusionMatrix,
  confusionMatrix,
  f1,
  glueMetrics,
  isGlueMetric,
  METRIC_NAMES,
  type MetricAccumulator,
  type MetricName,
  type Metrics,
  matthewsCorrelation,
  metricAccumulator,
  pairedBootstrap,
  pearson,
  spearman,
} from "./metrics.ts";
export {
  IGNORED_LABEL,
  type LossScale,
  lossCount,
  type ModelBatch,
  type StackPositions,
  stackPositions,
} from "./model-batch.ts";
export { type Rouge, rouge } from "./rouge.ts";
export { type OnBatch, openScorer, predictionsOf, type Scorer, type ScorerOptions, type Scores } from "./scorer.ts";
export { bestSpan, type SpanAnswer, type SpanOptions, type SpanPrediction, type WindowLogits } from "./span.ts";
export {
  gatheredProjection,
  type MlpShape,
  type SparseMlpLayer,
  type SparseMlpPlan,
  withRowsByNeuron,
} from "./sparse-mlp.ts";
export {
  type ChooseSparseMlpOptions,
  type ChosenSparseMlp,
  calibrateSparseMlp,
  chooseSparseMlp,
  Magnitudes,
  type PlanSparseMlpOptions,
  planSparseMlp,
  type SparseCalibration,
} from "./sparse-plan.ts";
export { buildTaskGraph, type TaskGraph, type TaskGraphOptions } from "./task-graph.ts";
export type { Distillation, LossTerm } from "./task-loss.ts";
export { TEXT_METRICS, type TextMetric, textMetrics } from "./text-metrics.ts";
