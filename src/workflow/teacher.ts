// A teacher: a model trained before, whose logits for the training examples are learned from beside the labels.
import { type Dataset, type EncodedExamples, type Example, type Split, splitOf, type Task } from "../data/index.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { fingerprint } from "../hub/index.ts";
import { type HeadKind, type ModelBatch, numLogits, openScorer } from "../infer/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { DistillationSettings, Settings } from "../settings/index.ts";
import { float32, joinPath, memoryWeights } from "../tensor/index.ts";
import type { BatchSource, TeacherEvent } from "../train/index.ts";
import type { RunTarget } from "./api.ts";
import { COMPRESSION_FILE } from "./compression.ts";
import type { Environment } from "./environment.ts";
import { maxLengthOf, type OpenedTarget, openTarget, SCORING_BATCH } from "./opened-target.ts";
import { HEAD_NAMES } from "./target-head.ts";
import { chanceLoss, type PlannedBatches, scoringBatches } from "./task-batches.ts";
import { encodeSplit } from "./task-data.ts";

/** A teacher that fits the task. */
export interface Teacher {
  /** As the settings name it. */
  readonly name: string;
  readonly opened: OpenedTarget;
  /** SHA-256 over its trained tensors, or over a bare model's weights. */
  readonly fingerprint: string;
  readonly weight: number;
}

/** What a run learns from: its batches, and the loss of the best constant answer to them. */
export interface Lesson {
  readonly batches: BatchSource;
  readonly chanceLoss: number;
}

/**
 * Opens the teacher that the settings name, or takes one that is open already; null where they name none.
 * @throws {ConfigError} with every reason why it cannot teach this task: another task, other labels, another head; errors as `openTarget`.
 */
export async function openTeacher(
  environment: Environment,
  settings: Pick<Settings, "distillation" | "data">,
  student: { readonly task: Task; readonly head: HeadKind },
  open?: OpenedTarget,
): Promise<Teacher | null> {
  const { distillation } = settings;
  if (!distillation) return null;
  const { files } = environment;
  const opened = open ?? (await openTarget(environment, await targetOf(environment, distillation), {}));
  const issues = misfits(opened, student, `--teacher ${distillation.teacher}`);
  if (issues.length > 0)
    throw new ConfigError(issues, { hint: "A teacher is a run of the same task on data with the same labels." });
  const print =
    opened.trained.size === 0 ? opened.base.fingerprint : await fingerprint(files, memoryWeights(opened.trained));
  return { name: distillation.teacher, opened, fingerprint: print, weight: distillation.weight };
}

async function targetOf({ files }: Environment, { teacher }: DistillationSettings): Promise<RunTarget> {
  for (const file of ["run.json", COMPRESSION_FILE])
    if ((await files.stat(joinPath(teacher, file))) !== null) return { kind: "run", folder: teacher };
  return { kind: "model", model: teacher, adapter: null };
}

function misfits(
  { task: taught, head: has, labels }: OpenedTarget,
  { task, head }: { readonly task: Task; readonly head: HeadKind },
  path: string,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (taught !== null && taught !== task.name)
    issues.push({ path, expected: `a run of --task ${task.name}`, got: `one of ${taught}` });
  if (has.kind !== head.kind) issues.push({ path, expected: HEAD_NAMES[head.kind], got: HEAD_NAMES[has.kind] });
  else if (!isSameLabels(labels, task.labels)) {
    const expected = `the labels of the data in their order, ${JSON.stringify(task.labels)}`;
    issues.push({ path, expected, got: JSON.stringify(labels) });
  }
  return issues;
}

/** A model's own names may be written otherwise, or be none: `LABEL_0`. A regression's only logit needs no name. */
function isSameLabels(got: readonly string[], wanted: readonly string[]): boolean {
  if (wanted.length === 0) return got.length <= 1;
  const fits = (label: string, i: number) => [wanted[i]!.toLowerCase(), `label_${i}`].includes(label.toLowerCase());
  return got.length === wanted.length && got.every(fits);
}

/** What of a run its teacher is asked about. */
export interface LessonOptions {
  readonly task: Task;
  readonly dataset: Dataset;
  readonly trainExamples: EncodedExamples;
  readonly batches: PlannedBatches;
  readonly settings: Pick<Settings, "data" | "optim">;
  readonly backend: Backend;
  /** Steps that will be taken, from the first on. */
  readonly steps: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks the teacher for its logits of every example that the run will meet, once, and frees its program: batches then have
 * `teacherLogits` `[B, C]`. Null when `signal` was aborted meanwhile. Errors as `Backend.compile`.
 */
export async function* learnedFrom(
  teacher: Teacher | null,
  options: LessonOptions,
): AsyncGenerator<TeacherEvent, Lesson | null> {
  const { task, trainExamples, batches, steps, settings } = options;
  // a teacher of weight 0 says nothing
  if (teacher === null || teacher.weight === 0) return { batches, chanceLoss: chanceLoss(trainExamples, task) };
  const met = metExamples(batches, steps * settings.optim.accumulate);
  const logits = yield* teacherLogits(teacher, met, options);
  if (logits === null) return null;
  const width = numLogits(teacher.opened.head);
  const rowOf = new Map(met.map((index, row) => [index, row]));
  const taught = (batch: ModelBatch): ModelBatch => {
    const rows = Array.from(batch.indices, (index) => rowOf.get(index)!);
    const values = float32(
      [rows.length, width],
      rows.flatMap((row) => [...logits.subarray(row * width, (row + 1) * width)]),
    );
    return { ...batch, inputs: { ...batch.inputs, teacherLogits: values } };
  };
  return {
    batches: {
      batchesPerEpoch: batches.batchesPerEpoch,
      epoch(number) {
        const epoch = batches.epoch(number);
        return { batch: (index) => taught(epoch.batch(index)), describe: (index) => epoch.describe(index) };
      },
    },
    chanceLoss: taughtChance(
      Float64Array.from(met, (index) => trainExamples.labels[index]!),
      logits,
      task,
      teacher.weight,
    ),
  };
}

/** The examples of the first `microBatches` batches, ascending: an epoch meets all of them. */
function metExamples(batches: PlannedBatches, microBatches: number): number[] {
  const first = batches.epoch(0);
  const count = Math.min(microBatches, batches.batchesPerEpoch);
  const indices = Array.from({ length: count }, (_, batch) => Array.from(first.indices(batch))).flat();
  return indices.sort((a, b) => a - b);
}

/** `[met examples, C]`, as the teacher's own tokenizer and length have them; null when stopped. */
async function* teacherLogits(
  { name, opened }: Teacher,
  met: readonly number[],
  { task, dataset, settings, backend, signal }: LessonOptions,
): AsyncGenerator<TeacherEvent, Float32Array | null> {
  const { base, method, head, alsoTrains, trained } = opened;
  const maxLength = maxLengthOf(opened, opened.settings ? {} : { "max-length": settings.data.maxLength });
  const split = onlyExamples(splitOf(dataset, task.trainSplit), new Set(met));
  const examples = await encodeSplit(split, base, { maxLength }, task);
  const padding = opened.settings?.data.padding ?? settings.data.padding;
  const scorer = await openScorer({
    model: base.model,
    method,
    head,
    alsoTrains,
    weights: base.weights,
    backend,
    density: false,
  });
  const width = numLogits(head);
  const logits = new Float32Array(examples.count * width);
  const event = (done: number): TeacherEvent => ({
    type: "teacher",
    time: Date.now(),
    teacher: name,
    done,
    examples: examples.count,
  });
  let done = 0;
  try {
    yield event(0);
    for (const batch of scoringBatches(examples, task, padding, SCORING_BATCH)) {
      if (signal?.aborted) return null;
      const rows = (await scorer.run(trained, batch)).logits!.data as Float32Array;
      for (let row = 0; row < batch.indices.length; row++)
        logits.set(rows.subarray(row * width, (row + 1) * width), batch.indices[row]! * width);
      done += batch.indices.length;
      yield event(done);
    }
    return logits;
  } finally {
    await scorer.dispose();
  }
}

function onlyExamples(split: Split, chosen: ReadonlySet<number>): Split {
  async function* examples(): AsyncGenerator<Example> {
    let index = 0;
    for await (const example of split.examples()) if (chosen.has(index++)) yield example;
  }
  return { ...split, examples };
}

/**
 * Loss of the best constant answer to labels and teacher together. Of classes `H(m) − w · mean H(p)`, m the mean of `(1 − w) · onehot + w · p`
 * over the examples, p the teacher's shares; of scores the mean squares about their weighted mean.
 */
export function taughtChance(
  labels: Float64Array,
  logits: Float32Array,
  { kind, labels: { length: width } }: Pick<Task, "kind" | "labels">,
  weight: number,
): number {
  const count = labels.length;
  if (kind === "regression") {
    const both = (of: (score: number) => number) =>
      labels.reduce((sum, label, i) => sum + (1 - weight) * of(label) + weight * of(logits[i]!), 0) / count;
    return both((score) => score * score) - both((score) => score) ** 2;
  }
  const mean = new Float64Array(width);
  let teacherEntropy = 0;
  labels.forEach((label, i) => {
    const shares = sharesOf(logits.subarray(i * width, (i + 1) * width));
    teacherEntropy += entropy(shares) / count;
    for (let c = 0; c < width; c++) mean[c]! += ((1 - weight) * Number(label === c) + weight * shares[c]!) / count;
  });
  return entropy(mean) - weight * teacherEntropy;
}

function sharesOf(logits: Float32Array): Float64Array {
  const largest = Math.max(...logits);
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function entropy(shares: Float64Array): number {
  return -shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0);
}
