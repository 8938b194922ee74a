// What compression is measured on: calibration texts, a half of dev to search on and the other half to state the result on.
import { type EncodedExamples, isTargets, splitOf, type Task } from "../../data/index.ts";
import { ConfigError, FileError } from "../../errors.ts";
import { encodeSplit, judgedAsRun, openData } from "../../evaluate/index.ts";
import type { GenerationOptions } from "../../infer/index.ts";
import { classesOf, type MergedModel, maxLengthOf, targetData, tasksOfHead, writingOptions } from "../../load/index.ts";
import type { Environment } from "../../runs/index.ts";
import { generationOptions, spanOptions, type TaskName } from "../../settings/index.ts";
import { type HeadKind, headRecord, type SpanOptions, taskNamed, taskOfHead } from "../../tasks/index.ts";
import {
  drawn,
  exampleCount,
  halves,
  joined,
  notDrawn,
  type SampleSize,
  sampleCount,
  targetTokens,
} from "./examples.ts";

/** Examples for each purpose; none is in two of `search` and `stated`. */
export interface CompressData {
  readonly task: Task;
  readonly head: HeadKind;
  /** The evaluation split's name. */
  readonly split: string;
  /** What a person should know of how the data were read. */
  readonly notes: readonly string[];
  readonly calibration: EncodedExamples;
  /** `train`, or the evaluation split where there is no training data. */
  readonly calibrationSplit: string;
  /** Half of the evaluation split, and training examples besides, for choosing. */
  readonly search: EncodedExamples;
  /** How many of them are training examples. */
  readonly searchTrain: number;
  /** The other half, for the figures that are stated. */
  readonly heldOut: EncodedExamples;
  /** How texts are written, for models that write. */
  readonly generation: GenerationOptions;
  /** How an answer is chosen, for models that point at it. */
  readonly pointing: SpanOptions;
}

/**
 * Opens a target's data for compression. Statistics are taken from `calibrationExamples`; null: from as many as usual.
 * @throws {ConfigError} when task or data are not known, or nothing is left to measure on.
 */
export async function openCompressData(
  { files }: Environment,
  { opened }: MergedModel,
  calibrationExamples: number | null,
  sample: SampleSize = CALIBRATION_SAMPLE,
): Promise<CompressData> {
  const { base, options, settings } = opened;
  const { task, data: path, labels } = targetData(opened);
  checkTask(task, opened);
  const mostCalibration = calibrationExamples ?? sample.most;
  const data = {
    ...options.data,
    path,
    ...(labels === undefined ? {} : { labels }),
    maxLength: maxLengthOf(opened),
    limitTrain: mostCalibration + (base.model.writes ? SEARCH_EXAMPLES.written : SEARCH_EXAMPLES.read),
  };
  const classes = classesOf(opened);
  const open = async (splits?: readonly string[]) =>
    judgedAsRun(
      await openData(files, { task, data }, { classes, ...(splits === undefined ? {} : { splits }) }),
      settings,
    );
  const whole = await open().catch((error: unknown) => {
    // without training data, statistics come from the half that the search sees anyway
    if (error instanceof FileError) return null;
    throw error;
  });
  const asked = options.split ?? whole?.task.evalSplits[0] ?? "dev";
  const dataset = whole ?? (await open([asked]));
  const { name: split } = splitOf(dataset, asked);
  const encode = (name: string) => encodeSplit(splitOf(dataset, name), base, data, dataset.task);
  const trainName = dataset.task.trainSplit;
  const train = whole?.splits.has(trainName) ? await encode(trainName) : null;
  return {
    task: dataset.task,
    head: opened.head,
    split,
    notes: dataset.notes,
    calibrationSplit: train === null ? split : trainName,
    ...shared(await encode(split), train, { split, mostCalibration, calibrationExamples, sample }),
    pointing: spanOptions(options.answers, dataset.task.unanswerable ?? false),
    generation: writingOptions(base.generation, base.model.config.vocabSize, {
      own: generationOptions(options.answers, data.maxTargetLength, options.seed),
      asked: options.asked,
      isRun: settings !== null,
      seed: options.seed,
    }),
  };
}

/** The examples of each purpose. @throws {ConfigError} when there are none for one. */
function shared(
  evaluation: EncodedExamples,
  train: EncodedExamples | null,
  options: {
    readonly split: string;
    readonly mostCalibration: number;
    readonly calibrationExamples: number | null;
    readonly sample: SampleSize;
  },
): Pick<CompressData, "calibration" | "search" | "searchTrain" | "heldOut"> {
  if (exampleCount(evaluation) < 2) {
    const expected = `at least two examples in ${options.split}, to choose on one and state the other`;
    throw new ConfigError([{ path: "--data", expected, got: String(exampleCount(evaluation)) }]);
  }
  const [half, heldOut] = halves(evaluation);
  const known = train ?? half;
  const calibration = drawn(known, options.calibrationExamples ?? usualCalibration(known, options.sample));
  const more = train === null ? null : notDrawn(train, options.mostCalibration);
  const searchTrain = more === null ? 0 : exampleCount(more);
  if (calibration.count === 0 || calibration.totalTokens === 0)
    throw new ConfigError([{ path: "--data", expected: "examples to take statistics from", got: "none" }]);
  if (isTargets(calibration) && targetTokens(calibration) === 0)
    throw new ConfigError([
      { path: "--data", expected: "texts to write, to take the decoder's statistics from", got: "none" },
    ]);
  return { calibration, search: searchTrain === 0 ? half : joined(half, more!), searchTrain, heldOut };
}

/** Examples to take statistics from, unless told otherwise: the products of every two neurons are counted for each token. */
const CALIBRATION_SAMPLE: SampleSize = { least: 64, most: 512, tokens: 32_768 };
/** Where output matrices are fitted to other activations, which has as many unknowns as neurons. */
export const FIT_SAMPLE: SampleSize = { least: 64, most: 2048, tokens: 32_768 };

/** Of models that write all: what is written is much less than what is read. */
function usualCalibration(examples: EncodedExamples, sample: SampleSize): number {
  return isTargets(examples) ? sample.most : sampleCount(examples, sample);
}

/** Training examples that a search looks at besides its half of the evaluation split; fewer where each is to be written. */
const SEARCH_EXAMPLES = { read: 1024, written: 256 } as const;

/** @throws {ConfigError} when the model's head cannot do the task. */
function checkTask(task: TaskName, { head }: MergedModel["opened"]): void {
  const names = tasksOfHead(head);
  if (names.includes(task)) return;
  const ofLabels = taskNamed(task).hasClasses ? `a task for ${headRecord(head).name}` : "a task of labels";
  const many = taskOfHead(head).hasClasses ? ofLabels : "a task of scores";
  throw new ConfigError([{ path: "--task", expected: names.length <= 2 ? names.join(" or ") : many, got: task }]);
}
