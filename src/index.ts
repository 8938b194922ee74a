// The library: the names most users need. `deft-tune/node` and `deft-tune/web` add the environment, `deft-tune/graph` the compiler.

export type { Row, RowSplits, Rows } from "./data/index.ts";
export { type DensityReport, type LayerDensity, THRESHOLDS } from "./density/index.ts";
export * from "./errors.ts";
export type {
  AnyJobEvent,
  CompareEvent,
  CompareJob,
  Comparison,
  CompressJob,
  EvaluateJob,
  Exported,
  Job,
  JobResults,
  JobTarget,
  MetricFunction,
  MetricInput,
  OnnxExport,
  PredictInput,
  Prediction,
  Profile,
  TrainEstimate,
  TrainedRun,
  TrainJob,
} from "./jobs/index.ts";
export { jobOf, readJob } from "./jobs/index.ts";
export {
  type CompressedModel,
  type CompressRequest,
  type Exportable,
  type FineTuneOptions,
  type FolderExport,
  type Library,
  type LoadedModel,
  type LoadOptions,
  library,
  type PredictText,
  type RowsSource,
  rows,
  type Scorable,
  type TableOptions,
  type TransformersJsExport,
  type TunedRun,
  type Workflow,
  workflow,
} from "./library/index.ts";
export type { RunTarget } from "./load/index.ts";
export type { Hooks, Site } from "./nn/index.ts";
export { adapter, full, headOnly, ia3, lora, type Method, type MethodSettings, prefix, prompt } from "./peft/index.ts";
export type { Candidate, Compression, Environment, Running, RunRecord } from "./runs/index.ts";
export {
  type DataSource,
  type DensityOptions,
  resolveComparison,
  resolveSettings,
  type ScoreOptions,
  type Settings,
} from "./settings/index.ts";
export type { Evaluation } from "./tasks/index.ts";
export type { Files, Tensor, Weights } from "./tensor/index.ts";
export type { TrainEvent } from "./train/index.ts";
