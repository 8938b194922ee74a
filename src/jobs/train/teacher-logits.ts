// Teacher logits of the training set, computed once and attached to each batch.
import {
  type Dataset,
  type EncodedExamples,
  type EncodedSpans,
  type Example,
  isSpans,
  type Split,
  splitOf,
  type Task,
} from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { batchOf, encodeSplit, type PlannedBatches, scoringBatches, windowsIn } from "../../evaluate/index.ts";
import { openScorer } from "../../infer/index.ts";
import { type BaseModel, checkPositions, type OpenedTarget } from "../../load/index.ts";
import { maxSequenceLength } from "../../models/index.ts";
import { numVirtualTokens } from "../../peft/index.ts";
import type { Backend, Outputs } from "../../runtime/index.ts";
import { SCORING_BATCH, type Settings } from "../../settings/index.ts";
import { type ModelBatch, numLogits } from "../../tasks/index.ts";
import { float32, type Tensor } from "../../tensor/index.ts";
import type { TeacherEvent } from "../../train/index.ts";

/** A teacher that fits the task. */
export interface Teacher {
  /** As the settings name it. */
  readonly name: string;
  readonly opened: OpenedTarget;
  /** SHA-256 over its trained tensors, or over a bare model's weights. */
  readonly fingerprint: string;
  readonly weight: number;
  /** For each class of the task the teacher's logit; null where they are in one order, or are no classes. */
  readonly classes: readonly number[] | null;
}

/** What of a run its teacher is asked about. */
export interface TeacherOptions {
  readonly base: BaseModel;
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

/** A teacher's answers to the examples that were met. */
export interface TeacherLogits {
  /** Of a batch's examples: `[B, C]`, or of places `[B, S, 2]`. */
  of(batch: ModelBatch): Tensor;
  /** Loss of the best constant answer to labels and teacher together. */
  readonly chanceLoss: number;
}

/** Asks about the examples `met`, ascending; null when stopped. */
export function runTeacher(
  teacher: Teacher,
  met: readonly number[],
  options: TeacherOptions,
): AsyncGenerator<TeacherEvent, TeacherLogits | null> {
  const { trainExamples } = options;
  return isSpans(trainExamples)
    ? teacherSpanLogits(teacher, met, trainExamples, options)
    : teacherLabelLogits(teacher, met, options);
}

/** By the teacher's own tokenizer and length. */
async function* teacherLabelLogits(
  teacher: Teacher,
  met: readonly number[],
  options: TeacherOptions,
): AsyncGenerator<TeacherEvent, TeacherLogits | null> {
  const { task, dataset, trainExamples } = options;
  const { opened, weight, classes } = teacher;
  const { maxLength, padding } = readingOf(teacher, options);
  const split = onlyExamples(splitOf(dataset, task.trainSplit), new Set(met));
  checkPositions(opened.base, opened.method.settings, maxLength);
  const examples = await encodeSplit(split, opened.base, { maxLength }, task);
  const width = numLogits(opened.head);
  const logits = new Float32Array(examples.count * width);
  const batches = scoringBatches(examples, task, padding, SCORING_BATCH);
  const isDone = yield* scoreWithTeacher(teacher, batches, examples.count, options, (outputs, { indices }) => {
    const rows = outputs.logits!.data as Float32Array;
    for (let row = 0; row < indices.length; row++)
      for (let c = 0; c < width; c++) logits[indices[row]! * width + c] = rows[row * width + (classes?.[c] ?? c)]!;
  });
  if (!isDone) return null;
  const rowOf = new Map(met.map((index, row) => [index, row]));
  const labels = Float64Array.from(met, (index) => trainExamples.labels[index]!);
  return {
    of({ indices }) {
      const rows = Array.from(indices, (index) => rowOf.get(index)!);
      return float32(
        [rows.length, width],
        rows.flatMap((row) => [...logits.subarray(row * width, (row + 1) * width)]),
      );
    },
    chanceLoss: taughtChance(labels, logits, task, weight),
  };
}

/** So little that a softmax makes 0 of it. */
const NOWHERE = -1e9;

/** Of the run's own windows: a place is a token of theirs. */
async function* teacherSpanLogits(
  teacher: Teacher,
  met: readonly number[],
  spans: EncodedSpans,
  options: TeacherOptions,
): AsyncGenerator<TeacherEvent, TeacherLogits | null> {
  checkReading(teacher, spans, options);
  const { task } = options;
  const starts = new Map<number, Float32Array>();
  const ends = new Map<number, Float32Array>();
  const isDone = yield* scoreWithTeacher(
    teacher,
    windowBatches(spans, met, task, readingOf(teacher, options).padding),
    met.length,
    options,
    ({ startLogits, endLogits }, { indices }) => {
      for (const { index, start, end } of windowsIn(startLogits!, endLogits!, indices, spans)) {
        starts.set(index, start.slice());
        ends.set(index, end.slice());
      }
    },
  );
  if (!isDone) return null;
  const surprise = (index: number) => (entropyOf(starts.get(index)!) + entropyOf(ends.get(index)!)) / 2;
  const chance = met.map((index) => Math.log(spans.lengths[index]!) - teacher.weight * surprise(index));
  return {
    of({ indices, inputs }) {
      const width = inputs.tokenIds!.shape[1]!;
      const values = new Float32Array(indices.length * width * 2).fill(NOWHERE);
      for (let row = 0; row < indices.length; row++) {
        for (const [which, all] of [starts, ends].entries())
          all.get(indices[row]!)!.forEach((logit, t) => {
            values[(row * width + t) * 2 + which] = logit;
          });
      }
      return { dtype: "float32", shape: [indices.length, width, 2], data: values };
    },
    chanceLoss: chance.reduce((sum, value) => sum + value, 0) / met.length,
  };
}

/** The windows `met`, those of one length together. */
function* windowBatches(spans: EncodedSpans, met: readonly number[], task: Task, padding: "longest" | "max") {
  const order = met.toSorted((a, b) => spans.lengths[b]! - spans.lengths[a]! || a - b);
  for (let at = 0; at < order.length; at += SCORING_BATCH)
    yield batchOf(spans, order.slice(at, at + SCORING_BATCH), task, padding, false);
}

/** Texts that are read twice to see whether two tokenizers are one. */
const READ_TWICE = 32;

/** @throws {ConfigError} when the teacher reads other tokens, or cannot read as many. */
function checkReading(
  { name, opened }: Teacher,
  { questions, lengths }: EncodedSpans,
  { base: { tokenizer } }: TeacherOptions,
): void {
  const path = `--teacher ${name}`;
  const read = (by: typeof tokenizer, { text, pair }: Example) => by.encode(text, pair, { maxLength: null }).ids.join();
  const isOther = questions
    .slice(0, READ_TWICE)
    .some((one) => read(tokenizer, one) !== read(opened.base.tokenizer, one));
  if (isOther) {
    const expected = "a model with the same tokenizer, whose tokens it points at";
    throw new ConfigError([{ path, expected, got: "one that reads the questions as other tokens" }]);
  }
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const positions = maxSequenceLength(opened.base.model.config) - numVirtualTokens(opened.method.settings);
  if (longest <= positions) return;
  throw new ConfigError(
    [{ path, expected: `a model that reads ${longest} tokens`, got: `one that reads ${positions}` }],
    {
      hint: `Train with --max-length ${positions}.`,
    },
  );
}

/** Lengths and padding that a teacher reads with: those it was trained with, or where it is no run those of the student. */
const readingOf = ({ opened }: Teacher, { settings }: TeacherOptions) =>
  opened.settings === null ? settings.data : opened.options.data;

/** Runs the teacher over batches; whether it came to their end. */
async function* scoreWithTeacher(
  { name, opened }: Teacher,
  batches: Iterable<ModelBatch>,
  examples: number,
  { backend, signal }: TeacherOptions,
  each: (outputs: Outputs, batch: ModelBatch) => void,
): AsyncGenerator<TeacherEvent, boolean> {
  const { base, method, head, alsoTrains, trained } = opened;
  const { model, weights } = base;
  const scorer = await openScorer({ model, method, head, alsoTrains, weights, backend, density: false });
  const event = (done: number): TeacherEvent => ({ type: "teacher", time: Date.now(), teacher: name, done, examples });
  let done = 0;
  try {
    yield event(0);
    for (const batch of batches) {
      if (signal?.aborted) return false;
      each(await scorer.run(trained, batch), batch);
      done += batch.indices.length;
      yield event(done);
    }
    return true;
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
  const largest = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function entropy(shares: Float64Array): number {
  return -shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0);
}

const entropyOf = (logits: Float32Array) => entropy(sharesOf(logits));
