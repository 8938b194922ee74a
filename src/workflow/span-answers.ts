// Answers that a model points at: every window's logits, gathered by question.
import type { EncodedSpans } from "../data/index.ts";
import {
  bestSpan,
  type ModelBatch,
  type Scorer,
  type Scores,
  type SpanOptions,
  type SpanPrediction,
  type WindowLogits,
} from "../infer/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Answers in the order of the questions, with what scoring the windows gave. */
export interface PointedAnswers {
  readonly predictions: readonly SpanPrediction[];
  readonly scores: Scores;
}

/** Scores all windows and chooses the best answer of each question. */
export async function pointedAnswers(
  scorer: Scorer,
  trained: ReadonlyMap<string, Tensor>,
  spans: EncodedSpans,
  batches: Iterable<ModelBatch>,
  options: SpanOptions,
): Promise<PointedAnswers> {
  const logits: (WindowLogits | undefined)[] = Array.from({ length: spans.count });
  const scores = await scorer.score(trained, batches, spans.count, ({ startLogits, endLogits }, batch) => {
    const width = startLogits!.shape[1]!;
    for (let row = 0; row < batch.indices.length; row++) {
      const index = batch.indices[row]!;
      const ofTokens = (all: Tensor) =>
        (all.data as Float32Array).slice(row * width, row * width + spans.lengths[index]!);
      logits[index] = { start: ofTokens(startLogits!), end: ofTokens(endLogits!), offsets: spans.offsets(index) };
    }
  });
  return { predictions: bestSpans(spans, logits as WindowLogits[], options), scores };
}

/** The best answer of each question, from the logits of all windows. */
export function bestSpans(
  { questions, owners }: EncodedSpans,
  logits: readonly WindowLogits[],
  options: SpanOptions,
): SpanPrediction[] {
  const windows: WindowLogits[][] = questions.map(() => []);
  owners.forEach((owner, index) => {
    windows[owner]!.push(logits[index]!);
  });
  return questions.map(({ pair = "" }, i) => bestSpan(pair, windows[i]!, options));
}
