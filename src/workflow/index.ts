// Whole jobs: loading, training, comparing, evaluating, predicting, profiling.
// Takes settings and an environment (files, backend, hub), gives events and records. Never: prints.
export type {
  CompareEvent,
  DemoResult,
  PredictInput,
  Prediction,
  Profile,
  Running,
  RunOverrides,
  RunTarget,
  Stoppable,
  TrainEstimate,
  TrainedRun,
  Workflow,
} from "./api.ts";
export type {
  BenchBatch,
  BenchEngine,
  BenchEvent,
  BenchJob,
  BenchOptions,
  BenchReport,
  BenchRow,
  BenchWorker,
  StartWorker,
} from "./benchmarking.ts";
export { workflow } from "./bind.ts";
export {
  type Comparison,
  type ComparisonRow,
  comparisonRow,
  type DensityChange,
  densityBy,
  densityDefinitions,
  HEADLINE_DEFINITION,
  pairedOverSeeds,
  type ScoreInterval,
} from "./comparison.ts";
export type { Candidate } from "./compress-memory.ts";
export { COMPRESS_KEYS, type CompressOptions, type CompressRule, compressOptions } from "./compress-options.ts";
export type { CompressEvent } from "./compressing.ts";
export { type BudgetOutcome, type Compression, type ModelSize, readCompression } from "./compression.ts";
export type { Environment, FoundModel } from "./environment.ts";
export { EXPORT_FORMATS, type Exported, type ExportFormat, type ExportOptions } from "./exporting.ts";
export { ONNX_DTYPES, ONNX_FILES, type OnnxExport, type OnnxExportOptions } from "./exporting-onnx.ts";
export { effectiveEvents, parseEvents } from "./history.ts";
export {
  type CompressedModel,
  type CompressRequest,
  type FineTuneOptions,
  type Library,
  type LoadedModel,
  type LoadOptions,
  library,
  type PredictText,
  type Scorable,
  type TunedRun,
} from "./library.ts";
export { OUTCOMES_FILE, readOutcomes } from "./outcomes.ts";
export { checkFree, openSettings } from "./output.ts";
export type { PrunedLayer, Pruning } from "./pruned-base.ts";
export { PRUNE_CALIBRATION_EXAMPLES, type PrunedModel, type PruneOptions, parsePruneRecipe } from "./pruning.ts";
export { readRun, type StoredRun } from "./run-folder.ts";
export type { RunRecord } from "./run-record.ts";
export { readGates, type StoredGate } from "./stored-gates.ts";
