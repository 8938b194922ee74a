// Data: text files to examples, examples to token ids, token ids to batches.
// Takes files, a task and a tokenizer; gives examples, encoded examples and `Batch`es in an order fixed by the seed.
// Never: pads to anything but what it is told; guesses a label; loads a file whole that can stream.

export { type Batch, batches, makeBatch } from "./batch.ts";
export { evaluationPlan, trainingPlan } from "./batch-plan.ts";
export { draftTask, openDataset } from "./dataset.ts";
export { type EncodedExamples, encodeExamples, encodeLists } from "./encode.ts";
export {
  type EncodedSpans,
  type EncodedWindows,
  encodeAnswers,
  encodeSpans,
  isSpans,
  isWindows,
  type WindowOffsets,
} from "./encode-questions.ts";
export { type EncodedTargets, encodeTexts, isTargets, isTexts } from "./encode-targets.ts";
export { type EncodedWords, encodeWords, isWords, tokenPlaces } from "./encode-words.ts";
export type { Example } from "./examples.ts";
export { matchClasses } from "./labels/label-match.ts";
export type { ClassCount } from "./look/column-look.ts";
export { type Guess, guessData } from "./look/guess.ts";
export { type Look, lookAt, lookedRows } from "./look/look.ts";
export { type Dataset, type DatasetOptions, type ModelClasses, type Split, splitOf } from "./split.ts";
export type { Table } from "./tables/row.ts";
export { MEMORY, type Row, type RowFiles, type RowSplits, type Rows, rowFiles, rowNames } from "./tables/rows.ts";
export { canonicalSplit, noSuchPath } from "./tables/sources.ts";
export { openTable, tableFormat as tableFileFormat } from "./tables/table.ts";
export { textLines } from "./tables/text-blocks.ts";
export {
  choosableMetrics,
  isTableTask,
  judgedBy,
  TABLE_TASKS,
  type TableTaskName,
  type Task,
  tableTask,
} from "./task.ts";
export { GLUE_TASKS, type GlueTaskName, glueTask, isGlueTask } from "./tasks/glue.ts";
export { seq2seqTask } from "./tasks/seq2seq.ts";
export { squadTask } from "./tasks/squad.ts";
export { openTexts, type RowText, type TextTable } from "./texts.ts";
export type { TokenizerConfigJson, TokenizerJson } from "./tokenizer/json.ts";
export type { Truncation } from "./tokenizer/template.ts";
export { createTokenizer, type Tokenizer } from "./tokenizer/tokenizer.ts";
export { loadTokenizer, readTokenizerFiles } from "./tokenizer/tokenizer-files.ts";
export { readOtherwise } from "./tokenizer/transformers-js.ts";
export { type WrittenTokenizerOptions, writeTokenizer } from "./tokenizer/written-files.ts";
