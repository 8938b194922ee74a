// Training: a configuration becomes a stream of events and checkpoints.
// Takes a model, data and settings, gives events. Never: prints.
export type {
  CheckpointEvent,
  EndEvent,
  EvalEvent,
  StartEvent,
  StepEvent,
  TrainEvent,
  WarningEvent,
} from "./events.ts";
export { buildStep, SCALAR_FEEDS, type ScalarFeed, type StepGraph, type StepOptions } from "./step.ts";
