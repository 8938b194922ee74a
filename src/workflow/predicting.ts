// Predictions of a run or a model, by a program that stays open.
import { encodeExamples, evaluationPlan, makeBatch } from "../data/index.ts";
import type { Scorer } from "../infer/index.ts";
import { zeros } from "../tensor/index.ts";
import type { PredictInput, Prediction, RunOverrides, RunTarget } from "./api.ts";
import { usableLength } from "./base-model.ts";
import type { Environment } from "./environment.ts";
import { maxLengthOf, type OpenedTarget, openTarget, openTargetScorer, SCORING_BATCH } from "./opened-target.ts";
import { modelBatch } from "./task-data.ts";

/** An open program that labels texts. Dispose it to free its session. */
export interface Predictor {
  /** Predictions in the order of the inputs, a batch at a time. */
  predict(inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>): AsyncGenerator<Prediction>;
  dispose(): Promise<void>;
}

/** Compiles the forward pass of a target with its head. Errors as `openTarget` and `Backend.compile`. */
export async function openPredictor(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides = {},
): Promise<Predictor> {
  const opened = await openTarget(environment, target, overrides);
  const scorer = await openTargetScorer(environment, opened, overrides, { density: false });
  const maxLength = maxLengthOf(opened, overrides);
  return {
    async *predict(inputs) {
      for await (const group of groups(inputs, overrides["batch-size"] ?? SCORING_BATCH))
        yield* predictGroup(opened, scorer, group, maxLength);
    },
    dispose: () => scorer.dispose(),
  };
}

/** Predictions in the order of the inputs; the program is closed after the last. */
export async function* predictRun(
  environment: Environment,
  target: RunTarget,
  inputs: AsyncIterable<PredictInput> | Iterable<PredictInput>,
  overrides: RunOverrides = {},
): AsyncGenerator<Prediction> {
  const predictor = await openPredictor(environment, target, overrides);
  try {
    yield* predictor.predict(inputs);
  } finally {
    await predictor.dispose();
  }
}

async function* predictGroup(
  opened: OpenedTarget,
  scorer: Scorer,
  group: readonly PredictInput[],
  maxLength: number,
): AsyncGenerator<Prediction> {
  const examples = await encodeExamples(
    group.map(({ text, pair }, i) => ({ text, ...(pair === undefined ? {} : { pair }), label: null, line: i + 1 })),
    opened.base.tokenizer,
    { maxLength: usableLength(opened.base, maxLength) },
  );
  const plan = evaluationPlan(examples.lengths, group.length);
  const batch = makeBatch(examples, plan.indices(0), { kind: "classification", padding: "longest" });
  const labels = zeros(opened.isRegression ? "float32" : "int64", [group.length]);
  const outputs = await scorer.run(opened.trained, modelBatch(batch, labels));
  const logits = outputs.logits!.data as Float32Array;
  const width = logits.length / group.length;
  const rows = new Map(
    batch.indices.map((index, row) => [index, Array.from(logits.subarray(row * width, (row + 1) * width))]),
  );
  for (let i = 0; i < group.length; i++) yield predictionOf(rows.get(i)!, opened);
}

function predictionOf(logits: readonly number[], { isRegression, labels }: OpenedTarget): Prediction {
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
