// Names that settings take: tasks with the kind of their answers, methods, storage formats, and the commands that take settings.
import { METHOD_NAMES, type MethodName, recordNamed } from "../../peft/index.ts";

/** What a task answers with, and whose files it reads. */
interface TaskFacts {
  /** Classes (of a text or of its words), a number, a span of a context, or a text. */
  readonly answers: "class" | "number" | "span" | "text";
  /** Its classes and columns are fixed by GLUE. */
  readonly isGlue?: true;
}

/** Every task: GLUE's by their folders' layout, those over one's own tables, and those that answer with text. */
export const TASK_FACTS = {
  cola: { answers: "class", isGlue: true },
  mnli: { answers: "class", isGlue: true },
  mrpc: { answers: "class", isGlue: true },
  qnli: { answers: "class", isGlue: true },
  qqp: { answers: "class", isGlue: true },
  rte: { answers: "class", isGlue: true },
  sst2: { answers: "class", isGlue: true },
  stsb: { answers: "number", isGlue: true },
  wnli: { answers: "class", isGlue: true },
  "text-classification": { answers: "class" },
  "text-pair": { answers: "class" },
  "text-regression": { answers: "number" },
  "text-pair-regression": { answers: "number" },
  "multi-label": { answers: "class" },
  "token-classification": { answers: "class" },
  squad: { answers: "span" },
  seq2seq: { answers: "text" },
} as const satisfies Readonly<Record<string, TaskFacts>>;

export type TaskName = keyof typeof TASK_FACTS;

/** Task names, in the order of help. */
export const TASKS = Object.keys(TASK_FACTS) as unknown as readonly [TaskName, ...TaskName[]];

/** Method names, in the order of help. */
export const METHODS = METHOD_NAMES as readonly [MethodName, ...MethodName[]];

export type { MethodName };

/** The methods that read an option. */
export function methodsWith(option: string): readonly MethodName[] {
  return METHOD_NAMES.filter((name) => option in recordNamed(name).record.options);
}

/** How the matrices of a frozen base can be stored. */
export const STORED_FORMATS = ["nf4", "int8", "int4"] as const;

/** Commands that take settings. */
export const SETTING_COMMANDS = [
  "demo",
  "init",
  "train",
  "compare",
  "eval",
  "predict",
  "profile",
  "compress",
  "export",
  "bench",
] as const;

export type SettingCommand = (typeof SETTING_COMMANDS)[number];

/** Tasks that use a setting, and how an error calls them. */
export interface TaskSet {
  readonly are: readonly TaskName[];
  readonly said: string;
}

const tasksWhere = (said: string, isOne: (facts: TaskFacts) => boolean): TaskSet => ({
  are: TASKS.filter((name) => isOne(TASK_FACTS[name])),
  said,
});

export const LABEL_TASKS = tasksWhere("a task of labels", ({ answers }) => answers === "class" || answers === "number");
export const CLASS_TASKS = tasksWhere("a task of classes", ({ answers }) => answers === "class");
export const OWN_CLASS_TASKS = tasksWhere(
  "a task of classes over a table of one's own",
  ({ answers, isGlue }) => answers === "class" && isGlue !== true,
);
export const SPAN_TASKS = tasksWhere("--task squad", ({ answers }) => answers === "span");
export const SOURCE_TASKS = tasksWhere("--task seq2seq", ({ answers }) => answers === "text");
export const WRITING_TASKS = tasksWhere(
  "--task squad or seq2seq",
  ({ answers }) => answers === "span" || answers === "text",
);
export const TEACHER_TASKS = tasksWhere("a task of labels or squad", ({ answers }) => answers !== "text");
