// Teacher logits of the training set, computed once and attached to each batch.
import {
  type Dataset,
  type EncodedExamples,
  type Example,
  type Split,
  splitOf,
  type Task,
  type Tokenizer,
} from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { batchOf, encodeSplit, logitRows, type PlannedBatches, scoringBatches } from "../../evaluate/index.ts";
import { openScorer } from "../../infer/index.ts";
import { type BaseModel, checkPositions, type OpenedTarget } from "../../load/index.ts";
import { maxSequenceLength } from "../../models/index.ts";
import { numVirtualTokens } from "../../peft/index.ts";
import type { Backend, Outputs } from "../../runtime/index.ts";
import { SCORING_BATCH, type Settings } from "../../settings/index.ts";
import { type HeadKind, type ModelBatch, readingHead, taskRecord } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
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
  readonly head: HeadKind;
  readonly dataset: Dataset;
  readonly trainExamples: EncodedExamples;
  readonly batches: PlannedBatches;
  /** Weights of the classes in the labels' part of the loss. */
  readonly classWeights: readonly number[] | null;
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
export async function* runTeacher(
  teacher: Teacher,
  met: readonly number[],
  options: TeacherOptions,
): AsyncGenerator<TeacherEvent, TeacherLogits | null> {
  const { task, trainExamples, classWeights } = options;
  const { opened, weight } = teacher;
  const rules = readingHead(opened.head).teacher;
  const asked = rules.perToken ? await ownExamples(teacher, met, options) : await readByTeacher(teacher, met, options);
  const rows = logitRows(opened.head, asked.examples);
  const isDone = yield* scoreWithTeacher(teacher, asked.batches, met.length, options, (outputs, { indices }) =>
    rows.add(outputs, indices),
  );
  if (!isDone) return null;
  const rowOf = new Map(
    met.map((index, row) => [index, inOrder(rows.logits.of(asked.place(index, row)), teacher.classes)]),
  );
  return {
    of: ({ indices, inputs }) =>
      rules.tensor(
        Array.from(indices, (index) => rowOf.get(index)!),
        inputs.tokenIds!.shape[1]!,
        opened.head,
      ),
    chanceLoss: rules.chanceLoss(
      trainExamples,
      met,
      met.map((index) => rowOf.get(index)!),
      { task, weight, classWeights },
    ),
  };
}

/** Logits of one example, C or C for each token, in the order of the task's classes. */
function inOrder(logits: Float32Array, classes: Teacher["classes"]): Float32Array {
  if (classes === null) return logits;
  const width = classes.length;
  return logits.map((_, i) => logits[i - (i % width) + classes[i % width]!]!);
}

/** Examples as the teacher reads them. */
interface Asked {
  readonly examples: EncodedExamples;
  readonly batches: Iterable<ModelBatch>;
  /** Where in `examples` the training example `index` stands, which is number `row` of those that were met. */
  place(index: number, row: number): number;
}

/** By the teacher's own tokenizer and length. */
async function readByTeacher(teacher: Teacher, met: readonly number[], options: TeacherOptions): Promise<Asked> {
  const { task, dataset } = options;
  const { opened } = teacher;
  const { maxLength, padding } = readingOf(teacher, options);
  const split = onlyExamples(splitOf(dataset, task.trainSplit), new Set(met));
  checkPositions(opened.base, opened.method.settings, maxLength);
  const examples = await encodeSplit(split, opened.base, { maxLength }, task);
  const batches = scoringBatches(examples, opened.head, padding, SCORING_BATCH);
  return { examples, batches, place: (_index, row) => row };
}

/** The run's own: a logit is a token's of theirs. */
async function ownExamples(teacher: Teacher, met: readonly number[], options: TeacherOptions): Promise<Asked> {
  const { trainExamples: examples } = options;
  await checkReading(teacher, options);
  const batches = batchesOf(examples, met, teacher.opened.head, readingOf(teacher, options).padding);
  return { examples, batches, place: (index) => index };
}

/** The examples `met`, those of one length together. */
function* batchesOf(
  examples: EncodedExamples,
  met: readonly number[],
  head: HeadKind,
  padding: "longest" | "max",
): Generator<ModelBatch> {
  const order = met.toSorted((a, b) => examples.lengths[b]! - examples.lengths[a]! || a - b);
  for (let at = 0; at < order.length; at += SCORING_BATCH)
    yield batchOf(examples, order.slice(at, at + SCORING_BATCH), head, padding, false);
}

/** Texts that are read twice to see whether two tokenizers are one. */
const READ_TWICE = 32;

/** @throws {ConfigError} when the teacher reads other tokens, or cannot read as many. */
async function checkReading({ name, opened }: Teacher, options: TeacherOptions): Promise<void> {
  const { base, trainExamples } = options;
  const path = `--teacher ${name}`;
  const [own, others] = [await readBy(base.tokenizer, options), await readBy(opened.base.tokenizer, options)];
  if (own !== others) {
    const expected = "a model with the same tokenizer, whose tokens it answers for";
    throw new ConfigError([{ path, expected, got: "one that reads the examples as other tokens" }]);
  }
  const longest = trainExamples.lengths.reduce((most, length) => Math.max(most, length), 0);
  const positions = maxSequenceLength(opened.base.model.config) - numVirtualTokens(opened.method.settings);
  if (longest <= positions) return;
  throw new ConfigError(
    [{ path, expected: `a model that reads ${longest} tokens`, got: `one that reads ${positions}` }],
    {
      hint: `Train with --max-length ${positions}.`,
    },
  );
}

/** The tokens of the first training examples, by a tokenizer. */
async function readBy(tokenizer: Tokenizer, { task, dataset, settings }: TeacherOptions): Promise<string> {
  const some: Example[] = [];
  for await (const example of splitOf(dataset, task.trainSplit).examples())
    if (some.push(example) === READ_TWICE) break;
  const { maxLength, docStride: stride, maxTargetLength, sourcePrefix: prefix } = settings.data;
  const lengths = { maxLength, stride, maxTargetLength, prefix };
  const encoded = await taskRecord(task.kind).encode(some, tokenizer, {
    ...lengths,
    unanswerable: false,
    writes: false,
    forTraining: true,
  });
  return Array.from({ length: encoded.count }, (_, index) => encoded.tokens(index).join()).join("\n");
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
  const scorer = await openScorer({ ...opened, backend, density: false });
  const event = (done: number): TeacherEvent => ({ type: "teacher", time: Date.now(), teacher: name, done, examples });
  let done = 0;
  try {
    yield event(0);
    for (const batch of batches) {
      if (signal?.aborted) return false;
      each(await scorer.run(opened.trained, batch), batch);
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
