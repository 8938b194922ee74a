// What a task is to the rest of the system: how examples are encoded, which head answers, how answers are scored and shown.
import type { EncodedExamples, Example, Task, Tokenizer } from "../data/index.ts";
import type { Outcome } from "./evaluation.ts";
import type { ExampleLogits } from "./example-logits.ts";
import type { ReadingHead, WritingHead } from "./head.ts";
import type { SpanOptions } from "./span.ts";

/** How long texts are, and what is put before them. */
export interface EncodingOptions {
  /** Tokens of a text or window at most, special ones included. */
  readonly maxLength: number;
  /** Tokens of a target at most, the end token included. */
  readonly maxTargetLength: number;
  /** Tokens that neighbouring windows of a context share. */
  readonly stride: number;
  /** Put before each text that is read. */
  readonly prefix: string;
  /** Some questions have no answer. */
  readonly unanswerable: boolean;
  /** The model writes. */
  readonly writes: boolean;
  /** Examples that ask for nothing are left out. */
  readonly forTraining: boolean;
}

/** What a model's answers to some examples are worth. */
export interface TaskScore {
  /** The task's metrics over all examples. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The main one. */
  readonly score: number;
  /** Examples that count: questions, not their windows. */
  readonly count: number;
  /** The main metric over these examples, of which one may be named more than once. */
  readonly scoreOn: (indices: readonly number[]) => number;
  /** What was answered, example by example. */
  readonly outcomes: () => Outcome[];
}

/** A text that was written, with the probability that the model gives it. */
export interface WrittenText {
  readonly text: string;
  /** Geometric mean of its tokens' probabilities, in (0, 1]; null where it was not asked for. */
  readonly score: number | null;
}

/** What answers are chosen by. */
export interface AnswerChoices {
  /** Names of the classes, in the order of logits. */
  readonly labels: readonly string[];
  /** Of spans; empty: as usual. */
  readonly pointing: SpanOptions;
  readonly tokenizer: Tokenizer;
}

/** A task on a model that only reads. */
export interface ReadingTask<Prediction> {
  readonly head: ReadingHead;
  readonly score: (
    logits: ExampleLogits,
    examples: EncodedExamples,
    options: { readonly task: Task; readonly pointing: SpanOptions },
  ) => TaskScore;
  /** A prediction for each example (each question, not its windows), in their order. */
  readonly answers: (logits: ExampleLogits, examples: EncodedExamples, choices: AnswerChoices) => Prediction[];
}

/** A task on a model that writes. */
export interface WritingTask<Prediction> {
  readonly head: WritingHead;
  /** Which rows' texts need a probability, because several compete. */
  needsScore(examples: EncodedExamples): (row: number) => boolean;
  /** Scores one text for each row. */
  readonly score: (texts: readonly WrittenText[], examples: EncodedExamples, task: Task) => TaskScore;
  readonly answers: (texts: readonly WrittenText[], examples: EncodedExamples) => Prediction[];
}

/** A task, and what it predicts: a JSON line of `deft predict`. */
export interface TaskRecord<Prediction> {
  readonly kind: string;
  /** What `--task` calls it over data of one's own; GLUE's tasks have names besides. */
  readonly names: readonly string[];
  /** Null: a model that only reads cannot do it. */
  readonly reading: ReadingTask<Prediction> | null;
  /** Null: a model that writes cannot do it. */
  readonly writing: WritingTask<Prediction> | null;
  /** Its examples are questions about a context. */
  readonly asksQuestions: boolean;
  /** Its examples may be given in words. */
  readonly takesWords: boolean;
  /** Its labels are classes with names. */
  readonly hasClasses: boolean;
  /** Flags of `deft predict` with an input of this task. */
  readonly exampleInput: readonly string[];
  /** A split as token ids, with what its head and scores need. @throws {ConfigError} when a question leaves no room. */
  readonly encode: (
    examples: AsyncIterable<Example> | Iterable<Example>,
    tokenizer: Tokenizer,
    options: EncodingOptions,
  ) => Promise<EncodedExamples>;
}
