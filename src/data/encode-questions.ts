// Questions as token ids: windows of their contexts, each with the place of the answer, or with the answer as a target.
import { type EncodedExamples, examplePacker } from "./encode.ts";
import { type EncodedTargets, targetPacker } from "./encode-targets.ts";
import type { Example } from "./examples.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";
import { answerPositions, type Window, type WindowOptions, windower } from "./windows.ts";

/** Windows in the order of the questions; an example of the other fields is a window here. */
export interface EncodedWindows extends EncodedExamples {
  readonly questions: readonly Example[];
  /** The question of each window, by index in `questions`. */
  readonly owners: Int32Array;
}

/** Characters of the context behind the tokens of a window. */
export interface WindowOffsets {
  /** Position of the first context token in the window. */
  readonly contextAt: number;
  /** UTF-16 units where each context token starts and ends, from there on. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Windows with the positions of the first answer's first and last token; both 0, the first token's, where it is not inside. */
export interface EncodedSpans extends EncodedWindows {
  readonly startPositions: Int32Array;
  readonly endPositions: Int32Array;
  offsets(window: number): WindowOffsets;
}

/** Windows with the first answer as a target. */
export interface EncodedAnswers extends EncodedWindows, EncodedTargets {}

/** Whether examples point into their context. */
export function isSpans(examples: EncodedExamples): examples is EncodedSpans {
  return "startPositions" in examples;
}

/** Whether examples are windows of questions. */
export function isWindows(examples: EncodedExamples): examples is EncodedWindows {
  return "owners" in examples;
}

/** Encodes questions for a model that points into the context. @throws {ConfigError} when a question leaves no room. */
export async function encodeSpans(
  examples: AsyncIterable<Example> | Iterable<Example>,
  tokenizer: Tokenizer,
  options: WindowOptions,
): Promise<EncodedSpans> {
  const windowsOf = windower(tokenizer, "pair", options);
  const packer = examplePacker(tokenizer, options.maxLength);
  const questions: Example[] = [];
  const kept: { readonly window: Omit<Window, "ids" | "typeIds">; readonly owner: number }[] = [];
  const positions: (readonly [number, number])[] = [];
  for await (const example of examples) {
    const answer = example.question?.answers[0];
    for (const { ids, typeIds, ...window } of windowsOf(example)) {
      // run_qa.py points at [CLS], the first token, where there is no answer
      const none = Math.max(0, ids.indexOf(tokenizer.special.cls ?? ids[0]!));
      positions.push((answer && answerPositions(window, answer)) ?? [none, none]);
      packer.add({ ids, typeIds, truncated: false }, example.line, null);
      kept.push({ window, owner: questions.length });
    }
    questions.push(example);
  }
  return {
    ...packer.packed(),
    questions,
    owners: Int32Array.from(kept, ({ owner }) => owner),
    startPositions: Int32Array.from(positions, ([start]) => start),
    endPositions: Int32Array.from(positions, ([, end]) => end),
    offsets(index) {
      const { contextAt, from, to, spans } = kept[index]!.window;
      return { contextAt, starts: spans.starts.slice(from, to), ends: spans.ends.slice(from, to) };
    },
  };
}

export interface AnswerOptions extends WindowOptions {
  /** Largest number of tokens of a target, the end token included. */
  readonly maxTargetLength: number;
  /** Some questions have no answer: a window without one asks for the empty text. Else it asks for nothing. */
  readonly unanswerable?: boolean;
  /** Leave out the windows that ask for nothing; the answer then stands at the first where none has it. */
  readonly targetsOnly?: boolean;
}

/**
 * Encodes questions for a model that writes: "question: … context: …" to the first answer, as run_seq2seq_qa.py.
 *
 * Every window has the question before it.
 * @throws {ConfigError} when a question leaves no room.
 */
export async function encodeAnswers(
  examples: AsyncIterable<Example> | Iterable<Example>,
  tokenizer: Tokenizer,
  { maxTargetLength, unanswerable = false, targetsOnly = false, ...options }: AnswerOptions,
): Promise<EncodedAnswers> {
  const windowsOf = windower(tokenizer, "text-to-text", options);
  const packer = examplePacker(tokenizer, options.maxLength);
  const targets = targetPacker(tokenizer, maxTargetLength);
  const questions: Example[] = [];
  const owners: number[] = [];
  for await (const example of examples) {
    const answer = example.question?.answers[0];
    const windows = windowsOf(example);
    const isHeld = windows.map((window) => answer !== undefined && answerPositions(window, answer) !== null);
    // an answer that the windows cut in two is asked for once
    if (answer !== undefined && !isHeld.includes(true)) isHeld[0] = true;
    windows.forEach(({ ids, typeIds }, i) => {
      const target = isHeld[i] ? answer!.text : unanswerable ? "" : null;
      if (target === null && targetsOnly) return;
      packer.add({ ids, typeIds, truncated: false }, example.line, null);
      targets.add(target);
      owners.push(questions.length);
    });
    questions.push(example);
  }
  return { ...packer.packed(), ...targets.packed(), questions, owners: Int32Array.from(owners) };
}
