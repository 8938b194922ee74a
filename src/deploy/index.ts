// From a run to what is shipped: compressing, pruning, exporting and benchmarking.
// Takes a run or model, options and an environment, gives smaller models, folders and records. Never: prints.
export {
  type BenchBatch,
  type BenchEngine,
  type BenchEvent,
  type BenchJob,
  type BenchOptions,
  type BenchPhase,
  type BenchReport,
  type BenchRow,
  type BenchWorker,
  type ByPhase,
  benchRuns,
  type StartWorker,
  type WritingJob,
} from "./benchmarking.ts";
export {
  COMPRESS_KEYS,
  type CompressOptions,
  type CompressRule,
  compressOptions,
  type LayerName,
} from "./compress-options.ts";
export { type CompressEvent, compressRun } from "./compressing.ts";
export { EXPORT_FORMATS, type Exported, type ExportFormat, type ExportOptions, exportRun } from "./exporting.ts";
export { exportOnnx, type OnnxExport, type OnnxExportOptions } from "./exporting-onnx.ts";
export { ONNX_DTYPES } from "./onnx-files.ts";
export {
  PRUNE_CALIBRATION_EXAMPLES,
  type PrunedModel,
  type PruneOptions,
  parsePruneRecipe,
  pruneModel,
} from "./pruning.ts";
