// Training: a configuration becomes a stream of events and checkpoints.
// Takes a model, data and settings, gives events. Never: prints.

export { checkpointFolder, listCheckpoints, loadTrainable, removeLeftovers, writeFolder } from "./checkpoint.ts";
export type {
  CheckpointEvent,
  EndEvent,
  EvalEvent,
  StartEvent,
  StepEvent,
  TeacherEvent,
  TrainEvent,
  WarningEvent,
} from "./events.ts";
export { isTooBig, type OpenOptions, openOptimizer, type Stepper } from "./open-optimizer.ts";
export { Optimizer, type OptimizerOptions, type OptimizerState, type StepRates, type StepResult } from "./optimizer.ts";
export { draw, initialParameters } from "./parameters.ts";
export { NeuronRemoval, type RemovalOptions } from "./removal.ts";
export { stepScales } from "./scales.ts";
export { StagedOptimizer } from "./staged.ts";
export {
  buildStep,
  SCALAR_FEEDS,
  type ScalarFeed,
  type StackTokens,
  type StepGraph,
  type StepOptions,
} from "./step.ts";
export {
  type BatchSource,
  type CheckpointOptions,
  type DensitySchedule,
  type EpochBatches,
  type TrainerOptions,
  type TrainResult,
  train,
} from "./trainer.ts";
export { FIRST_WEIGHT, WeightControl, type WeightControlOptions, type WeightControlState } from "./weight-control.ts";
