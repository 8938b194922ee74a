// Data: text files to examples, examples to token ids, token ids to batches.
// Takes files, a task and a tokenizer; gives examples, encoded examples and `Batch`es in an order fixed by the seed.
// Never: pads to anything but what it is told; guesses a label; loads a file whole that can stream.
export { type Batch, type BatchOptions, batches, labelsRequired, makeBatch } from "./batch.ts";
export { type BatchPlan, evaluationPlan, type TrainingPlanOptions, trainingPlan } from "./batch-plan.ts";
export { openDataset, TASK_NAMES } from "./dataset.ts";
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
export { type Dataset, type DatasetOptions, type Split, splitOf } from "./split.ts";
export {
  type Cell,
  openTable,
  TABLE_FORMATS,
  type Table,
  type TableFormat,
  type TableRow,
  tableFormat,
} from "./table.ts";
export { type Task, type TaskKind, type TaskMetric, tableTask } from "./task.ts";
export { GLUE_TASKS, type GlueTask, type GlueTaskName, glueTask, isGlueTask } from "./tasks/glue.ts";
export { seq2seqTask } from "./tasks/seq2seq.ts";
export { squadTask } from "./tasks/squad.ts";
export { type TextLine, textLines } from "./text-blocks.ts";
export type { TokenizerConfigJson, TokenizerJson } from "./tokenizer/json.ts";
export type { TokenSpans } from "./tokenizer/pipeline.ts";
export type { Truncation } from "./tokenizer/template.ts";
export {
  createTokenizer,
  type EncodeOptions,
  type Encoding,
  type SpecialIds,
  type Tokenizer,
} from "./tokenizer/tokenizer.ts";
export { loadTokenizer, readTokenizerFiles } from "./tokenizer/tokenizer-files.ts";
export { readOtherwise } from "./tokenizer/transformers-js.ts";
export { type WrittenTokenizerOptions, writeTokenizer } from "./tokenizer/written-files.ts";
