// An open scorer for one task: what a model says becomes the task's metrics.
import { type EncodedExamples, isSpans, isWindows, type Task, type Tokenizer } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import {
  type Generator,
  openScorer,
  predictionsOf,
  type Scorer,
  type Scores,
  type SparseMlpPlan,
} from "../infer/index.ts";
import type { Backend } from "../runtime/index.ts";
import { type AnswerSettings, generationOptions, type Settings, spanOptions } from "../settings/index.ts";
import { type Evaluation, glueMetrics, isGlueMetric, type Outcome, type TrainingBundle } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { extractiveAnswers } from "./span-answers.ts";
import { openTextGenerator } from "./sparse-decoding.ts";
import { scoringBatches } from "./task-batches.ts";
import { needsScore, writtenTexts } from "./written-answers.ts";
import { answerScores, writtenScores } from "./written-scores.ts";

export interface EvaluatorOptions {
  readonly bundle: TrainingBundle;
  readonly tokenizer: Tokenizer;
  readonly task: Task;
  readonly backend: Backend;
  readonly padding: Settings["data"]["padding"];
  readonly batchSize: number;
  readonly answers: AnswerSettings;
  readonly maxTargetLength: number;
  readonly seed: number;
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

/** Compiles the scoring program of a model, and where it writes those that do. Errors as `Backend.compile`. */
export async function openEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { bundle, task, backend, padding, batchSize } = options;
  const { model, head } = bundle;
  const scorer = await openScorer({ ...bundle, backend, density: true });
  const generator =
    model.architecture === "encoder"
      ? null
      : await openTextGenerator(
          { ...bundle, model, backend, density: true },
          { decoding: options.decoding ?? null, isSparse: options.sparseDecoding ?? false },
        );
  const score = (trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples) =>
    scorer.score(trained, scoringBatches(examples, task, padding, batchSize), examples.count);
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
    const metrics = glueMetrics(names, predictions, examples.labels);
    const outcomes = () => labelOutcomes(task, examples, predictions);
    return { scores, metrics, density: scores.density!, examples: examples.count, outcomes };
  };
}

function labelOutcomes({ kind, labels }: Task, examples: EncodedExamples, predictions: ArrayLike<number>): Outcome[] {
  const named = (value: number) => (kind === "regression" ? value : labels[value]!);
  return Array.from(predictions, (prediction, i) => {
    const target = examples.labels[i]!;
    const known = !Number.isNaN(target);
    return {
      line: examples.lines[i]!,
      prediction: named(prediction),
      target: known ? named(target) : null,
      score: known && kind !== "regression" ? Number(prediction === target) : null,
    };
  });
}

function spanMeasure({ task, padding, batchSize, answers }: EvaluatorOptions, scorer: Scorer): Measure {
  const { unanswerable = false } = task;
  return async (trained, examples) => {
    if (!isSpans(examples)) throw new InternalError("answers pointed at in examples without positions");
    const batches = scoringBatches(examples, task, padding, batchSize);
    const choices = spanOptions(answers, unanswerable);
    const { predictions, scores } = await extractiveAnswers(scorer, trained, examples, batches, choices);
    const { metrics, outcomes } = answerScores(task, examples, predictions);
    return { scores, metrics, density: scores.density!, examples: predictions.length, outcomes };
  };
}

function textMeasure(
  { tokenizer, task, padding, batchSize, answers, maxTargetLength, seed }: EvaluatorOptions,
  scorer: Scorer,
  generator: Generator,
  score: Evaluator["score"],
): Measure {
  const generation = generationOptions(answers, maxTargetLength, seed);
  return async (trained, examples) => {
    const scores = await score(trained, examples);
    generator.clearDensity();
    const writing = { generator, scorer, tokenizer, generation };
    const batches = scoringBatches(examples, task, padding, batchSize);
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
