// What a data set is: a task and its splits, and what is asked of the one who opens it.
import type { Example } from "./examples.ts";
import { canonicalSplit, unknownSplit } from "./tables/sources.ts";
import type { Task } from "./task.ts";

/** A model's classes, in the order of its logits. */
export interface ModelClasses {
  readonly names: readonly string[];
  /** Whose they are, for messages: the run or model as the person named it. */
  readonly of: string;
  /** The model is to be trained: where names do not match, the data's own classes hold. */
  readonly isTrained?: boolean;
}

export interface DatasetOptions {
  /** A GLUE task, `text-classification`, `text-pair`, `text-regression`, `text-pair-regression`, `squad` or `seq2seq`. */
  readonly task: string;
  /** A folder (GLUE's own, or one with train, dev and test files) or one file. */
  readonly data: string;
  readonly textColumn?: string | undefined;
  readonly pairColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  /** The columns of `seq2seq`. */
  readonly sourceColumn?: string | undefined;
  readonly targetColumn?: string | undefined;
  /** Label names by index. Default: GLUE's, those that the file gives, or those of the training data, sorted. */
  readonly labels?: readonly string[] | undefined;
  /** The classes of the model that the data are for: labels are matched with them by name, and take their order. */
  readonly classes?: ModelClasses | undefined;
  /** The label is a number to predict. */
  readonly regression?: boolean | undefined;
  /** Splits to open. Default: training and evaluation. */
  readonly splits?: readonly string[] | undefined;
  /** Use only the first examples of the training split, or of each other split. */
  readonly limitTrain?: number | undefined;
  readonly limitEval?: number | undefined;
  /** Share of a single file's examples that becomes `dev`; null: the whole file is the one split asked for. */
  readonly heldOutShare?: number | null | undefined;
  /** Fixes which examples are held out; not the training seed, so that runs of several seeds compare. */
  readonly heldOutSeed?: number | undefined;
  /** False for data to predict on. */
  readonly labelsRequired?: boolean | undefined;
}

export interface Split {
  readonly name: string;
  readonly file: string;
  readonly count: number;
  /** Examples of each class; empty for a regression. */
  readonly labelCounts: readonly number[];
  /** The examples from the start, as often as wanted. */
  examples(): AsyncIterable<Example>;
}

export interface Dataset {
  readonly name: string;
  readonly task: Task;
  readonly splits: ReadonlyMap<string, Split>;
  /** `sha256:…` over the content of the files used. */
  readonly fingerprint: string;
  /** What a person should know: examples held out, rows left out, empty texts. */
  readonly notes: readonly string[];
}

/**
 * A split by name, `dev_matched` or `dev-matched`, or by the hub's: `validation`.
 * @throws {ConfigError} naming the splits there are.
 */
export function splitOf(dataset: Dataset, name: string): Split {
  const names = [...dataset.splits.keys()];
  const split = dataset.splits.get(canonicalSplit(name, names));
  if (split === undefined) throw unknownSplit(name, names);
  return split;
}
