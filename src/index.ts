// The library: the names most users need. `deft-tune/node` and `deft-tune/web` add the environment, `deft-tune/graph` the compiler.

export { type DensityReport, type LayerDensity, THRESHOLDS } from "./density/index.ts";
export * from "./errors.ts";
export type { Evaluation } from "./infer/index.ts";
export { adapter, full, headOnly, lora, type Method, type MethodSettings } from "./peft/index.ts";
export type { Files, Tensor, Weights } from "./tensor/index.ts";
export type { TrainEvent } from "./train/index.ts";
export {
  type CompareEvent,
  type Comparison,
  type Environment,
  type PredictInput,
  type Prediction,
  type Profile,
  type Running,
  type RunRecord,
  type RunTarget,
  resolveComparison,
  resolveSettings,
  type Settings,
  type TrainEstimate,
  type TrainedRun,
  type Workflow,
  workflow,
} from "./workflow/index.ts";
