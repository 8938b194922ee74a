// Tasks: heads, losses, the graph that trains and scores them, and their metrics.
// Takes a model, a method and logits, gives losses, predictions and scores. Never: runs a program, reads a file.
export { type AnsweredQuestion, answerMetrics, scoreAnswer } from "./answer-metrics.ts";
export { partsOf, tokensPerRow } from "./batch-parts.ts";
export type { ClassificationReport, ClassScores, MajorityAnswer } from "./class-metrics.ts";
export { classificationReport, majorityAnswer, outcomeConfusion } from "./class-metrics.ts";
export { canBalance, classWeights } from "./class-weights.ts";
export type { Evaluation, Outcome } from "./evaluation.ts";
export { type ExampleLogits, exampleLogits, LogitRows } from "./example-logits.ts";
export type { Distillation, HeadKind, HeadRecord, LossOptions, LossTerm, ReadingHead } from "./head.ts";
export { metricClasses } from "./label-scores.ts";
export { paddedLabels } from "./language-model.ts";
export {
  type BootstrapInterval,
  type ConfusionMatrix,
  glueMetrics,
  isGlueMetric,
  METRIC_NAMES,
  type MetricName,
  pairedBootstrap,
} from "./metrics.ts";
export { IGNORED_LABEL, type ModelBatch, stackPositions } from "./model-batch.ts";
export type { GraphParts, ModelBundle, TrainingBundle } from "./model-bundle.ts";
export { rouge } from "./rouge.ts";
export { bestSpan, type SpanOptions, type SpanPrediction, type WindowLogits } from "./span.ts";
export {
  type AnyTask,
  headOfConfig,
  headOfTaskType,
  headRecord,
  type Prediction,
  readingHead,
  readingTask,
  TASK_NAMES,
  taskNamed,
  taskOfHead,
  taskRecord,
  writingTask,
} from "./table.ts";
export type { EncodingOptions, TaskScore, WrittenText } from "./task.ts";
export { buildTaskGraph, type TaskGraph, type TaskGraphOptions } from "./task-graph.ts";
export { textMetrics } from "./text-metrics.ts";
