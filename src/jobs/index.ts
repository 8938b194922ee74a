// Jobs: training, comparing, evaluating, predicting, pruning, compressing, exporting and benchmarking.
// Takes settings and an environment (files, backend, hub), gives events and records. Never: prints.
export {
  type BenchEvent,
  type BenchReport,
  type BenchRounds,
  type BenchRow,
  type BenchWorker,
  benchRuns,
  type StartWorker,
} from "./bench/bench.ts";
export type { BenchBatch, BenchJob, BenchOptions, ByPhase, PhaseTime, WritingJob } from "./bench/job.ts";
export { type LoadMeter, type LoadWindow, MOST_FOREIGN } from "./bench/quiet-rounds.ts";
export { type CompareEvent, compareRuns, type DemoResult, demoRun } from "./compare/compare.ts";
export {
  type Comparison,
  type ComparisonRow,
  comparisonRow,
  pairedOverSeeds,
  type ScoreInterval,
} from "./compare/comparison.ts";
export { compressRun } from "./compress/compress.ts";
export type { CompressData } from "./compress/data.ts";
export type { CompressEvent } from "./compress/event.ts";
export { COMPRESS_KEYS, type CompressOptions, compressOptions, type LayerName } from "./compress/options.ts";
export { evaluateRun, type Profile, profileRun } from "./evaluate/evaluate.ts";
export {
  type Exported,
  type ExportFormat,
  type ExportOptions,
  exportFormatIssues,
  exportRun,
} from "./export/export.ts";
export { exportOnnx, type OnnxExport, type OnnxExportOptions } from "./export/export-onnx.ts";
export { ONNX_DTYPES } from "./export/onnx-files.ts";
export {
  type AnyJobEvent,
  type CompareJob,
  type CompressJob,
  type EvaluateJob,
  type Job,
  type JobResults,
  type JobTarget,
  jobOf,
  readJob,
  startJob,
  type TrainJob,
} from "./job.ts";
export { openPredictor, type Predictor, predictRun } from "./predict/predict.ts";
export { predictFile, type WrittenPredictions, writePredictions } from "./predict/predict-file.ts";
export type { PredictInput, Prediction } from "./predict/prediction.ts";
export { type Proposal, proposeSettings } from "./propose/propose.ts";
export { PRUNE_CALIBRATION_EXAMPLES, type PrunedModel, type PruneOptions, pruneModel } from "./prune/prune.ts";
export { type MetricFunction, type MetricInput, ownMetric } from "./train/own-metric.ts";
export type { TrainOptions } from "./train/run-job.ts";
export { estimateRun, type TrainEstimate, type TrainedRun, trainRun } from "./train/train.ts";
