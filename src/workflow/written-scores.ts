// Scores of written texts: a task's metrics, and what each example adds to the main one.
import { type EncodedExamples, type Example, isTexts, isWindows, type Task } from "../data/index.ts";
import { InternalError } from "../errors.ts";
import { type AnsweredQuestion, answerMetrics, type Outcome, scoreAnswer, textMetrics } from "../infer/index.ts";
import { bestTexts, type WrittenText } from "./written-answers.ts";

/** What texts are worth to a task; an example is a question, not one of its windows. */
export interface WrittenScores {
  readonly metrics: Readonly<Record<string, number>>;
  /** Of each example; their mean is the task's main metric. */
  readonly scores: Float64Array;
  readonly outcomes: () => Outcome[];
}

/** Scores one text for each row of `examples`. */
export function writtenScores(task: Task, examples: EncodedExamples, texts: readonly WrittenText[]): WrittenScores {
  const { mainMetric, unanswerable = false } = task;
  if (isWindows(examples)) {
    const answered = bestTexts(examples, texts).map(({ text }, i) => ({
      prediction: text,
      golds: examples.questions[i]!.question!.answers.map((answer) => answer.text),
    }));
    const scoreOf = (question: AnsweredQuestion) => {
      const { exactMatch, f1 } = scoreAnswer(question, unanswerable);
      return mainMetric === "exact_match" ? exactMatch : f1;
    };
    return {
      metrics: answerMetrics(answered, unanswerable),
      scores: Float64Array.from(answered, scoreOf),
      outcomes: () => answerOutcomes(task, examples.questions, answered),
    };
  }
  if (!isTexts(examples)) throw new InternalError("texts written for examples without targets");
  const pairs = texts.map(({ text }, i) => [text, examples.targetTexts[i] ?? ""] as const);
  return {
    metrics: textMetrics(pairs),
    scores: Float64Array.from(pairs, (pair) => textMetrics([pair])[mainMetric as keyof ReturnType<typeof textMetrics>]),
    outcomes: () =>
      pairs.map(([prediction, target], i) => {
        const isRight = prediction.trim() === target.trim();
        return { line: examples.lines[i]!, prediction, target, score: Number(isRight) };
      }),
  };
}

/** What was answered to each question, with the question's first line. */
export function answerOutcomes(
  { unanswerable = false }: Task,
  questions: readonly Pick<Example, "line">[],
  answered: readonly AnsweredQuestion[],
): Outcome[] {
  return answered.map((question, i) => ({
    line: questions[i]!.line,
    prediction: question.prediction,
    target: question.golds,
    score: scoreAnswer(question, unanswerable).f1,
  }));
}
