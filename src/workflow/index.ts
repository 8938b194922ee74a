// Jobs on models and data: opening, training, comparing, evaluating, predicting, profiling; and the records of runs.
// Takes settings and an environment (files, backend, hub), gives events and records. Never: prints, removes, exports.
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
} from "./api.ts";
export { type BaseModel, linearSites, openBaseModel, usableLength } from "./base-model.ts";
export { compareRuns, demoRun } from "./comparing.ts";
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
export {
  type BudgetOutcome,
  type Candidate,
  COMPRESSION_FILE,
  type Compression,
  type ModelSize,
  readCompression,
} from "./compression.ts";
export type { Environment, FoundModel } from "./environment.ts";
export { type GenerationConfig, writingOptions } from "./generation-config.ts";
export { effectiveEvents, parseEvents } from "./history.ts";
export { evaluateRun, profileRun } from "./inspecting.ts";
export {
  ADAPTER_FOLDER,
  backendOf,
  maxLengthOf,
  type OpenedTarget,
  openTarget,
  SCORING_BATCH,
} from "./opened-target.ts";
export { OUTCOMES_FILE, readOutcomes } from "./outcomes.ts";
export { checkFree, openSettings } from "./output.ts";
export { openPredictor, type Predictor, predictRun } from "./predicting.ts";
export { PRUNING_FILE, type PrunedLayer, type Pruning, pruningText } from "./pruned-base.ts";
export { publicAdapter } from "./public-adapter.ts";
export { readRun, type StoredRun } from "./run-folder.ts";
export { isExtra, withExtras } from "./run-method.ts";
export type { RunRecord } from "./run-record.ts";
export { running } from "./running.ts";
export { bestSpans, windowsIn } from "./span-answers.ts";
export { DECODING_FILE, readDecoding, type StoredDecoding } from "./stored-decoding.ts";
export { readGates, type StoredGate } from "./stored-gates.ts";
export { type MissingData, type TargetData, targetData } from "./target-data.ts";
export { scoringBatches } from "./task-batches.ts";
export { encodeSplit, headOf, openData } from "./task-data.ts";
export { writeTrainedPart } from "./trained-part.ts";
export { estimateRun, trainRun } from "./training.ts";
export { needsScore, writtenTexts } from "./written-answers.ts";
export { answerScores, type TextScores, writtenScores } from "./written-scores.ts";
