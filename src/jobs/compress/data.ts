// What compression is measured on: calibration texts, a half of dev to search on and the other half to state the result on.
import { type EncodedExamples, isTargets, splitOf, type Task } from "../../data/index.ts";
import { ConfigError, FileError } from "../../errors.ts";
import { encodeSplit, openData } from "../../evaluate/index.ts";
import type { GenerationOptions } from "../../infer/index.ts";
import type { MergedModel, RunOverrides } from "../../load/index.ts";
import { hasClasses, maxLengthOf, targetData, tasksOfHead } from "../../load/index.ts";
import type { Environment } from "../../runs/index.ts";
import { answersFor, DEFAULTS, generationOptions, spanOptions, type TaskName } from "../../settings/index.ts";
import { type HeadKind, headRecord, type SpanOptions, taskNamed, taskOfHead } from "../../tasks/index.ts";
import { exampleCount, examplesFrom, halves, joined, sampleCount, targetTokens } from "./examples.ts";

/** Examples for each purpose; none is in two of `search` and `stated`. */
export interface CompressData {
  readonly task: Task;
  readonly head: HeadKind;
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
  overrides: RunOverrides,
  calibrationExamples: number | null,
): Promise<CompressData> {
  const { settings, labels, base } = opened;
  const { task, data: path, ...columns } = targetData(opened, overrides);
  checkTask(task, opened);
  const { answers, data: textData } = answersFor(task, settings, overrides);
  const mostCalibration = calibrationExamples ?? CALIBRATION_SAMPLE.most;
  const searchExamples = SEARCH_EXAMPLES[base.model.architecture];
  const data = {
    ...textData,
    path,
    textColumn: columns.textColumn ?? null,
    pairColumn: columns.pairColumn ?? null,
    labelColumn: columns.labelColumn ?? null,
    maxLength: maxLengthOf(opened, overrides),
    padding: overrides.padding ?? settings?.data.padding ?? DEFAULTS.padding,
    limitTrain: mostCalibration + searchExamples,
    limitEval: overrides["limit-eval"] ?? settings?.data.limitEval ?? null,
  };
  const names = hasClasses(opened) ? { labels } : {};
  const open = (splits?: readonly string[]) =>
    openData(files, { task, data }, { ...names, ...(splits === undefined ? {} : { splits }) });
  const whole = await open().catch((error: unknown) => {
    // without training data, statistics come from the half that the search sees anyway
    if (error instanceof FileError) return null;
    throw error;
  });
  const evalName = overrides.split ?? whole?.task.evalSplits[0] ?? "dev";
  const dataset = whole ?? (await open([evalName]));
  const encode = (name: string) => encodeSplit(splitOf(dataset, name), base, data, dataset.task);
  const evaluation = await encode(evalName);
  if (exampleCount(evaluation) < 2)
    throw new ConfigError([
      {
        path: "--data",
        expected: `at least two examples in ${evalName}, to choose on one and state the other`,
        got: String(exampleCount(evaluation)),
      },
    ]);
  const [half, stated] = halves(evaluation);
  const trainName = dataset.task.trainSplit;
  const train = whole?.splits.has(trainName) ? await encode(trainName) : null;
  const known = train ?? half;
  const calibration = examplesFrom(known, 0, calibrationExamples ?? usualCalibration(known));
  const more = train === null ? null : examplesFrom(train, mostCalibration, exampleCount(train));
  const searchTrain = more === null ? 0 : exampleCount(more);
  if (calibration.count === 0 || calibration.totalTokens === 0)
    throw new ConfigError([{ path: "--data", expected: "examples to take statistics from", got: "none" }]);
  if (isTargets(calibration) && targetTokens(calibration) === 0)
    throw new ConfigError([
      { path: "--data", expected: "texts to write, to take the decoder's statistics from", got: "none" },
    ]);
  return {
    task: dataset.task,
    head: opened.head,
    split: evalName,
    calibration,
    calibrationSplit: train === null ? evalName : trainName,
    search: searchTrain === 0 ? half : joined(half, more!),
    searchTrain,
    heldOut: stated,
    pointing: spanOptions(answers, dataset.task.unanswerable ?? false),
    generation: generationOptions(answers, data.maxTargetLength, overrides.seed ?? settings?.seed ?? DEFAULTS.seed),
  };
}

/** Examples to take statistics from, unless told otherwise: the products of every two neurons are counted for each token. */
const CALIBRATION_SAMPLE = { least: 64, most: 512, tokens: 32_768 } as const;

/** Of models that write all: what is written is much less than what is read. */
function usualCalibration(examples: EncodedExamples): number {
  return isTargets(examples) ? CALIBRATION_SAMPLE.most : sampleCount(examples, CALIBRATION_SAMPLE);
}

/** Training examples that a search looks at besides its half of the evaluation split; fewer where each is to be written. */
const SEARCH_EXAMPLES = { encoder: 1024, "encoder-decoder": 256 } as const;

/** @throws {ConfigError} when the model's head cannot do the task. */
function checkTask(task: TaskName, { head }: MergedModel["opened"]): void {
  const names = tasksOfHead(head);
  if (names.includes(task)) return;
  const few = names.length <= 2 ? names.join(" or ") : `a task for ${headRecord(head).name}`;
  const expected = taskOfHead(head).hasClasses && !taskNamed(task).hasClasses ? "a task of labels" : few;
  throw new ConfigError([{ path: "--task", expected, got: task }]);
}
