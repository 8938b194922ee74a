export type { CompareEvent, DemoResult } from "./comparing.ts";
export type { Profile } from "./inspecting.ts";
export type { PredictInput, Prediction } from "./prediction.ts";
export type { Running, Stoppable } from "./running.ts";
export type { RunOverrides, RunTarget } from "./target.ts";
export type { TrainEstimate, TrainedRun } from "./training.ts";
