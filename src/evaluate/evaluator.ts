// An open scorer for one task: what a model says becomes the task's metrics.
import { type EncodedExamples, isSpans, isWindows, metricClasses, type Task } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import {
  certaintyOf,
  type Generator,
  openScorer,
  predictionsOf,
  type Scorer,
  type Scores,
  type SparseMlpPlan,
} from "../infer/index.ts";
import { type BaseModel, headOf, writingOptions } from "../load/index.ts";
import type { Method } from "../peft/index.ts";
import type { Backend } from "../runtime/index.ts";
import {
  type AnswerSettings,
  generationOptions,
  type Settings,
  type SettingsKey,
  spanOptions,
} from "../settings/index.ts";
import { type Evaluation, glueMetrics, isGlueMetric, type Outcome } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { extractiveAnswers } from "./span-answers.ts";
import { openTextGenerator } from "./sparse-decoding.ts";
import { scoringBatches } from "./task-batches.ts";
import { needsScore, writtenTexts } from "./written-answers.ts";
import { answerScores, writtenScores } from "./written-scores.ts";

export interface EvaluatorOptions {
  readonly base: BaseModel;
  readonly method: Method;
  readonly alsoTrains: ReadonlySet<string>;
  readonly task: Task;
  readonly backend: Backend;
  readonly padding: Settings["data"]["padding"];
  readonly batchSize: number;
  readonly answers: AnswerSettings;
  readonly maxTargetLength: number;
  readonly seed: number;
  /** Stops an evaluation before its next batch: it then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** What was asked for of a model without a run, whose folder says the rest; null: the settings say it all. */
  readonly asked?: ReadonlySet<SettingsKey> | null;
  /** Write by the rows of active neurons, where that pays. */
  readonly sparseDecoding?: boolean;
  /** Which MLPs of the decoder are read by rows, whatever `sparseDecoding` says. */
  readonly decoding?: SparseMlpPlan | null;
}

export interface Evaluator {
  readonly scorer: Scorer;
  /** `onOutcomes` is told what was answered, example by example. */
  evaluate(
    trained: ReadonlyMap<string, Tensor>,
    split: string,
    examples: EncodedExamples,
    onOutcomes?: (outcomes: readonly Outcome[]) => void,
  ): Promise<Evaluation>;
  score(trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples): Promise<Scores>;
  dispose(): Promise<void>;
}

/** What one pass over the examples gave: scores of the loss and density, and metrics. */
interface Measured {
  readonly scores: Scores;
  readonly metrics: Readonly<Record<string, number>>;
  readonly density: Evaluation["density"];
  readonly outcomes: () => Outcome[];
  /** Examples of the split: questions, not windows. */
  readonly examples: number;
}

type Measure = (trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples) => Promise<Measured>;

/** Compiles the scoring program of a base model with a method, and where it writes those that do. Errors as `Backend.compile`. */
export async function openEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { base, method, alsoTrains, task, backend, padding, batchSize, signal } = options;
  const { model, weights } = base;
  const head = headOf(task, base);
  const scorer = await openScorer({ model, method, head, alsoTrains, weights, backend, density: true });
  const generator =
    model.architecture === "encoder"
      ? null
      : await openTextGenerator(
          { model, method, alsoTrains, weights, backend, density: true },
          { decoding: options.decoding ?? null, isSparse: options.sparseDecoding ?? false },
        );
  const score = (trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples) =>
    scorer.score(trained, scoringBatches(examples, task, padding, batchSize, signal), examples.count);
  const measure: Measure =
    head.kind === "span"
      ? spanMeasure(options, scorer)
      : generator === null
        ? classMeasure(task, score)
        : textMeasure(options, scorer, generator, score);
  return {
    scorer,
    score,
    async evaluate(trained, split, examples, onOutcomes) {
      const started = performance.now();
      const { scores, metrics, density, outcomes, examples: count } = await measure(trained, examples);
      const totalMs = performance.now() - started;
      onOutcomes?.(outcomes());
      return {
        task: task.name,
        split,
        examples: count,
        loss: scores.loss,
        metrics,
        density,
        timing: { examplesPerSecond: (count / totalMs) * 1000, totalMs },
      };
    },
    async dispose() {
      await scorer.dispose();
      await generator?.dispose();
    },
  };
}

function classMeasure(task: Task, score: Evaluator["score"]): Measure {
  return async (trained, examples) => {
    const scores = await score(trained, examples);
    const names = task.metrics.filter(isGlueMetric);
    const predictions = predictionsOf(scores.logits, scores.numLogits);
    const metrics = glueMetrics(names, metricClasses(task, predictions), metricClasses(task, examples.labels));
    const outcomes = () => labelOutcomes(task, examples, predictions, scores);
    return { scores, metrics, density: scores.density!, examples: examples.count, outcomes };
  };
}

function labelOutcomes(
  { kind, labels }: Task,
  examples: EncodedExamples,
  predictions: ArrayLike<number>,
  { logits, numLogits }: Scores,
): Outcome[] {
  const named = (value: number) => (kind === "regression" ? value : labels[value]!);
  const certainty = (i: number, prediction: number, target: number | null) =>
    kind === "regression"
      ? // oxlint-disable-next-line unicorn/no-useless-spread
        { ...(target === null ? {} : { loss: (prediction - target) ** 2 }) }
      : certaintyOf(logits.subarray(i * numLogits, (i + 1) * numLogits), prediction, target);
  return Array.from(predictions, (prediction, i) => {
    const target = examples.labels[i]!;
    const known = !Number.isNaN(target);
    return {
      line: examples.lines[i]!,
      prediction: named(prediction),
      target: known ? named(target) : null,
      score: known && kind !== "regression" ? Number(prediction === target) : null,
      ...certainty(i, prediction, known ? target : null),
    };
  });
}

function spanMeasure({ task, padding, batchSize, answers, signal }: EvaluatorOptions, scorer: Scorer): Measure {
  const { unanswerable = false } = task;
  return async (trained, examples) => {
    if (!isSpans(examples)) throw new InternalError("answers pointed at in examples without positions");
    const batches = scoringBatches(examples, task, padding, batchSize, signal);
    const choices = spanOptions(answers, unanswerable);
    const { predictions, scores } = await extractiveAnswers(scorer, trained, examples, batches, choices);
    const { metrics, outcomes } = answerScores(task, examples, predictions);
    return { scores, metrics, density: scores.density!, examples: predictions.length, outcomes };
  };
}

function textMeasure(
  { base, task, padding, batchSize, answers, maxTargetLength, seed, signal, asked = null }: EvaluatorOptions,
  scorer: Scorer,
  generator: Generator,
  score: Evaluator["score"],
): Measure {
  const generation = writingOptions(base.generation, base.model.config.vocabSize, {
    own: generationOptions(answers, maxTargetLength, seed),
    asked: asked ?? new Set(),
    isRun: asked === null,
    seed,
  });
  return async (trained, examples) => {
    const scores = await score(trained, examples);
    generator.clearDensity();
    const writing = { generator, scorer, tokenizer: base.tokenizer, generation };
    const batches = scoringBatches(examples, task, padding, batchSize, signal);
    const scored = isWindows(examples) ? needsScore(examples) : () => false;
    const texts = await writtenTexts(writing, trained, batches, examples.count, scored);
    const { metrics, scores: ofEach, outcomes } = writtenScores(task, examples, texts);
    const written = generator.density();
    const density = written
      ? // a report always has an encoder: of writing alone it would be the mean of what wrote
        {
          ...scores.density!,
          ...(written.generation ? { generation: written.generation } : {}),
          layers: [...scores.density!.layers, ...written.layers],
        }
      : scores.density!;
    return { scores, metrics, density, examples: ofEach.length, outcomes };
  };
}
