// What a task asks for: its kind, labels, metrics and splits.

export interface Task {
  readonly name: string;
  /** What is asked of a model, a key of the table of tasks: `classification`, `question-answering`, … */
  readonly kind: string;
  /** Label names by index; empty for a regression. */
  readonly labels: readonly string[];
  readonly isPair: boolean;
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
  /** Question answering: some questions have no answer in their context, as in SQuAD v2. */
  readonly unanswerable?: boolean;
}

/** A task over a table of the user's own. */
export function tableTask(name: string, options: Pick<Task, "kind" | "labels" | "isPair">): Task {
  const metrics: readonly string[] =
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
