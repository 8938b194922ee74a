// Scores of answers and written texts: a task's metrics, and what each example adds to the main one.
import {
  type EncodedExamples,
  type EncodedWindows,
  type Example,
  isTexts,
  isWindows,
  type Task,
} from "../data/index.ts";
import { InternalError } from "../errors.ts";
import {
  type AnsweredQuestion,
  answerMetrics,
  type Outcome,
  type SpanPrediction,
  scoreAnswer,
  textMetrics,
} from "../tasks/index.ts";
import { bestTexts, type WrittenText } from "./written-answers.ts";

/** What texts are worth to a task, written or pointed at; an example is a question, not one of its windows. */
export interface TextScores {
  readonly metrics: Readonly<Record<string, number>>;
  /** Of each example; their mean is the task's main metric. */
  readonly scores: Float64Array;
  readonly outcomes: () => Outcome[];
}

/** Scores one text for each row of `examples`. */
export function writtenScores(task: Task, examples: EncodedExamples, texts: readonly WrittenText[]): TextScores {
  const { mainMetric } = task;
  if (isWindows(examples))
    return answerScores(
      task,
      examples,
      bestTexts(examples, texts).map(({ text }) => ({ text, nullScore: null })),
    );
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

/** Scores one answer for each question, with the score of no answer where the model gives one. */
export function answerScores(
  task: Task,
  { questions }: Pick<EncodedWindows, "questions">,
  answers: readonly Pick<SpanPrediction, "text" | "nullScore">[],
): TextScores {
  const { mainMetric, unanswerable = false } = task;
  const answered = answers.map(({ text, nullScore }, i) => ({
    prediction: text,
    golds: questions[i]!.question!.answers.map((answer) => answer.text),
    noAnswerScore: nullScore,
  }));
  const scoreOf = (question: AnsweredQuestion) => {
    const { exactMatch, f1 } = scoreAnswer(question, unanswerable);
    return mainMetric === "exact_match" ? exactMatch : f1;
  };
  return {
    metrics: answerMetrics(answered, unanswerable),
    scores: Float64Array.from(answered, scoreOf),
    outcomes: () => answerOutcomes(task, questions, answered),
  };
}

/** What was answered to each question, with the question's first line. */
function answerOutcomes(
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
