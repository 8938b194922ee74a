// Start and end logits of a question's windows to its best answers.
// Source: transformers' utils_qa.py, `postprocess_qa_predictions`.
import type { WindowOffsets } from "../data/index.ts";

/** What a model says of one window; the logits of its tokens, padding left out. */
export interface WindowLogits {
  readonly start: Float32Array;
  readonly end: Float32Array;
  readonly offsets: WindowOffsets;
}

export interface SpanOptions {
  /** Starts and ends looked at, and answers kept. */
  readonly nBest?: number;
  /** In tokens. */
  readonly maxAnswerLength?: number;
  /** Whether a question may have no answer, as in SQuAD v2. */
  readonly unanswerable?: boolean;
  /** No answer is given when its score passes the best answer's by more. */
  readonly nullThreshold?: number;
}

/** One candidate. */
export interface SpanAnswer {
  /** A piece of the context; empty: no answer. */
  readonly text: string;
  /** Among the candidates kept: a softmax over their scores. */
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
}

export interface SpanPrediction {
  readonly text: string;
  /** Probability of the answer that was chosen; 0 where no candidate was left. */
  readonly score: number;
  /** Score of no answer less that of the best answer; null where every question has one. */
  readonly nullScore: number | null;
  /** The best first. */
  readonly nBest: readonly SpanAnswer[];
}

interface Candidate {
  /** UTF-16 units of the context; both 0: no answer. */
  readonly from: number;
  readonly to: number;
  readonly score: number;
  readonly startLogit: number;
  readonly endLogit: number;
}

/**
 * The best answer of a question over all its windows.
 *
 * A window says by its first token that it has no answer, and the least of these counts. Where nothing is left to
 * choose, the answer is empty (utils_qa.py writes "empty").
 */
export function bestSpan(
  context: string,
  windows: readonly WindowLogits[],
  { nBest = 20, maxAnswerLength = 30, unanswerable = false, nullThreshold = 0 }: SpanOptions = {},
): SpanPrediction {
  const found = windows.flatMap((window) => candidates(window, nBest, maxAnswerLength));
  const none = unanswerable ? noAnswer(windows) : null;
  if (none !== null) found.push(none);
  const best = found.sort((a, b) => b.score - a.score).slice(0, nBest);
  if (none !== null && !best.some(({ from, to }) => from === 0 && to === 0)) best.push(none);
  const answers = probabilities(best, context);
  const chosen = none === null ? answers[0] : answers.find(({ text }) => text !== "");
  if (chosen === undefined) return { text: "", score: answers[0]?.score ?? 0, nullScore: null, nBest: answers };
  if (none === null) return { text: chosen.text, score: chosen.score, nullScore: null, nBest: answers };
  const nullScore = Math.fround(Math.fround(none.score - chosen.startLogit) - chosen.endLogit);
  if (nullScore <= nullThreshold) return { text: chosen.text, score: chosen.score, nullScore, nBest: answers };
  return { text: "", score: answers[best.indexOf(none)]?.score ?? 0, nullScore, nBest: answers };
}

function candidates({ start, end, offsets }: WindowLogits, nBest: number, longest: number): Candidate[] {
  const { contextAt, starts, ends } = offsets;
  const inContext = (position: number) => position >= contextAt && position < contextAt + starts.length;
  const found: Candidate[] = [];
  const lasts = largest(end, nBest).filter(inContext);
  for (const first of largest(start, nBest).filter(inContext)) {
    for (const last of lasts) {
      if (last < first || last - first + 1 > longest) continue;
      found.push({
        from: starts[first - contextAt]!,
        to: ends[last - contextAt]!,
        ...scored(start[first]!, end[last]!),
      });
    }
  }
  return found;
}

/** The window least sure that it holds no answer speaks for all. */
function noAnswer(windows: readonly WindowLogits[]): Candidate | null {
  let least: Candidate | null = null;
  for (const { start, end } of windows) {
    const none = { from: 0, to: 0, ...scored(start[0]!, end[0]!) };
    if (least === null || least.score > none.score) least = none;
  }
  return least;
}

/** Added in float32, as NumPy does. */
function scored(startLogit: number, endLogit: number): Pick<Candidate, "score" | "startLogit" | "endLogit"> {
  return { score: Math.fround(startLogit + endLogit), startLogit, endLogit };
}

/** Positions of the largest values, the largest first; of equals the last first, as NumPy's argsort read backwards. */
function largest(values: Float32Array, count: number): number[] {
  return Array.from(values.keys())
    .sort((a, b) => values[b]! - values[a]! || b - a)
    .slice(0, count);
}

function probabilities(best: readonly Candidate[], context: string): SpanAnswer[] {
  const top = best.reduce((most, { score }) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  const total = best.reduce((sum, { score }) => sum + Math.exp(score - top), 0);
  return best.map(({ from, to, score, startLogit, endLogit }) => ({
    text: context.slice(from, to),
    score: Math.exp(score - top) / total,
    startLogit,
    endLogit,
  }));
}
