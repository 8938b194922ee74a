// What a task asks for: its kind, labels, metrics and splits.

/** Metric names, spelled as Hugging Face's GLUE, SQuAD and ROUGE metrics write them. */
export type TaskMetric =
  | "accuracy"
  | "f1"
  | "matthews_correlation"
  | "pearson"
  | "spearmanr"
  | "exact_match"
  | "rouge1"
  | "rouge2"
  | "rougeL";

/** What is asked of a model: a class, a number, a piece of a context, or a text. */
export type TaskKind = "classification" | "regression" | "question-answering" | "seq2seq";

export interface Task {
  readonly name: string;
  readonly kind: TaskKind;
  /** Label names by index; empty for a regression. */
  readonly labels: readonly string[];
  readonly isPair: boolean;
  /** Smallest and largest score of a regression; null where any number will do. */
  readonly scoreRange: readonly [number, number] | null;
  readonly metrics: readonly TaskMetric[];
  /** The metric that tells a better model from a worse one; larger is better. */
  readonly mainMetric: TaskMetric;
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

/** Classes as metrics of two classes count them: the positive one as 1. */
export function metricClasses(
  { positiveLabel = 1 }: Pick<Task, "positiveLabel">,
  classes: ArrayLike<number>,
): ArrayLike<number> {
  return positiveLabel === 1 ? classes : Float64Array.from(classes, (index) => 1 - index);
}

/** Tasks over a table of the user's own that has a column of labels or scores. */
export const TABLE_TASKS = {
  "text-classification": { kind: "classification", isPair: false },
  "text-pair": { kind: "classification", isPair: true },
  "text-regression": { kind: "regression", isPair: false },
  "text-pair-regression": { kind: "regression", isPair: true },
} as const satisfies { readonly [name: string]: Pick<Task, "kind" | "isPair"> };

export type TableTaskName = keyof typeof TABLE_TASKS;

/** True for the name of a task over a table of labels or scores. */
export function isTableTask(name: string): name is TableTaskName {
  return Object.hasOwn(TABLE_TASKS, name);
}

/** A task over a table of the user's own. */
export function tableTask(name: string, options: Pick<Task, "kind" | "labels" | "isPair">): Task {
  const metrics: readonly TaskMetric[] =
    options.kind === "regression"
      ? ["pearson", "spearmanr"]
      : options.labels.length === 2
        ? ["accuracy", "f1"]
        : ["accuracy"];
  return {
    name,
    ...options,
    scoreRange: null,
    metrics,
    mainMetric: metrics[0]!,
    trainSplit: "train",
    evalSplits: ["dev"],
    testSplits: ["test"],
  };
}
