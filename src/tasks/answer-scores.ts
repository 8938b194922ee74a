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
import { type AnsweredQuestion, answerMetrics, scoreAnswer } from "./answer-metrics.ts";
import type { Outcome } from "./evaluation.ts";
import type { SpanPrediction } from "./span.ts";
import type { TaskScore, WrittenText } from "./task.ts";
import { textMetrics } from "./text-metrics.ts";

/** The score of a task whose main metric is the mean of one number an example. */
function meanScore(
  { mainMetric }: Task,
  metrics: Readonly<Record<string, number>>,
  scores: Float64Array,
  outcomes: () => Outcome[],
): TaskScore {
  return {
    metrics,
    score: metrics[mainMetric]!,
    count: scores.length,
    scoreOn: (indices) => indices.reduce((sum, i) => sum + scores[i]!, 0) / indices.length,
    outcomes,
  };
}

/** Scores one text for each row of examples that have targets. */
export function scoreTexts(texts: readonly WrittenText[], examples: EncodedExamples, task: Task): TaskScore {
  if (!isTexts(examples)) throw new InternalError("texts written for examples without targets");
  const { mainMetric } = task;
  const pairs = texts.map(({ text }, i) => [text, examples.targetTexts[i] ?? ""] as const);
  const scores = Float64Array.from(
    pairs,
    (pair) => textMetrics([pair])[mainMetric as keyof ReturnType<typeof textMetrics>],
  );
  const outcomes = () =>
    pairs.map(([prediction, target], i) => {
      const isRight = prediction.trim() === target.trim();
      return {
        line: examples.lines[i]!,
        prediction,
        target,
        score: Number(isRight),
        ...probabilityOf(texts[i]!),
        metric: scores[i]!,
      };
    });
  return meanScore(task, textMetrics(pairs), scores, outcomes);
}

/** An answer to a question, with its probability and the score of no answer where the model gives them. */
type Answer = Pick<SpanPrediction, "text" | "nullScore"> & { readonly score?: number | null };

const probabilityOf = ({ score = null }: Pick<Answer, "score">) => (score === null ? {} : { probability: score });

/** Scores one answer for each question. */
export function scoreAnswers(
  answers: readonly Answer[],
  { questions }: Pick<EncodedWindows, "questions">,
  task: Task,
): TaskScore {
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
  const scores = Float64Array.from(answered, scoreOf);
  const outcomes = () => answerOutcomes(task, questions, answered, answers);
  return meanScore(task, answerMetrics(answered, unanswerable), scores, outcomes);
}

/** What was answered to each question, with the question's first line. */
function answerOutcomes(
  { unanswerable = false }: Task,
  questions: readonly Pick<Example, "line">[],
  answered: readonly AnsweredQuestion[],
  answers: readonly Answer[],
): Outcome[] {
  return answered.map((question, i) => ({
    line: questions[i]!.line,
    prediction: question.prediction,
    target: question.golds,
    score: scoreAnswer(question, unanswerable).f1,
    ...probabilityOf(answers[i]!),
  }));
}

/** The windows of questions. @throws {InternalError} for other examples. */
export function windowsOf(examples: EncodedExamples): EncodedWindows {
  if (isWindows(examples)) return examples;
  throw new InternalError("answers to examples that are no questions");
}

/**
 * The answer of each question over its windows: the likeliest text that is not empty; empty where every window says so, as a window
 * without the answer does.
 */
export function bestTexts(rows: EncodedWindows, texts: readonly WrittenText[]): WrittenText[] {
  const best: (WrittenText | undefined)[] = rows.questions.map(() => undefined);
  rows.owners.forEach((owner, row) => {
    const [before, now] = [best[owner], texts[row]!];
    if (before === undefined || isBetter(now, before)) best[owner] = now;
  });
  return best.map((text) => text ?? { text: "", score: null });
}

function isBetter(now: WrittenText, before: WrittenText): boolean {
  if ((now.text === "") !== (before.text === "")) return before.text === "";
  return (now.score ?? 0) > (before.score ?? 0);
}

/** Whether a row's question has several windows, so that scores must choose between them. */
export function hasRivals(rows: EncodedWindows): (row: number) => boolean {
  const windows = new Map<number, number>();
  for (const owner of rows.owners) windows.set(owner, (windows.get(owner) ?? 0) + 1);
  return (row) => windows.get(rows.owners[row]!)! > 1;
}
