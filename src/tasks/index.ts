// Tasks: heads, losses, the graph that trains and scores them, and their metrics.
// Takes a model, a method and logits, gives losses, predictions and scores. Never: runs a program, reads a file.
export { type AnsweredQuestion, answerMetrics, scoreAnswer } from "./answer-metrics.ts";
export type { Evaluation, Outcome } from "./evaluation.ts";
export { type HeadKind, numLogits } from "./head.ts";
export {
  type BootstrapInterval,
  glueMetrics,
  isGlueMetric,
  METRIC_NAMES,
  type MetricName,
  pairedBootstrap,
} from "./metrics.ts";
export { IGNORED_LABEL, type LossScale, lossCount, type ModelBatch, stackPositions } from "./model-batch.ts";
export type { GraphParts, ModelBundle, TrainingBundle } from "./model-bundle.ts";
export { rouge } from "./rouge.ts";
export { bestSpan, type SpanOptions, type SpanPrediction, type WindowLogits } from "./span.ts";
export { buildTaskGraph, type TaskGraph, type TaskGraphOptions } from "./task-graph.ts";
export type { Distillation } from "./task-loss.ts";
export { textMetrics } from "./text-metrics.ts";
