// What compression is measured on: calibration texts, a half of dev to search on and the other half to state the result on.
import { type EncodedExamples, encodeExamples, splitOf, type Task } from "../data/index.ts";
import { ConfigError, FileError } from "../errors.ts";
import { DEFAULTS } from "../settings/index.ts";
import { randomStream } from "../tensor/index.ts";
import type { Environment, RunOverrides } from "../workflow/index.ts";
import { maxLengthOf, openData, usableLength } from "../workflow/index.ts";
import type { FrozenModel } from "./frozen-model.ts";

/** Examples for each purpose; none is in two of `search` and `stated`. */
export interface CompressData {
  readonly task: Task;
  /** The evaluation split's name. */
  readonly split: string;
  readonly calibration: EncodedExamples;
  /** `train`, or the evaluation split where there is no training data. */
  readonly calibrationSplit: string;
  /** Half of the evaluation split, and training examples besides, for choosing. */
  readonly search: EncodedExamples;
  /** How many of them are training examples. */
  readonly searchTrain: number;
  /** The other half, for the figures that are stated. */
  readonly stated: EncodedExamples;
}

/**
 * Opens a target's data for compression.
 * @throws {ConfigError} when task or data are not known, or nothing is left to measure on.
 */
export async function openCompressData(
  { files }: Environment,
  { opened }: FrozenModel,
  overrides: RunOverrides,
  calibrationExamples: number,
): Promise<CompressData> {
  const { settings, labels, isRegression, base } = opened;
  const task = overrides.task ?? settings?.task;
  const path = overrides.data ?? settings?.data.path;
  const issues = [
    ...(task === undefined
      ? [{ path: "--task", expected: "the task, for a model without a run", got: "nothing" }]
      : []),
    ...(path === undefined ? [{ path: "--data", expected: "a folder or file", got: "nothing" }] : []),
  ];
  if (task === "squad" || task === "seq2seq") issues.push({ path: "--task", expected: "a task of labels", got: task });
  if (issues.length > 0) throw new ConfigError(issues);
  const data = {
    path: path!,
    textColumn: overrides["text-column"] ?? settings?.data.textColumn ?? null,
    pairColumn: overrides["pair-column"] ?? settings?.data.pairColumn ?? null,
    labelColumn: overrides["label-column"] ?? settings?.data.labelColumn ?? null,
    maxLength: maxLengthOf(opened, overrides),
    padding: overrides.padding ?? settings?.data.padding ?? DEFAULTS.padding,
    limitTrain: calibrationExamples + SEARCH_EXAMPLES,
    limitEval: overrides["limit-eval"] ?? settings?.data.limitEval ?? null,
  };
  const names = isRegression || labels.length === 0 ? {} : { labels };
  const open = (splits?: readonly string[]) =>
    openData(files, { task: task!, data }, { ...names, ...(splits === undefined ? {} : { splits }) });
  const whole = await open().catch((error: unknown) => {
    // without training data, statistics come from the half that the search sees anyway
    if (error instanceof FileError) return null;
    throw error;
  });
  const evalName = overrides.split ?? whole?.task.evalSplits[0] ?? "dev";
  const dataset = whole ?? (await open([evalName]));
  const options = { maxLength: usableLength(base, data.maxLength) };
  const encode = (name: string) => encodeExamples(splitOf(dataset, name).examples(), base.tokenizer, options);
  const evaluation = await encode(evalName);
  if (evaluation.count < 2)
    throw new ConfigError([
      {
        path: "--data",
        expected: `at least two examples in ${evalName}, to choose on one and state the other`,
        got: String(evaluation.count),
      },
    ]);
  const [half, stated] = halves(evaluation);
  const trainName = dataset.task.trainSplit;
  const train = whole?.splits.has(trainName) ? await encode(trainName) : null;
  const calibration = train === null ? half : subset(train, upTo(0, Math.min(calibrationExamples, train.count)));
  const more =
    train === null || train.count <= calibrationExamples ? null : subset(train, upTo(calibrationExamples, train.count));
  if (calibration.count === 0 || calibration.totalTokens === 0)
    throw new ConfigError([{ path: "--data", expected: "examples to take statistics from", got: "none" }]);
  return {
    task: dataset.task,
    split: evalName,
    calibration,
    calibrationSplit: train === null ? evalName : trainName,
    search: more === null ? half : joined(half, more),
    searchTrain: more?.count ?? 0,
    stated,
  };
}

/** Training examples that a search looks at besides its half of the evaluation split. */
const SEARCH_EXAMPLES = 1024;

export const upTo = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** The examples of both, one after the other. */
function joined(a: EncodedExamples, b: EncodedExamples): EncodedExamples {
  const at = <T>(index: number, of: (examples: EncodedExamples, own: number) => T): T =>
    index < a.count ? of(a, index) : of(b, index - a.count);
  return {
    ...a,
    count: a.count + b.count,
    lengths: Int32Array.of(...a.lengths, ...b.lengths),
    lines: Int32Array.of(...a.lines, ...b.lines),
    labels: Float64Array.of(...a.labels, ...b.labels),
    totalTokens: a.totalTokens + b.totalTokens,
    truncatedCount: a.truncatedCount + b.truncatedCount,
    tokens: (index) => at(index, (of, own) => of.tokens(own)),
    segmentStart: (index) => at(index, (of, own) => of.segmentStart(own)),
  };
}

/** Two halves by a fixed shuffle: the same for every run, model and machine. */
export function halves(examples: EncodedExamples): readonly [EncodedExamples, EncodedExamples] {
  const order = randomStream(0, "halves").shuffle(Array.from({ length: examples.count }, (_, i) => i));
  const middle = Math.ceil(order.length / 2);
  const part = (indices: number[]) =>
    subset(
      examples,
      indices.sort((a, b) => a - b),
    );
  return [part(order.slice(0, middle)), part(order.slice(middle))];
}

/** The examples at `indices`, in this order. */
export function subset(examples: EncodedExamples, indices: readonly number[]): EncodedExamples {
  const pick = <A extends Int32Array | Float64Array>(array: A, make: (length: number) => A): A => {
    const out = make(indices.length);
    indices.forEach((index, i) => {
      out[i] = array[index]!;
    });
    return out;
  };
  const lengths = pick(examples.lengths, (n) => new Int32Array(n));
  return {
    ...examples,
    count: indices.length,
    lengths,
    lines: pick(examples.lines, (n) => new Int32Array(n)),
    labels: pick(examples.labels, (n) => new Float64Array(n)),
    totalTokens: lengths.reduce((sum, length) => sum + length, 0),
    tokens: (index) => examples.tokens(indices[index]!),
    segmentStart: (index) => examples.segmentStart(indices[index]!),
  };
}
