// Examples through a model: encoded splits, batches, answers and their scores.
// Takes a loaded model and a data set, gives evaluations. Never: trains, prints.
export { divergenceOf, inferenceBatches, logitRows, logitsOf } from "./encoder-logits.ts";
export { openEvaluator } from "./evaluator.ts";
export { checkSparseDecoding, openTextGenerator } from "./sparse-decoding.ts";
export { batchOf, type PlannedBatches, scoringBatches, trainingBatches } from "./task-batches.ts";
export { encodeSplit, judgedAsRun, openData } from "./task-data.ts";
export { scoreDrop, scoreLogits } from "./task-scores.ts";
export { writtenTexts } from "./written-answers.ts";
