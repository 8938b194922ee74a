// What a task asks for: its kind, labels, metrics and splits.
import type { ListForm } from "./tables/list-cells.ts";

export interface Task {
  readonly name: string;
  /** What is asked of a model, a key of the table of tasks: `classification`, `question-answering`, … */
  readonly kind: string;
  /** Label names by index; empty for a regression. */
  readonly labels: readonly string[];
  readonly isPair: boolean;
  /** The labels of an example are a list: all classes that are true of it, or one for each of its words. Absent: one label. */
  readonly lists?: ListForm;
  /** Smallest and largest score of a regression; null where any number will do. */
  readonly scoreRange: readonly [number, number] | null;
  /** Spelled as Hugging Face's GLUE, SQuAD and ROUGE metrics write them. */
  readonly metrics: readonly string[];
  /** The metric that tells a better model from a worse one; larger is better. */
  readonly mainMetric: string;
  readonly trainSplit: string;
  /** Splits with labels to measure on; the first decides. */
  readonly evalSplits: readonly string[];
  readonly testSplits: readonly string[];
  /** The order of the labels is given by the task or the data themselves, or was asked for; else it comes from sorting. */
  readonly isOfficialOrder?: boolean;
  /** The class that F1 of two classes counts, where it is not the second: GLUE's second in a model's order. */
  readonly positiveLabel?: number;
  /** Question answering: some questions have no answer in their context, as in SQuAD v2. */
  readonly unanswerable?: boolean;
}

/** What a task over a table of the user's own is like. */
export interface TableTask extends Pick<Task, "kind" | "isPair" | "lists"> {
  /** By the number of classes; the first decides. */
  readonly metrics: (numLabels: number) => readonly string[];
}

const classMetrics = (numLabels: number) => (numLabels === 2 ? ["accuracy", "f1"] : ["accuracy"]);
const scoreMetrics = () => ["pearson", "spearmanr"];

/** Tasks over a table of the user's own that has a column of labels or scores. */
export const TABLE_TASKS = {
  "text-classification": { kind: "classification", isPair: false, metrics: classMetrics },
  "text-pair": { kind: "classification", isPair: true, metrics: classMetrics },
  "text-regression": { kind: "regression", isPair: false, metrics: scoreMetrics },
  "text-pair-regression": { kind: "regression", isPair: true, metrics: scoreMetrics },
  "multi-label": {
    kind: "multi-label",
    isPair: false,
    lists: "classes",
    metrics: () => ["f1_micro", "f1_macro", "accuracy"],
  },
  "token-classification": {
    kind: "token-classification",
    isPair: false,
    lists: "tags",
    metrics: () => ["f1", "precision", "recall", "accuracy"],
  },
} as const satisfies { readonly [name: string]: TableTask };

export type TableTaskName = keyof typeof TABLE_TASKS;

/** True for the name of a task over a table of labels or scores. */
export function isTableTask(name: string): name is TableTaskName {
  return Object.hasOwn(TABLE_TASKS, name);
}

/**
 * The metrics by which a task's best evaluation can be told, its own first: those that are always measured, and of one class an example
 * those that are measured when asked for. Larger is better in all of them.
 */
export function choosableMetrics({
  kind,
  labels,
  metrics,
}: Pick<Task, "kind" | "labels" | "metrics">): readonly string[] {
  if (kind !== "classification") return metrics;
  return [...new Set([...metrics, ...classMetrics(labels.length), "f1_macro", "matthews_correlation"])];
}

/** The task with `metric` as its main one, measured besides its own; null where it cannot be told by that. */
export function judgedBy(task: Task, metric: string): Task | null {
  if (!choosableMetrics(task).includes(metric)) return null;
  return { ...task, metrics: [...new Set([...task.metrics, metric])], mainMetric: metric };
}

/** A task over a table of the user's own. */
export function tableTask(name: string, options: Pick<Task, "kind" | "labels" | "isPair">): Task {
  const own: TableTask | undefined = isTableTask(name) ? TABLE_TASKS[name] : undefined;
  const isScore = options.kind === "regression";
  const metrics = (isScore ? scoreMetrics : (own?.metrics ?? classMetrics))(options.labels.length);
  return {
    name,
    ...options,
    ...(own?.lists === undefined ? {} : { lists: own.lists }),
    scoreRange: null,
    metrics,
    mainMetric: metrics[0]!,
    trainSplit: "train",
    evalSplits: ["dev"],
    testSplits: ["test"],
  };
}
