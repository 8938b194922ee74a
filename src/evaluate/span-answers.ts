// Answers that a model points at: every window's logits, gathered by question.
import type { EncodedSpans } from "../data/index.ts";
import type { Scorer, Scores } from "../infer/index.ts";
import { bestSpan, type ModelBatch, type SpanOptions, type SpanPrediction, type WindowLogits } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** Answers in the order of the questions, with what scoring the windows gave. */
export interface ExtractiveAnswers {
  readonly predictions: readonly SpanPrediction[];
  readonly scores: Scores;
}

/** Scores all windows and chooses the best answer of each question. */
export async function extractiveAnswers(
  scorer: Scorer,
  trained: ReadonlyMap<string, Tensor>,
  spans: EncodedSpans,
  batches: Iterable<ModelBatch>,
  options: SpanOptions,
): Promise<ExtractiveAnswers> {
  const logits: WindowLogits[] = Array.from({ length: spans.count });
  const scores = await scorer.score(trained, batches, spans.count, ({ startLogits, endLogits }, { indices }) => {
    for (const { index, start, end } of windowsIn(startLogits!, endLogits!, indices, spans))
      logits[index] = { start: start.slice(), end: end.slice(), offsets: spans.offsets(index) };
  });
  return { predictions: bestSpans(spans, logits, options), scores };
}

/** The logits of each window of a batch, start and end `[B, S]`, without its padding; views. */
export function windowsIn(
  start: Tensor,
  end: Tensor,
  indices: ArrayLike<number>,
  { lengths }: Pick<EncodedSpans, "lengths">,
): { readonly index: number; readonly start: Float32Array; readonly end: Float32Array }[] {
  const width = start.shape[1]!;
  return Array.from(indices, (index, row) => {
    const ofTokens = ({ data }: Tensor) => (data as Float32Array).subarray(row * width, row * width + lengths[index]!);
    return { index, start: ofTokens(start), end: ofTokens(end) };
  });
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
