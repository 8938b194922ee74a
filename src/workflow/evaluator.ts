// An open scorer for one task: logits become the task's metrics.
import type { EncodedExamples, Task } from "../data/index.ts";
import {
  type Evaluation,
  glueMetrics,
  isGlueMetric,
  openScorer,
  predictionsOf,
  type Scorer,
  type Scores,
} from "../infer/index.ts";
import type { Method } from "../peft/index.ts";
import type { Backend } from "../runtime/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { BaseModel } from "./base-model.ts";
import type { Settings } from "./settings.ts";
import { headOf, scoringBatches } from "./task-data.ts";

export interface EvaluatorOptions {
  readonly base: BaseModel;
  readonly method: Method;
  readonly alsoTrains: ReadonlySet<string>;
  readonly task: Task;
  readonly backend: Backend;
  readonly padding: Settings["data"]["padding"];
  readonly batchSize: number;
}

export interface Evaluator {
  readonly scorer: Scorer;
  evaluate(trained: ReadonlyMap<string, Tensor>, split: string, examples: EncodedExamples): Promise<Evaluation>;
  score(trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples): Promise<Scores>;
  dispose(): Promise<void>;
}

/** Compiles the scoring program of a base model with a method. Errors as `Backend.compile`. */
export async function openEvaluator({
  base,
  method,
  alsoTrains,
  task,
  backend,
  padding,
  batchSize,
}: EvaluatorOptions): Promise<Evaluator> {
  const scorer = await openScorer({
    model: base.model,
    method,
    head: headOf(task),
    alsoTrains,
    weights: base.weights,
    backend,
    density: true,
  });
  const score = (trained: ReadonlyMap<string, Tensor>, examples: EncodedExamples) =>
    scorer.score(trained, scoringBatches(examples, task, padding, batchSize), examples.count);
  return {
    scorer,
    score,
    async evaluate(trained, split, examples) {
      const scores = await score(trained, examples);
      return evaluationOf(scores, task, split, examples);
    },
    dispose: () => scorer.dispose(),
  };
}

function evaluationOf(scores: Scores, task: Task, split: string, examples: EncodedExamples): Evaluation {
  const metrics = glueMetrics(
    task.metrics.filter(isGlueMetric),
    predictionsOf(scores.logits, scores.numLogits),
    examples.labels,
  );
  return {
    task: task.name,
    split,
    examples: examples.count,
    loss: scores.loss,
    metrics: metrics as Evaluation["metrics"],
    density: scores.density!,
    timing: { examplesPerSecond: (examples.count / scores.durationMs) * 1000, totalMs: scores.durationMs },
  };
}
