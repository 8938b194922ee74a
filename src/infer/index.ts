// Inference: predictions, metrics and evaluations of a program.
// Takes a program and text, gives predictions and scores. Never: trains.

export { buildClassifier, type Classifier, type ClassifierOptions, type HeadKind, numLogits } from "./classifier.ts";
export type { Evaluation } from "./evaluation.ts";
export {
  accuracy,
  type BootstrapInterval,
  type ConfusionMatrix,
  confusionMatrix,
  f1,
  glueMetrics,
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
  batchFeeds,
  type ModelBatch,
  openScorer,
  predictionsOf,
  type Scorer,
  type ScorerOptions,
  type Scores,
} from "./scorer.ts";
