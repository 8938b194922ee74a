// What a head is to the rest of the system: its graph, losses, label feeds, the layout of its logits and Hugging Face's names for it.
import type { EncodedExamples, Task } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import type { EncoderDecoderModel, EncoderInputs, EncoderModel } from "../models/index.ts";
import type { Scope } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { ModelBatch } from "./model-batch.ts";

/** Which head a model has: a name of the table of heads, and of how many classes. */
export interface HeadKind {
  readonly kind: string;
  /** Of the heads that have classes. */
  readonly numLabels?: number;
}

/** The classes of a head. @throws {InternalError} where they were not counted. */
export function classesOf({ kind, numLabels }: HeadKind): number {
  if (numLabels === undefined) throw new InternalError(`a ${kind} head without a number of classes`);
  return numLabels;
}

/** One part of the task loss: the sum of `values` over a step's examples, divided by what `count` counts in its batches. */
export interface LossTerm {
  /** Name of the scalar input that feeds one over the count. */
  readonly scale: string;
  /** `[B]` float32 */
  readonly values: Value;
  /** How many things of a batch the sum is over. */
  readonly count: (batch: ModelBatch) => number;
}

/** What is learned from a teacher's logits, beside the labels. */
export interface Distillation {
  /** Share of the loss that asks for the teacher's answers, in [0, 1]; the labels have the rest. */
  readonly weight: number;
}

/** How classes are weighed in a head's loss. */
export interface ClassWeighing {
  /** The weights that balance the examples; infinite or 0 for a class that none does. */
  readonly balanced: (examples: EncodedExamples, classes: number) => readonly number[];
  /** What the training examples must have for that, in words. */
  readonly needs: string;
}

/** What a loss is told besides logits and labels. */
export interface LossOptions {
  /** Weights of the classes, in the order of logits, in the labels' part of the loss; absent or null: all weigh alike. */
  readonly classWeights?: readonly number[] | null;
  /** The losses ask for a teacher's answers too, fed as `teacherLogits`; absent or null: for the labels alone. */
  readonly distillation?: Distillation | null;
}

/** Labels that a head is fed, by input name, and its loss. */
export interface TaskLoss {
  readonly labels: Readonly<Record<string, Value>>;
  readonly losses: readonly LossTerm[];
}

/** How a batch's labels are fed. */
export interface FeedOptions {
  /** S, the padded length of the batch's texts. */
  readonly length: number;
  /** Targets are padded to their largest length with `max`. */
  readonly padding: "longest" | "max";
  /** Refuse examples without labels; else zeros are fed for them, and not read. */
  readonly isRequired: boolean;
  readonly head: HeadKind;
}

/** A head's names in Hugging Face's libraries. */
export interface HeadNames {
  /** The class that transformers loads it by, behind the model type's own prefix: `ForSequenceClassification`. */
  readonly classSuffix: string;
  /** What such a class does, in words: "which classifies a text". */
  readonly classDoes: string;
  readonly autoModelClass: string;
  /** Of the pipelines of transformers and Transformers.js, and of a model card. */
  readonly pipelineTag: string;
  /** `task_type` of a peft adapter. */
  readonly peftTaskType: string;
  /** `problem_type` of config.json; null where the head has none. */
  readonly problemType: string | null;
}

interface CommonHead {
  readonly kind: string;
  /** "a classification head" */
  readonly name: string;
  /** What a model with it gives, in words: "3 classes". */
  readonly gives: (head: HeadKind) => string;
  readonly hf: HeadNames;
  /** First parts of its parameters' names. */
  readonly modules: readonly string[];
  /** Names of classes as config.json has them; null where the head has none. */
  readonly classNames: (labels: readonly string[]) => readonly string[] | null;
  /** Null: its loss knows no classes. */
  readonly weighing: ClassWeighing | null;
  /** Label inputs of a batch, by name. @throws {DataError} when a label is required and missing. */
  readonly feeds: (
    examples: EncodedExamples,
    indices: ArrayLike<number>,
    options: FeedOptions,
  ) => Readonly<Record<string, Tensor>>;
  /** Loss of the best constant answer. */
  readonly chanceLoss: (examples: EncodedExamples, task: Pick<Task, "labels">, options: LossOptions) => number;
}

/** A head on a model that only reads. */
export interface ReadingHead extends CommonHead {
  readonly writes: false;
  /** It reads the first position of the last block alone. */
  readonly readsFirstOnly: boolean;
  /** Logits of an example: C, or 0 where their number depends on the text. */
  readonly numLogits: (head: HeadKind) => number;
  /** The head's logits by our output names. `firstOnly`: where it reads no other position, the last block computes none. */
  readonly outputs: (
    model: EncoderModel,
    root: Scope,
    text: EncoderInputs,
    options: { readonly head: HeadKind; readonly firstOnly?: boolean },
  ) => Readonly<Record<string, Value>>;
  /** Our output names → those of an exported model. */
  readonly exportNames: Readonly<Record<string, string>>;
  /** Loss over `outputs`, with the labels that it is fed. */
  readonly losses: (outputs: Readonly<Record<string, Value>>, head: HeadKind, options: LossOptions) => TaskLoss;
  /** How many logits an example of `length` tokens has. */
  readonly logitsPerExample: (head: HeadKind, length: number) => number;
  /** One example's logits out of a batch's outputs (by our names), to be laid one behind the other: padding left out. Views. */
  readonly exampleLogits: (
    outputs: Readonly<Record<string, Tensor>>,
    row: number,
    length: number,
  ) => readonly Float32Array[];
  readonly teacher: TeacherRules;
}

/** What the loss of the best constant answer depends on where there is a teacher. */
export interface TaughtOptions extends Pick<LossOptions, "classWeights"> {
  readonly task: Pick<Task, "labels">;
  /** The teacher's share of the loss. */
  readonly weight: number;
}

/** How a teacher's logits become a batch's input. */
export interface TeacherRules {
  /** Logits belong to tokens, so that a teacher must read the very same tokens. */
  readonly perToken: boolean;
  /** A batch's `teacherLogits` from each of its examples' logits; S is the padded length. */
  readonly tensor: (rows: readonly Float32Array[], length: number, head: HeadKind) => Tensor;
  /** Loss of the best constant answer to labels and teacher together, over the examples at `indices`, whose logits are `rows`. */
  readonly chanceLoss: (
    examples: EncodedExamples,
    indices: readonly number[],
    rows: readonly Float32Array[],
    options: TaughtOptions,
  ) => number;
}

/** A head on a model that writes token by token. */
export interface WritingHead extends CommonHead {
  readonly writes: true;
  /** Logits of every label token, `[B, T, V]`. */
  readonly outputs: (
    model: EncoderDecoderModel,
    root: Scope,
    text: Pick<EncoderInputs, "tokenIds" | "attentionMask">,
    labels: Value,
  ) => Readonly<Record<string, Value>>;
  readonly losses: (outputs: Readonly<Record<string, Value>>, labels: Value) => readonly LossTerm[];
  /** Its logits are as wide as a vocabulary: not distilled. */
  readonly teacher: null;
}

export type HeadRecord = ReadingHead | WritingHead;
