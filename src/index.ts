// The library: the names most users need. `deft-tune/node` and `deft-tune/web` add the environment, `deft-tune/graph` the compiler.

export { type DensityReport, type LayerDensity, THRESHOLDS } from "./density/index.ts";
export type { OnnxExport } from "./deploy/index.ts";
export * from "./errors.ts";
export type { Evaluation } from "./infer/index.ts";
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
  type Workflow,
  workflow,
} from "./library/index.ts";
export type { Hooks, Site } from "./nn/index.ts";
export { adapter, full, headOnly, lora, type Method, type MethodSettings, prefix, prompt } from "./peft/index.ts";
export {
  type DataSource,
  type DensityOptions,
  resolveComparison,
  resolveSettings,
  type ScoreOptions,
  type Settings,
} from "./settings/index.ts";
export type { Files, Tensor, Weights } from "./tensor/index.ts";
export type { TrainEvent } from "./train/index.ts";
export type {
  Candidate,
  CompareEvent,
  Comparison,
  Compression,
  Environment,
  PredictInput,
  Prediction,
  Profile,
  Running,
  RunRecord,
  RunTarget,
  TrainEstimate,
  TrainedRun,
} from "./workflow/index.ts";
