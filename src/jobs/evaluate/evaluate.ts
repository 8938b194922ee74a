// What is done with a finished run, or a model with an adapter: evaluate and profile.
import {
  glueTask,
  isGlueTask,
  openDataset,
  type Split,
  seq2seqTask,
  splitOf,
  squadTask,
  type Task,
  tableTask,
} from "../../data/index.ts";
import type { DensityReport } from "../../density/index.ts";
import { ConfigError } from "../../errors.ts";
import { checkSparseDecoding, encodeSplit, openEvaluator, scoringBatches } from "../../evaluate/index.ts";
import type { RunOverrides, RunTarget } from "../../load/index.ts";
import {
  backendOf,
  headOf,
  maxLengthOf,
  type OpenedTarget,
  openTarget,
  openTargetScorer,
  SCORING_BATCH,
  targetData,
} from "../../load/index.ts";
import type { Environment } from "../../runs/index.ts";
import { answersFor, DEFAULTS, type TaskName } from "../../settings/index.ts";
import type { Evaluation, HeadKind } from "../../tasks/index.ts";

/** A density measurement without labels. */
export interface Profile {
  readonly model: string;
  readonly examples: number;
  /** Attended tokens measured. */
  readonly tokens: number;
  readonly density: DensityReport;
  readonly timing: Evaluation["timing"];
}

/** Score and density on a split. */
export async function evaluateRun(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
): Promise<Evaluation> {
  const opened = await openTarget(environment, target, overrides);
  const { dataset, split } = await openSplit(environment, opened, overrides, true);
  checkHead(dataset.task, opened);
  checkSparseDecoding(opened, overrides);
  const { answers, data } = answersFor(dataset.task.name as TaskName, opened.settings, overrides);
  const evaluator = await openEvaluator({
    bundle: { ...opened, head: headOf(dataset.task, opened.base) },
    tokenizer: opened.base.tokenizer,
    decoding: opened.decoding,
    task: dataset.task,
    backend: backendOf(environment, overrides, opened.settings),
    padding: overrides.padding ?? opened.settings?.data.padding ?? DEFAULTS.padding,
    batchSize: overrides["batch-size"] ?? SCORING_BATCH,
    answers,
    maxTargetLength: data.maxTargetLength,
    seed: overrides.seed ?? opened.settings?.seed ?? DEFAULTS.seed,
    sparseDecoding: overrides["sparse-decoding"] ?? false,
  });
  try {
    const lengths = { ...data, maxLength: maxLengthOf(opened, overrides) };
    const examples = await encodeSplit(split, opened.base, lengths, dataset.task);
    return await evaluator.evaluate(opened.trained, split.name, examples);
  } finally {
    await evaluator.dispose();
  }
}

/** @throws {ConfigError} when the task asks for other answers than the head gives. */
function checkHead(task: Task, { base, head }: Pick<OpenedTarget, "base" | "head">): void {
  const [needed, got] = [headOf(task, base), head].map(describeHead);
  if (needed === got) return;
  throw new ConfigError([{ path: `--task ${task.name}`, expected: `a model with ${needed}`, got: `one with ${got}` }], {
    hint: "Evaluate a run on the task it was trained for.",
  });
}

function describeHead(head: HeadKind): string {
  switch (head.kind) {
    case "regression":
      return "a regression";
    case "span":
      return "answer spans";
    case "language-model":
      return "text";
    default:
      return `${head.numLabels} classes`;
  }
}

/** Density on a data set, with or without labels. */
export async function profileRun(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
): Promise<Profile> {
  const opened = await openTarget(environment, target, overrides, true);
  const { split, dataset } = await openSplit(environment, opened, overrides, false);
  const { data } = answersFor(dataset.task.name as TaskName, opened.settings, overrides);
  const scorer = await openTargetScorer(environment, opened, overrides, { density: true });
  try {
    const lengths = { ...data, maxLength: maxLengthOf(opened, overrides) };
    const answersText = opened.head.kind === "span" || opened.head.kind === "language-model";
    const task = answersText ? dataset.task : undefined;
    const examples = await encodeSplit(unlabelled(split), opened.base, lengths, task);
    const padding = overrides.padding ?? opened.settings?.data.padding ?? DEFAULTS.padding;
    const scores = await scorer.score(
      opened.trained,
      scoringBatches(
        examples,
        { kind: opened.isRegression ? "regression" : "classification" },
        padding,
        overrides["batch-size"] ?? SCORING_BATCH,
      ),
      examples.count,
    );
    return {
      model: target.kind === "run" ? target.folder : target.model,
      examples: examples.count,
      tokens: scores.attendedTokens,
      density: scores.density!,
      timing: { examplesPerSecond: (examples.count / scores.durationMs) * 1000, totalMs: scores.durationMs },
    };
  } finally {
    await scorer.dispose();
  }
}

/** The split without its labels, which may be another task's. */
function unlabelled(split: Split): Split {
  async function* examples() {
    for await (const example of split.examples()) yield { ...example, label: null };
  }
  return { ...split, examples };
}

async function openSplit(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
  labelsRequired: boolean,
) {
  const { settings } = opened;
  const known = targetData(opened, overrides);
  const split = overrides.split ?? draftTask(known.task).evalSplits[0]!;
  const ownFile = overrides.data !== undefined && overrides.split === undefined;
  const isFile = ownFile && (await environment.files.stat(known.data))?.isFolder === false;
  const dataset = await openDataset(environment.files, {
    ...known,
    limitEval: overrides["limit-eval"] ?? settings?.data.limitEval ?? undefined,
    ...(labelsRequired && opened.labels.length > 0 && !opened.isRegression ? { labels: opened.labels } : {}),
    splits: [split],
    // a file given for this very purpose is measured whole; the run's own file keeps its held-out part
    ...(isFile ? { heldOutShare: null } : {}),
    labelsRequired,
  });
  return { dataset, split: splitOf(dataset, split) };
}

function draftTask(name: string): Task {
  if (name === "squad") return squadTask(false);
  if (name === "seq2seq") return seq2seqTask();
  return isGlueTask(name)
    ? glueTask(name)
    : tableTask(name, { kind: "classification", labels: [], isPair: name === "text-pair" });
}
