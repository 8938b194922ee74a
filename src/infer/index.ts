// Inference: predictions, metrics and evaluations of a program.
// Takes a program and text, gives predictions and scores. Never: trains.

export type { Evaluation } from "./evaluation.ts";
export { type HeadKind, numLogits, type SequenceHead } from "./head.ts";
export { type InputSquaresOptions, inputSquares } from "./linear-inputs.ts";
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
export { type OnBatch, openScorer, predictionsOf, type Scorer, type ScorerOptions, type Scores } from "./scorer.ts";
export { buildTaskGraph, type TaskGraph, type TaskGraphOptions } from "./task-graph.ts";
export type { LossTerm } from "./task-loss.ts";
