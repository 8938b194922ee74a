// Data: text files to examples, examples to token ids, token ids to batches.
// Takes files, a task and a tokenizer; gives examples, encoded examples and `Batch`es in an order fixed by the seed.
// Never: pads to anything but what it is told; guesses a label; loads a file whole that can stream.
export { type Batch, type BatchOptions, batches, labelsRequired, makeBatch } from "./batch.ts";
export { type BatchPlan, evaluationPlan, type TrainingPlanOptions, trainingPlan } from "./batch-plan.ts";
export { draftTask, openDataset, TASK_NAMES } from "./dataset.ts";
export { type EncodedExamples, type EncodeExamplesOptions, encodeExamples } from "./encode.ts";
export {
  type AnswerOptions,
  type EncodedAnswers,
  type EncodedSpans,
  type EncodedWindows,
  encodeAnswers,
  encodeSpans,
  isSpans,
  isWindows,
  type WindowOffsets,
} from "./encode-questions.ts";
export {
  type EncodedTargets,
  type EncodedTexts,
  type EncodeTextsOptions,
  encodeTexts,
  isTargets,
  isTexts,
} from "./encode-targets.ts";
export type { Answer, Example, Question } from "./examples.ts";
export { fileDigest } from "./fingerprint.ts";
export { heldOut } from "./held-out.ts";
export { matchClasses } from "./label-match.ts";
export type { TokenSpans } from "./offsets.ts";
export type { Cell, Table, TableRow } from "./row.ts";
export { noSuchPath } from "./sources.ts";
export { type Dataset, type DatasetOptions, type ModelClasses, type Split, splitOf } from "./split.ts";
export { openTable, TABLE_FORMATS, type TableFormat, tableFormat } from "./table.ts";
export {
  isTableTask,
  metricClasses,
  type TableTaskName,
  type Task,
  type TaskKind,
  type TaskMetric,
  tableTask,
} from "./task.ts";
export { GLUE_TASKS, type GlueTask, type GlueTaskName, glueTask, isGlueTask } from "./tasks/glue.ts";
export { seq2seqTask } from "./tasks/seq2seq.ts";
export { squadTask } from "./tasks/squad.ts";
export type { Truncation } from "./template.ts";
export { type TextLine, textLines } from "./text-blocks.ts";
export {
  createTokenizer,
  type EncodeOptions,
  type Encoding,
  type SpecialIds,
  type Tokenizer,
  type TokenizerConfigJson,
  type TokenizerJson,
} from "./tokenizer.ts";
export { loadTokenizer, readTokenizerFiles } from "./tokenizer-files.ts";
