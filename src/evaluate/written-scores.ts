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
      bestTexts(examples, texts).map(({ text, score }) => ({ text, score, nullScore: null })),
    );
  if (!isTexts(examples)) throw new InternalError("texts written for examples without targets");
  const pairs = texts.map(({ text }, i) => [text, examples.targetTexts[i] ?? ""] as const);
  const scores = Float64Array.from(
    pairs,
    (pair) => textMetrics([pair])[mainMetric as keyof ReturnType<typeof textMetrics>],
  );
  return {
    metrics: textMetrics(pairs),
    scores,
    outcomes: () =>
      pairs.map(([prediction, target], i) => {
        const isRight = prediction.trim() === target.trim();
        const { score: probability } = texts[i]!;
        return {
          line: examples.lines[i]!,
          prediction,
          target,
          score: Number(isRight),
          ...(probability === null ? {} : { probability }),
          metric: scores[i]!,
        };
      }),
  };
}

/** An answer to a question, with its probability and the score of no answer where the model gives them. */
type Answer = Pick<SpanPrediction, "text" | "nullScore"> & { readonly score?: number | null };

/** Scores one answer for each question. */
export function answerScores(
  task: Task,
  { questions }: Pick<EncodedWindows, "questions">,
  answers: readonly Answer[],
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
    outcomes: () => answerOutcomes(task, questions, answered, answers),
  };
}

/** What was answered to each question, with the question's first line. */
function answerOutcomes(
  { unanswerable = false }: Task,
  questions: readonly Pick<Example, "line">[],
  answered: readonly AnsweredQuestion[],
  answers: readonly Answer[],
): Outcome[] {
  return answered.map((question, i) => {
    const probability = answers[i]!.score ?? null;
    return {
      line: questions[i]!.line,
      prediction: question.prediction,
      target: question.golds,
      score: scoreAnswer(question, unanswerable).f1,
      ...(probability === null ? {} : { probability }),
    };
  });
}
