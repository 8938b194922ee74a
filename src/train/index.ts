// Training: a configuration becomes a stream of events and checkpoints.
// Takes a model, data and settings, gives events. Never: prints.
export { checkpointFolder, listCheckpoints, loadState, loadTrainable } from "./checkpoint.ts";
export {
  CompactingOptimizer,
  type CompactingOptions,
  type CompactionOptions,
} from "./compacting/compacting-optimizer.ts";
export { compactionSteps } from "./compacting/compaction-steps.ts";
export { type DensityWeightControllerOptions, FIRST_WEIGHT } from "./density-weight-controller.ts";
export type { EvalEvent, StartEvent, StepEvent, TeacherEvent, TrainEvent, WarningEvent } from "./events.ts";
export { GateImportance, type GateReadings, type GateSite, gatesByMlp } from "./gate-importance.ts";
export { type OpenOptions, openOptimizer, type TrainStep } from "./open-optimizer.ts";
export { Optimizer, type OptimizerOptions, type OptimizerState, type StepRates, type StepResult } from "./optimizer.ts";
export { initialParameters } from "./parameters.ts";
export { shareScalars, stackShares, stepScales } from "./scales.ts";
export { StagedOptimizer } from "./staged/staged.ts";
export { buildStep, type GateOptions, type StepOptions } from "./step.ts";
export { type TrainResult, train } from "./trainer.ts";
export type { BatchSource, EpochBatches } from "./trainer-options.ts";
