// The nine tasks of GLUE in the layouts gluebenchmark.com hands out: tab-separated, no quoting.
// Labels are ordered as in Hugging Face's `nyu-mll/glue`, so that checkpoints and scores agree.
import { ConfigError, nearest } from "../../errors.ts";
import type { Task } from "../task.ts";

export const GLUE_TASKS = ["cola", "mnli", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli"] as const;

export type GlueTaskName = (typeof GLUE_TASKS)[number];

/** A GLUE task and the columns of its files. */
export interface GlueTask extends Task {
  readonly name: GlueTaskName;
  /** Name of the task's folder in the official archive. */
  readonly folder: string;
  readonly textColumn: string;
  readonly pairColumn: string | null;
  readonly labelColumn: string;
  /** Columns of train.tsv and dev.tsv where these have no header line. */
  readonly headerless: readonly string[] | null;
  /** True where the official file itself holds rows cut short, which everyone leaves out. */
  readonly skipsFaultyRows: boolean;
}

const BASE = {
  kind: "classification",
  isPair: true,
  scoreRange: null,
  metrics: ["accuracy"],
  mainMetric: "accuracy",
  trainSplit: "train",
  evalSplits: ["dev"],
  testSplits: ["test"],
  textColumn: "sentence1",
  pairColumn: "sentence2",
  labelColumn: "label",
  headerless: null,
  skipsFaultyRows: false,
} as const;

const TASKS: { readonly [N in GlueTaskName]: GlueTask } = {
  cola: {
    ...BASE,
    name: "cola",
    folder: "CoLA",
    labels: ["unacceptable", "acceptable"],
    isPair: false,
    metrics: ["matthews_correlation"],
    mainMetric: "matthews_correlation",
    textColumn: "sentence",
    pairColumn: null,
    headerless: ["source", "label", "annotation", "sentence"],
  },
  mnli: {
    ...BASE,
    name: "mnli",
    folder: "MNLI",
    labels: ["entailment", "neutral", "contradiction"],
    evalSplits: ["dev_matched", "dev_mismatched"],
    testSplits: ["test_matched", "test_mismatched"],
    labelColumn: "gold_label",
  },
  mrpc: {
    ...BASE,
    name: "mrpc",
    folder: "MRPC",
    labels: ["not_equivalent", "equivalent"],
    metrics: ["accuracy", "f1"],
    textColumn: "#1 String",
    pairColumn: "#2 String",
    labelColumn: "Quality",
  },
  qnli: {
    ...BASE,
    name: "qnli",
    folder: "QNLI",
    labels: ["entailment", "not_entailment"],
    textColumn: "question",
    pairColumn: "sentence",
  },
  qqp: {
    ...BASE,
    name: "qqp",
    folder: "QQP",
    labels: ["not_duplicate", "duplicate"],
    metrics: ["accuracy", "f1"],
    textColumn: "question1",
    pairColumn: "question2",
    labelColumn: "is_duplicate",
    skipsFaultyRows: true,
  },
  rte: { ...BASE, name: "rte", folder: "RTE", labels: ["entailment", "not_entailment"] },
  sst2: {
    ...BASE,
    name: "sst2",
    folder: "SST-2",
    labels: ["negative", "positive"],
    isPair: false,
    textColumn: "sentence",
    pairColumn: null,
  },
  stsb: {
    ...BASE,
    name: "stsb",
    folder: "STS-B",
    kind: "regression",
    labels: [],
    scoreRange: [0, 5],
    metrics: ["pearson", "spearmanr"],
    mainMetric: "pearson",
    labelColumn: "score",
  },
  wnli: { ...BASE, name: "wnli", folder: "WNLI", labels: ["not_entailment", "entailment"] },
};

/**
 * A GLUE task by name.
 * @throws {ConfigError} with the nearest name when there is no such task.
 */
export function glueTask(name: string): GlueTask {
  if (isGlueTask(name)) return TASKS[name];
  const didYouMean = nearest(name, GLUE_TASKS);
  throw new ConfigError([
    { path: "task", expected: GLUE_TASKS.join(", "), got: name, ...(didYouMean === undefined ? {} : { didYouMean }) },
  ]);
}

/** The split that a task of this name is measured on unless told otherwise: `dev`, of MNLI the matched one. */
export function evalSplitOf(task: string): string {
  return isGlueTask(task) ? TASKS[task].evalSplits[0]! : "dev";
}

/** True for the name of a GLUE task. */
export function isGlueTask(name: string): name is GlueTaskName {
  return (GLUE_TASKS as readonly string[]).includes(name);
}
