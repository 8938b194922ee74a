// Exact match and F1 of answers, equal to SQuAD's official scripts.
// Source: rajpurkar.github.io/SQuAD-explorer, evaluate-v1.1.py and evaluate-v2.0.py; Python's text functions restated.

/** An answer as a model gave it, and those that are right; none where the question has no answer. */
export interface AnsweredQuestion {
  /** Empty where the model says that there is no answer. */
  readonly prediction: string;
  readonly golds: readonly string[];
  /** How much the model prefers to give no answer; null where it does not say. */
  readonly noAnswerScore?: number | null;
}

/** Score of one question, in [0, 1]. */
export interface AnswerScore {
  readonly exactMatch: number;
  readonly f1: number;
}

// string.punctuation
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
// `\b` of Python's `re` stands between word and other characters of all scripts
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
// str.split: JavaScript's \s has U+FEFF, and lacks U+001C to U+001F and U+0085
// oxlint-disable-next-line no-control-regex -- Python's own set
const WHITESPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** The words of an answer that count: lower case, without punctuation and articles. */
export function answerWords(text: string): string[] {
  const plain = text.toLowerCase().replace(PUNCTUATION, "").replace(ARTICLES, " ");
  return plain.split(WHITESPACE).filter((word) => word !== "");
}

/** The best score of a prediction over the right answers; without one, of saying nothing. */
export function scoreAnswer({ prediction, golds }: AnsweredQuestion, unanswerable: boolean): AnswerScore {
  const given = answerWords(prediction);
  const right = golds.map(answerWords);
  // version 2.0 leaves out answers of which nothing is left, unless none is
  const kept = unanswerable ? right.filter((words) => words.length > 0) : right;
  const best = { exactMatch: 0, f1: 0 };
  for (const words of kept.length > 0 ? kept : [[]]) {
    best.exactMatch = Math.max(best.exactMatch, Number(given.join(" ") === words.join(" ")));
    best.f1 = Math.max(best.f1, wordF1(given, words, unanswerable));
  }
  return best;
}

function wordF1(given: readonly string[], right: readonly string[], unanswerable: boolean): number {
  if (unanswerable && (given.length === 0 || right.length === 0)) return Number(given.length === right.length);
  const left = new Map<string, number>();
  for (const word of right) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of given) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    shared++;
  }
  return shared === 0 ? 0 : (2 * shared) / (given.length + right.length);
}

/**
 * `exact_match` and `f1` as fractions. With `unanswerable` as version 2.0: also the scores of the questions with an
 * answer, the share of the others that got none, and, where every question has a `noAnswerScore`, the best scores that
 * a threshold on it gives. NaN without questions.
 */
export function answerMetrics(questions: readonly AnsweredQuestion[], unanswerable: boolean): Record<string, number> {
  const scores = questions.map((question) => scoreAnswer(question, unanswerable));
  const exact = scores.map(({ exactMatch }) => exactMatch);
  const f1 = scores.map((score) => score.f1);
  const metrics: Record<string, number> = { exact_match: meanOf(exact), f1: meanOf(f1) };
  if (!unanswerable) return metrics;
  const having = (flag: boolean) => (_: number, i: number) => questions[i]!.golds.length > 0 === flag;
  metrics["has_answer_exact_match"] = meanOf(exact.filter(having(true)));
  metrics["has_answer_f1"] = meanOf(f1.filter(having(true)));
  metrics["no_answer_accuracy"] = meanOf(exact.filter(having(false)));
  if (questions.length === 0 || questions.some(({ noAnswerScore }) => noAnswerScore == null)) return metrics;
  for (const [name, values] of [
    ["exact_match", exact],
    ["f1", f1],
  ] as const) {
    const { best, threshold } = bestThreshold(questions, values);
    metrics[`best_${name}`] = best;
    metrics[`best_${name}_threshold`] = threshold;
  }
  return metrics;
}

/** The best mean score when questions whose `noAnswerScore` is above a threshold get no answer. */
function bestThreshold(
  questions: readonly AnsweredQuestion[],
  scores: readonly number[],
): { best: number; threshold: number } {
  const order = questions.map((_, i) => i).sort((a, b) => questions[a]!.noAnswerScore! - questions[b]!.noAnswerScore!);
  // with every answer taken back, the questions without one are right
  let current = questions.filter(({ golds }) => golds.length === 0).length;
  let best = current;
  let threshold = 0;
  for (const i of order) {
    const { golds, prediction, noAnswerScore } = questions[i]!;
    current += golds.length > 0 ? scores[i]! : prediction === "" ? 0 : -1;
    if (current > best) {
      best = current;
      threshold = noAnswerScore!;
    }
  }
  return { best: best / questions.length, threshold };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
