// From a name to a model that runs: base models, adapters, runs, and models merged for export.
// Takes a name or a run's folder, gives a model with its method, weights and head. Never: trains, prints.
export { type BaseModel, headClasses, missingHead, openBaseModel, usableLength } from "./base-model.ts";
export { type GenerationConfig, writingOptions } from "./generation-config.ts";
export { lengthLimit, maxLengthOf, scoringLengthOf } from "./lengths.ts";
export {
  adapterPrint,
  compilePlain,
  frozen,
  inferenceFeeds,
  inferenceOf,
  type MergedModel,
  openDeployed,
  openMergedModel,
  requireEncoder,
  writeBeside,
  writePlainModel,
} from "./merged-model.ts";
export {
  checkNewFolder,
  configText,
  configWithHead,
  writeModelFolder,
  writeSmallFiles,
  writeWhole,
} from "./model-folder.ts";
export { explainNotFinite, finiteWeights, requireFiniteTensors } from "./not-finite.ts";
export {
  backendOf,
  classesOf,
  type OpenedTarget,
  openTarget,
  openTargetScorer,
  targetName,
} from "./opened-target.ts";
export { publicAdapter } from "./public-adapter.ts";
export { methodOver } from "./quantized-base.ts";
export { isExtra, methodOnBase, methodOnModel, runExtras, withExtras } from "./run-method.ts";
export type { RunOverrides, RunTarget } from "./target.ts";
export { targetData } from "./target-data.ts";
export { headOf, knownTask, requireTask, tableTasks, tasksOfHead } from "./target-head.ts";
export { writeTrainedPart } from "./trained-part.ts";
export { checkPositions, initTokenIds } from "./virtual-tokens.ts";
