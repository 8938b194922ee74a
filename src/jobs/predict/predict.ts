// Predictions of a run or a model, by a program that stays open.
import { type EncodedExamples, type Example, encodeExamples } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { batchOf, checkSparseDecoding } from "../../evaluate/index.ts";
import type { Scorer } from "../../infer/index.ts";
import {
  lengthLimit,
  type OpenedTarget,
  openTarget,
  openTargetScorer,
  type RunOverrides,
  type RunTarget,
  scoringLengthOf,
} from "../../load/index.ts";
import { cutTexts, type Environment, type Watched } from "../../runs/index.ts";
import { openAnswering } from "./predict-answers.ts";
import type { GroupPredictor, PredictInput, Prediction } from "./prediction.ts";

/** An open program that answers for texts. Dispose it to free its session. */
export interface Predictor {
  /** Predictions in the order of the inputs, a batch at a time. @throws {DataError} for an input of the wrong kind. */
  predict(inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>, watched?: Watched): AsyncGenerator<Prediction>;
  dispose(): Promise<void>;
}

/** Compiles the forward pass of a target with its head. Errors as `openTarget` and `Backend.compile`. */
export async function openPredictor(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
): Promise<Predictor> {
  const opened = await openTarget(environment, target, overrides);
  checkSparseDecoding(opened);
  const { kind } = opened.head;
  const answers = kind === "span" || kind === "language-model";
  const group = answers ? await openAnswering(environment, opened) : await openLabelling(environment, opened);
  return {
    async *predict(inputs, watched = {}) {
      let line = 0;
      for await (const some of groups(inputs, opened.options.batchSize))
        yield* await group.predict(some.map((input) => exampleOf(input, ++line, group.asksQuestions)));
      group.cut?.say(watched);
    },
    dispose: () => group.dispose(),
  };
}

/** Predictions in the order of the inputs; the program is closed after the last. */
export async function* predictRun(
  environment: Environment,
  target: RunTarget,
  inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>,
  overrides: RunOverrides = {},
  watched: Watched = {},
): AsyncGenerator<Prediction> {
  const predictor = await openPredictor(environment, target, overrides);
  try {
    yield* predictor.predict(inputs, watched);
  } finally {
    await predictor.dispose();
  }
}

/** A question stands as a text, its context as the pair. */
function exampleOf(input: PredictInput, line: number, asksQuestions: boolean): Example {
  const { text, pair } = "text" in input ? input : { text: input.question, pair: input.context };
  if (asksQuestions && pair === undefined) {
    throw new DataError("input", {
      line,
      expected: "a question and its context",
      got: "a text alone",
      hint: "Give --question and --context, or JSON lines with the keys question and context.",
    });
  }
  const id = { question: { id: String(line), answers: [] } };
  return { text, ...(pair === undefined ? {} : { pair }), label: null, line, ...(asksQuestions ? id : {}) };
}

async function openLabelling(environment: Environment, opened: OpenedTarget): Promise<GroupPredictor> {
  const scorer = await openTargetScorer(environment, opened, { density: false });
  const maxLength = scoringLengthOf(opened);
  const cut = cutTexts(maxLength, lengthLimit(opened));
  return {
    asksQuestions: false,
    cut,
    async predict(group) {
      const examples = await encodeExamples(group, opened.base.tokenizer, { maxLength });
      cut.add(examples);
      const rows = await logitRows(opened, scorer, examples);
      return rows.map((logits) => labelOf(logits, opened));
    },
    dispose: () => scorer.dispose(),
  };
}

async function logitRows(opened: OpenedTarget, scorer: Scorer, examples: EncodedExamples): Promise<number[][]> {
  const indices = Array.from({ length: examples.count }, (_, i) => i);
  const kind = opened.isRegression ? "regression" : "classification";
  const outputs = await scorer.run(opened.trained, batchOf(examples, indices, { kind }, "longest", false));
  const logits = outputs.logits!.data as Float32Array;
  const width = logits.length / examples.count;
  return indices.map((row) => Array.from(logits.subarray(row * width, (row + 1) * width)));
}

function labelOf(logits: readonly number[], { isRegression, labels }: OpenedTarget): Prediction {
  if (isRegression) return { value: logits[0]!, logits };
  const largest = Math.max(...logits);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  const best = logits.indexOf(largest);
  return { label: labels[best]!, score: 1 / total, logits };
}

async function* groups<T>(items: AsyncIterable<T> | Iterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
