// Which task an opened run or model does, and which head it has: by its name, or by what it holds.
import { isGlueTask, type Task } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { ENCODER_TYPES, isHeadName, type Model, WRITER_TYPES } from "../models/index.ts";
import { TASKS, type TaskName } from "../settings/index.ts";
import {
  type AnyTask,
  type HeadKind,
  headOfConfig,
  headRecord,
  TASK_NAMES,
  taskNamed,
  taskOfHead,
  taskRecord,
} from "../tasks/index.ts";
import type { BaseModel } from "./base-model.ts";

/** What is known of an opened model that bears on its head. */
export interface HeadFacts {
  readonly task: TaskName | null;
  readonly labels: readonly string[];
  /** Where labels say it: the answer is a number. */
  readonly isRegression: boolean;
  /** The head that it says itself, or shows by its parameters; null where nothing says. */
  readonly own: HeadKind | null;
  /** Its config.json says by `problem_type` what the logits over a text mean. */
  readonly isStated: boolean;
}

/** A task, as a kind, and the head that does it. */
export interface TargetTask {
  /** A key of the table of tasks. */
  readonly kind: string;
  readonly head: HeadKind;
}

type NamedModel = Pick<BaseModel, "name" | "model">;

/** The head that a task has on such a model; null when such a model cannot do it. */
function headRecordFor({ reading, writing }: AnyTask, { model }: Pick<BaseModel, "model">) {
  return (model.writes ? writing : reading)?.head ?? null;
}

/**
 * The head a task needs of a model: a question is answered by pointing where the model is an encoder, by writing where it is an
 * encoder–decoder.
 * @throws {ConfigError} when such a model cannot do the task.
 */
export function headOf(task: Pick<Task, "name" | "kind" | "labels">, base: NamedModel): HeadKind {
  const record = taskRecord(task.kind);
  const head = headRecordFor(record, base);
  if (head === null) throw cannotDo(task.name, base);
  return { kind: head.kind, ...(record.hasClasses ? { numLabels: task.labels.length } : {}) };
}

/** @throws {ConfigError} when such a model cannot do the task. */
export function requireTask(task: TaskName, base: NamedModel): void {
  if (headRecordFor(taskNamed(task), base) === null) throw cannotDo(task, base);
}

function cannotDo(task: string, { name, model }: NamedModel): ConfigError {
  const { modelType } = model.config;
  const [expected, others] = model.writes
    ? [`an encoder (${ENCODER_TYPES.join(", ")})`, tasksOfHead({ kind: "language-model" }).join(" and ")]
    : [`an encoder–decoder (${WRITER_TYPES.join(", ")})`, "other tasks"];
  return new ConfigError([{ path: `--task ${task}`, expected, got: `${name} (${modelType})` }], {
    hint: `Such a model does ${others}.`,
  });
}

/** What `--task` calls the tasks that a head can do. */
export function tasksOfHead({ kind }: Pick<HeadKind, "kind">): TaskName[] {
  const { writes } = headRecord({ kind });
  const names = TASK_NAMES.filter((name) => {
    const { reading, writing } = taskNamed(name);
    return (writes ? writing : reading)?.head.kind === kind;
  });
  return TASKS.filter((name) => names.includes(name));
}

/** The tasks over a table of one's own that a head can do, in words: "text-regression or text-pair-regression". */
export function tableTasks(head: Pick<HeadKind, "kind">): string {
  return tasksOfHead(head)
    .filter((name) => !isGlueTask(name))
    .join(" or ");
}

/** The task and head of an opened model. @throws {ConfigError} when the model cannot do the task. */
export function targetTask(base: NamedModel, facts: HeadFacts): TargetTask {
  const { task, labels } = facts;
  const named = task === null ? null : taskNamed(task);
  if (base.model.writes) {
    const writes = named?.writing ? named : taskOfHead({ kind: "language-model" });
    return { kind: writes.kind, head: { kind: writes.writing!.head.kind } };
  }
  if (named !== null && named.reading === null) throw cannotDo(task!, base);
  const record = named !== null && !isOfTexts(named) ? named : taskOfHead({ kind: ownKind(facts, named) });
  const { head } = record.reading!;
  return { kind: record.kind, head: { kind: head.kind, ...(record.hasClasses ? { numLabels: labels.length } : {}) } };
}

/** Whether a task's head reads whole texts, as several tasks' do by the same parameters. */
function isOfTexts({ reading }: AnyTask): boolean {
  return reading?.head.hf.classSuffix === headRecord({ kind: "classification" }).hf.classSuffix;
}

/** The head over a text: what the model says itself where it says more than a number of labels, what is asked for, or one for its labels. */
function ownKind({ own, isRegression, isStated }: HeadFacts, named: AnyTask | null): string {
  const byLabels = isRegression ? "regression" : "classification";
  const isOwn = own !== null && (named === null || isOfTexts(taskOfHead(own)));
  const kind = isOwn ? own.kind : byLabels;
  if (!BY_LABELS.includes(kind)) return kind;
  const asked = named?.reading?.head.kind ?? kind;
  return isStated || BY_LABELS.includes(asked) ? byLabels : asked;
}

/** Heads that the number of labels tells apart. */
const BY_LABELS = ["classification", "regression"];

/** Classes of transformers that have no head of ours, by the end of their names. */
const OTHER_CLASSES: Readonly<Record<string, string>> = {
  ForCausalLM: "which continues a text",
  ForImageClassification: "which names what a picture shows",
  ForMaskedLM: "which fills gaps in a text",
  ForMultipleChoice: "which chooses among several texts",
  ForNextSentencePrediction: "which tells whether a sentence follows another",
  ForPreTraining: "which was pretrained and has no task yet",
};

/** What a checkpoint is for, where its config.json names a class whose head is another than `head`; null where it may be that one. */
export function otherArchitecture(
  { config, model }: Pick<BaseModel, "config" | "model">,
  head: HeadKind,
): string | null {
  const [name]: unknown[] = Array.isArray(config.architectures) ? config.architectures : [];
  if (typeof name !== "string") return null;
  const end = /For[A-Z]\w*$/.exec(name)?.[0] ?? "";
  if (Object.hasOwn(OTHER_CLASSES, end)) return `${name}, ${OTHER_CLASSES[end]!}`;
  const own = headOfConfig(config, model.config.labels);
  if (own === null || headRecord(own).hf.classSuffix === headRecord(head).hf.classSuffix) return null;
  return `${name}, ${headRecord(own).hf.classDoes}`;
}

/** Whether names of parameters are those of a head that points. */
export function hasSpanHead(names: Iterable<string>): boolean {
  for (const name of names) if (name.startsWith("qa_outputs.")) return true;
  return false;
}

/** Whether among an adapter's tensors there is a head, so that the base's own says nothing. */
export function bringsHead(model: Model, names: Iterable<string>): boolean {
  for (const name of names) if (isHeadName(model, name) && !name.includes(".lora_")) return true;
  return false;
}

/** The task of that name; null when there is none. */
export function knownTask(name: unknown): TaskName | null {
  return TASKS.find((task) => task === name) ?? null;
}
