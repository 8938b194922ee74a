// The files of a run: what is written while it runs and read back by every later job.
// Takes records and events, gives files, and the other way round. Never: opens a model.
export {
  type ActivationDensity,
  type BudgetOutcome,
  type Candidate,
  COMPRESSION_FILE,
  type Compression,
  type ModelSize,
  readCompression,
} from "./compression.ts";
export type { CutTexts, Watched } from "./cut-texts.ts";
export { cutTexts } from "./cut-texts.ts";
export type { Environment } from "./environment.ts";
export { clearUnfinished, fillFolder, isUnfinished } from "./filled-folder.ts";
export { checkFingerprints, type Fingerprints } from "./fingerprints.ts";
export { checkUnlocked, LOCK_FILE, lockFolder } from "./folder-lock.ts";
export { effectiveEvents, parseEvents } from "./history.ts";
export { eventLine, type JobEvent, type JobKind, jobEvent } from "./job-event.ts";
export { readOutcomes, withExcerpts, writeOutcomes } from "./outcomes.ts";
export { checkFree, checkUnchanged, openSettings } from "./output.ts";
export { PLAN_FILES, readPlan, writePlan } from "./plan-files.ts";
export { PRUNING_FILE, type PrunedLayer, type Pruning, pruningText, readPruning } from "./pruned-base.ts";
export { BASE_FOLDER } from "./run-base.ts";
export { readRun, type StoredRun } from "./run-folder.ts";
export { OWN_METRIC, type RunRecord } from "./run-record.ts";
export { RunWriter } from "./run-writer.ts";
export { type Running, running, type Stoppable } from "./running.ts";
export { DECODING_FILE, readDecoding, type StoredDecoding } from "./stored-decoding.ts";
export { readGates, storedGates } from "./stored-gates.ts";
