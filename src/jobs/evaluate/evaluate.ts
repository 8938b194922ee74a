// What is done with a finished run, or a model with an adapter: evaluate and profile.
import {
  draftTask,
  type EncodedExamples,
  isGlueTask,
  type ModelClasses,
  openDataset,
  type Split,
  splitOf,
  type Task,
} from "../../data/index.ts";
import type { DensityReport } from "../../density/index.ts";
import { ConfigError } from "../../errors.ts";
import { checkSparseDecoding, encodeSplit, judgedAsRun, openEvaluator, scoringBatches } from "../../evaluate/index.ts";
import {
  backendOf,
  classesOf,
  explainNotFinite,
  headOf,
  lengthLimit,
  type OpenedTarget,
  openTarget,
  openTargetScorer,
  type RunOverrides,
  type RunTarget,
  scoringLengthOf,
  tableTasks,
  targetData,
  targetName,
} from "../../load/index.ts";
import { cutTexts, type Environment, type Fingerprints, type Watched } from "../../runs/index.ts";
import type { TaskName } from "../../settings/index.ts";
import { type Evaluation, headRecord, taskNamed } from "../../tasks/index.ts";
import { checkTargetContent } from "../job-content.ts";

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
  { fingerprints, ...watched }: Watched & { readonly fingerprints?: Fingerprints | undefined } = {},
): Promise<Evaluation> {
  const opened = await openTarget(environment, target, overrides);
  await checkTargetContent(environment, target, opened, fingerprints);
  checkLabels(targetData(opened).task, opened);
  const { dataset, split } = await openSplit(environment, opened, classesOf(opened, targetName(target)));
  checkHead(dataset.task, opened);
  checkSparseDecoding(opened);
  const { options } = opened;
  const evaluator = await openEvaluator({
    bundle: { ...opened, head: headOf(dataset.task, opened.base) },
    tokenizer: opened.base.tokenizer,
    generation: opened.base.generation,
    decoding: opened.decoding,
    task: dataset.task,
    backend: backendOf(environment, opened),
    padding: options.data.padding,
    batchSize: options.batchSize,
    answers: options.answers,
    maxTargetLength: options.data.maxTargetLength,
    seed: options.seed,
    sparseDecoding: options.sparseDecoding,
    asked: opened.settings === null ? options.asked : null,
  });
  try {
    const lengths = { ...options.data, maxLength: scoringLengthOf(opened) };
    const examples = await encodeSplit(split, opened.base, lengths, dataset.task, { isUsable: true });
    sayCut(opened, examples, watched);
    const evaluation = await evaluator.evaluate(opened.trained, split.name, examples);
    return dataset.notes.length === 0 ? evaluation : { ...evaluation, notes: dataset.notes };
  } catch (error) {
    throw await explainNotFinite(opened.base, error);
  } finally {
    await evaluator.dispose();
  }
}

function sayCut(opened: OpenedTarget, examples: EncodedExamples, watched: Watched): void {
  const cut = cutTexts(examples.maxLength, lengthLimit(opened));
  cut.add(examples);
  cut.say(watched);
}

/**
 * Labels of another kind are refused before the data are read as what they are not: GLUE's are known, and told by their number.
 * @throws {ConfigError} when the task's labels are not of the head's kind.
 */
function checkLabels(task: TaskName, { head, base }: Pick<OpenedTarget, "head" | "base">): void {
  const needed = taskNamed(task).reading?.head;
  const given = headRecord(head);
  const areLabels = needed?.classNames([]) != null && given.classNames([]) !== null && !isGlueTask(task);
  if (!areLabels || needed.kind === given.kind) return;
  const { problem_type: problem } = base.config;
  const stated = typeof problem === "string" ? ` (problem_type ${problem})` : "";
  throw new ConfigError(
    [{ path: `--task ${task}`, expected: `a model with ${needed.name}`, got: `one with ${given.name}${stated}` }],
    { hint: `Such a model does --task ${tableTasks(head)}.` },
  );
}

/** @throws {ConfigError} when the task asks for other answers than the head gives. */
function checkHead(task: Task, { base, head }: Pick<OpenedTarget, "base" | "head">): void {
  const [needed, got] = [headOf(task, base), head].map((one) => headRecord(one).gives(one));
  if (needed === got) return;
  throw new ConfigError([{ path: `--task ${task.name}`, expected: `a model with ${needed}`, got: `one with ${got}` }], {
    hint: "Evaluate a run on the task it was trained for.",
  });
}

/** Density on a data set, with or without labels. */
export async function profileRun(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
  watched: Watched = {},
): Promise<Profile> {
  const opened = await openTarget(environment, target, overrides, true);
  const { split, dataset } = await openSplit(environment, opened, null);
  const { options } = opened;
  const scorer = await openTargetScorer(environment, opened, { density: true });
  try {
    const lengths = { ...options.data, maxLength: scoringLengthOf(opened) };
    // texts of any task are read as the model's own task reads them
    const task = dataset.task.kind === opened.kind ? dataset.task : { kind: opened.kind };
    const examples = await encodeSplit(unlabelled(split), opened.base, lengths, task, { isUsable: true });
    sayCut(opened, examples, watched);
    const scores = await scorer.score(
      opened.trained,
      scoringBatches(examples, opened.head, options.data.padding, options.batchSize),
      examples.count,
    );
    return {
      model: target.kind === "run" ? target.folder : target.model,
      examples: examples.count,
      tokens: scores.attendedTokens,
      density: scores.density!,
      timing: { examplesPerSecond: (examples.count / scores.durationMs) * 1000, totalMs: scores.durationMs },
    };
  } catch (error) {
    throw await explainNotFinite(opened.base, error);
  } finally {
    await scorer.dispose();
  }
}

/** The split without its labels, which may be another task's. */
function unlabelled(split: Split): Split {
  async function* examples() {
    for await (const example of split.examples()) yield { ...example, label: null, labelList: null };
  }
  return { ...split, examples };
}

/** A split of a target's data, with labels that are matched with `classes`; without labels where that is null. */
async function openSplit(environment: Environment, opened: OpenedTarget, classes: ModelClasses | undefined | null) {
  const { options } = opened;
  const known = targetData(opened);
  const split = options.split ?? draftTask(known.task).evalSplits[0]!;
  const ownFile = options.asked.has("data") && options.split === null;
  const isFile = ownFile && (await environment.files.stat(known.data))?.isFolder === false;
  const dataset = await openDataset(environment.files, {
    ...known,
    limitEval: options.data.limitEval ?? undefined,
    ...(classes === null ? { labels: undefined } : { classes }),
    splits: [split],
    // a file given for this very purpose is measured whole; the run's own file keeps its held-out part
    ...(isFile ? { heldOutShare: null } : {}),
    labelsRequired: classes !== null,
  });
  return { dataset: judgedAsRun(dataset, opened.settings), split: splitOf(dataset, split) };
}
