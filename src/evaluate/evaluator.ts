// An open scorer for one task: what a model says becomes the task's metrics.
import type { EncodedExamples, Task, Tokenizer } from "../data/index.ts";
import { type Generator, openScorer, type Scorer, type Scores, type SparseMlpPlan } from "../infer/index.ts";
import { type GenerationConfig, writingOptions } from "../load/index.ts";
import type { Backend } from "../runtime/index.ts";
import {
  type AnswerSettings,
  generationOptions,
  type Settings,
  type SettingsKey,
  spanOptions,
} from "../settings/index.ts";
import {
  type Evaluation,
  type HeadKind,
  type Outcome,
  readingTask,
  type TaskScore,
  type TrainingBundle,
  writingTask,
} from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { logitRows } from "./encoder-logits.ts";
import { openTextGenerator } from "./sparse-decoding.ts";
import { scoringBatches } from "./task-batches.ts";
import { writtenTexts } from "./written-answers.ts";

export interface EvaluatorOptions {
  readonly bundle: TrainingBundle;
  readonly tokenizer: Tokenizer;
  /** What the model's folder says about writing. */
  readonly generation: GenerationConfig | null;
  readonly task: Task;
  readonly backend: Backend;
  readonly padding: Settings["data"]["padding"];
  readonly batchSize: number;
  readonly answers: AnswerSettings;
  readonly maxTargetLength: number;
  readonly seed: number;
  /** As `ScorerOptions.packed`. */
  readonly packed?: boolean;
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
  dispose(): Promise<void>;
}

/** What one pass over the examples gave: loss and density, and what the answers are worth. */
interface Measured {
  readonly scores: Scores;
  readonly said: TaskScore;
  readonly density: Evaluation["density"];
}

type Measure = (trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples) => Promise<Measured>;

/** Compiles the scoring program of a model, and where it writes those that do. Errors as `Backend.compile`. */
export async function openEvaluator(options: EvaluatorOptions): Promise<Evaluator> {
  const { bundle, task, backend } = options;
  const { model, head } = bundle;
  const scorer = await openScorer({
    ...bundle,
    backend,
    density: true,
    ...(options.packed === undefined ? {} : { packed: options.packed }),
  });
  const generator = model.writes
    ? await openTextGenerator(
        { ...bundle, model, backend, density: true },
        { decoding: options.decoding ?? null, isSparse: options.sparseDecoding ?? false },
      )
    : null;
  const measure: Measure =
    generator === null ? readingMeasure(options, head, scorer) : writingMeasure(options, head, scorer, generator);
  return {
    scorer,
    async evaluate(trained, split, examples, onOutcomes) {
      const started = performance.now();
      const { scores, said, density } = await measure(trained, examples);
      const totalMs = performance.now() - started;
      onOutcomes?.(said.outcomes());
      const { metrics, count } = said;
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

function readingMeasure(
  { task, padding, batchSize, answers, signal }: EvaluatorOptions,
  head: HeadKind,
  scorer: Scorer,
): Measure {
  const pointing = spanOptions(answers, task.unanswerable ?? false);
  return async (trained, examples) => {
    const rows = logitRows(head, examples);
    const batches = scoringBatches(examples, head, padding, batchSize, signal);
    const scores = await scorer.score(trained, batches, examples.count, (outputs, { indices }) =>
      rows.add(outputs, indices),
    );
    const said = readingTask(task.kind).score(rows.logits, examples, { task, pointing });
    return { scores, said, density: scores.density! };
  };
}

function writingMeasure(
  { bundle, tokenizer, task, padding, batchSize, answers, maxTargetLength, seed, signal, ...options }: EvaluatorOptions,
  head: HeadKind,
  scorer: Scorer,
  generator: Generator,
): Measure {
  const { asked = null } = options;
  const generation = writingOptions(options.generation, bundle.model.config.vocabSize, {
    own: generationOptions(answers, maxTargetLength, seed),
    asked: asked ?? new Set(),
    isRun: asked === null,
    seed,
  });
  const record = writingTask(task.kind);
  return async (trained, examples) => {
    const batches = () => scoringBatches(examples, head, padding, batchSize, signal);
    const scores = await scorer.score(trained, batches(), examples.count);
    generator.clearDensity();
    const writing = { generator, scorer, tokenizer, generation };
    const texts = await writtenTexts(writing, trained, batches(), examples.count, record.needsScore(examples));
    const written = generator.density();
    const density = written
      ? // a report always has an encoder: of writing alone it would be the mean of what wrote
        {
          ...scores.density!,
          ...(written.generation ? { generation: written.generation } : {}),
          layers: [...scores.density!.layers, ...written.layers],
        }
      : scores.density!;
    return { scores, said: record.score(texts, examples, task), density };
  };
}
