// Examples through a model: encoded splits, batches, answers and their scores.
// Takes a loaded model and a data set, gives evaluations. Never: trains, prints.
export { divergenceOf, inferenceBatches, LogitRows, logitsOf } from "./encoder-logits.ts";
export { openEvaluator } from "./evaluator.ts";
export { extractiveAnswers, windowsIn } from "./span-answers.ts";
export { checkSparseDecoding, openTextGenerator } from "./sparse-decoding.ts";
export { batchOf, chanceLoss, type PlannedBatches, scoringBatches, trainingBatches } from "./task-batches.ts";
export { encodeSplit, openData } from "./task-data.ts";
export { scoreDrop, scoreLogits, scoreTexts, type TaskScore } from "./task-scores.ts";
export { bestTexts, needsScore, writtenTexts } from "./written-answers.ts";
