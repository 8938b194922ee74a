// The table of tasks, and the heads that they have.
import { GLUE_TASKS, glueTask, isGlueTask } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import { classification, classificationHead } from "./classification.ts";
import type { HeadKind, HeadRecord, ReadingHead } from "./head.ts";
import { multiLabel } from "./multi-label.ts";
import { questionAnswering } from "./question-answering.ts";
import { regression, regressionHead } from "./regression.ts";
import { seq2seq } from "./seq2seq.ts";
import type { ReadingTask, TaskRecord, WritingTask } from "./task.ts";
import { tokenClassification } from "./token-classification.ts";

const TABLE = [classification, regression, multiLabel, tokenClassification, questionAnswering, seq2seq] as const;

type PredictionOf<Record> = Record extends TaskRecord<infer P> ? P : never;

/** One prediction of a model: a JSON line of `deft predict`. */
export type Prediction = PredictionOf<(typeof TABLE)[number]>;

/** A task of the table. */
export type AnyTask = TaskRecord<Prediction>;

const RECORDS: readonly AnyTask[] = TABLE;

const TASKS: ReadonlyMap<string, AnyTask> = new Map(RECORDS.map((record) => [record.kind, record]));

const HEADS: ReadonlyMap<string, HeadRecord> = new Map(
  RECORDS.flatMap(({ reading, writing }) => [reading?.head, writing?.head]).flatMap((head) =>
    head ? [[head.kind, head]] : [],
  ),
);

/** Every name that `--task` takes: GLUE's, and those of the table. */
export const TASK_NAMES: readonly string[] = [...GLUE_TASKS, ...RECORDS.flatMap(({ names }) => names)];

/** The task that `--task` calls so. @throws {InternalError} for an unknown name. */
export function taskNamed(name: string): AnyTask {
  const record = isGlueTask(name) ? taskRecord(glueTask(name).kind) : RECORDS.find(({ names }) => names.includes(name));
  if (record === undefined) throw new InternalError(`no task is called ${name}`);
  return record;
}

/** The record of a kind of task. @throws {InternalError} for a name that the table lacks. */
export function taskRecord(kind: string): AnyTask {
  const record = TASKS.get(kind);
  if (record === undefined) throw new InternalError(`no task ${kind}`);
  return record;
}

/** A task on a model that only reads. @throws {InternalError} when such a model cannot do it. */
export function readingTask(kind: string): ReadingTask<Prediction> {
  const { reading } = taskRecord(kind);
  if (reading === null) throw new InternalError(`${kind} by a model that only reads`);
  return reading;
}

/** A task on a model that writes. @throws {InternalError} when such a model cannot do it. */
export function writingTask(kind: string): WritingTask<Prediction> {
  const { writing } = taskRecord(kind);
  if (writing === null) throw new InternalError(`${kind} by a model that writes`);
  return writing;
}

/** The task that a head by itself does: pointing answers questions, and writing gives texts for texts. */
export function taskOfHead({ kind }: Pick<HeadKind, "kind">): AnyTask {
  const record =
    RECORDS.find(({ reading }) => reading?.head.kind === kind) ??
    RECORDS.find(({ reading, writing }) => reading === null && writing?.head.kind === kind);
  if (record === undefined) throw new InternalError(`no task of a ${kind} head`);
  return record;
}

/** The record of a head. @throws {InternalError} for a name that the table lacks. */
export function headRecord({ kind }: Pick<HeadKind, "kind">): HeadRecord {
  const record = HEADS.get(kind);
  if (record === undefined) throw new InternalError(`no head ${kind}`);
  return record;
}

/** The record of a head on a model that only reads. @throws {InternalError} for one that writes. */
export function readingHead(head: Pick<HeadKind, "kind">): ReadingHead {
  const record = headRecord(head);
  if (record.writes) throw new InternalError(`a ${head.kind} head that is to read`);
  return record;
}

/** The head of a peft adapter's `task_type`; null where none or several have it. */
export function headOfTaskType(taskType: string | null): HeadKind | null {
  const records = [...HEADS.values()].filter(({ writes, hf }) => !writes && hf.peftTaskType === taskType);
  return records.length === 1 ? { kind: records[0]!.kind } : null;
}

/**
 * The head that a config.json says: by the class that transformers loads it by, and where classes share that one by `problem_type`; without
 * one, a single label means a number. Null where the class is of no head here.
 */
export function headOfConfig(config: Readonly<Record<string, unknown>>, labels: readonly string[]): HeadKind | null {
  const [architecture] = Array.isArray(config.architectures) ? (config.architectures as unknown[]) : [];
  const records = [...HEADS.values()].filter(({ hf }) => String(architecture).endsWith(hf.classSuffix));
  const stated = records.find(({ hf }) => hf.problemType !== null && hf.problemType === config.problem_type);
  const usual: HeadRecord = labels.length === 1 ? regressionHead : classificationHead;
  const record = stated ?? (records.includes(usual) ? usual : records[0]);
  return record === undefined ? null : { kind: record.kind, numLabels: labels.length };
}
