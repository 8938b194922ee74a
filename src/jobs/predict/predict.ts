// Predictions of a run or a model, by a program that stays open.
import type { Example } from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import { checkSparseDecoding } from "../../evaluate/index.ts";
import {
  explainNotFinite,
  type OpenedTarget,
  openTarget,
  type RunOverrides,
  type RunTarget,
} from "../../load/index.ts";
import type { Environment, Watched } from "../../runs/index.ts";
import { type AnyTask, taskRecord } from "../../tasks/index.ts";
import { openGroupPredictor } from "./group-predictor.ts";
import type { PredictInput, Prediction } from "./prediction.ts";

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
  return openPredictorOn(environment, await openTarget(environment, target, overrides));
}

/** As `openPredictor`, for a target that is open. */
export async function openPredictorOn(environment: Environment, opened: OpenedTarget): Promise<Predictor> {
  checkSparseDecoding(opened);
  const record = taskRecord(opened.kind);
  const group = await openGroupPredictor(environment, opened);
  return {
    async *predict(inputs, watched = {}) {
      let line = 0;
      for await (const some of groups(inputs, opened.options.batchSize)) {
        const examples = some.map((input) => exampleOf(input, ++line, record));
        const predictions = group.predict(examples).catch(async (error: unknown) => {
          throw await explainNotFinite(opened.base, error);
        });
        yield* await predictions;
      }
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
function exampleOf(input: PredictInput, line: number, { asksQuestions, takesWords }: AnyTask): Example {
  if ("tokens" in input) {
    if (takesWords) return { text: input.tokens.join(" "), words: input.tokens, label: null, line };
    const hint = "A list of tokens is for models that label words.";
    throw new DataError("input", { line, expected: "a text", got: "tokens", hint });
  }
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
