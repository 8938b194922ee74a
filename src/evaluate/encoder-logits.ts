// What a reading model's head gives for examples, in their order.
import { batches, type EncodedExamples, evaluationPlan } from "../data/index.ts";
import { requireFinite } from "../infer/index.ts";
import { inferenceFeeds } from "../load/index.ts";
import type { Program } from "../runtime/index.ts";
import { SCORING_BATCH } from "../settings/index.ts";
import { type HeadKind, LogitRows, readingHead } from "../tasks/index.ts";

/** Batches for inference, longest examples first. */
export function inferenceBatches(examples: EncodedExamples, batchSize: number = SCORING_BATCH) {
  return batches(examples, evaluationPlan(examples.lengths, batchSize), { padding: "longest" });
}

/** Gathers the logits that `head` gives for examples. */
export function logitRows(head: HeadKind, examples: EncodedExamples): LogitRows {
  return new LogitRows(head, readingHead(head), examples);
}

/** Logits of a plain encoder's program over `examples`, one example's behind the other. */
export async function logitsOf(
  program: Program,
  head: HeadKind,
  examples: EncodedExamples,
  batchSize?: number,
): Promise<Float32Array> {
  const rows = logitRows(head, examples);
  for (const batch of inferenceBatches(examples, batchSize))
    rows.add(await program.run(inferenceFeeds(batch)), batch.indices);
  requireFinite("logits", rows.logits.all);
  return rows.logits.all;
}

/** Mean over examples, or windows, of the squared distance between two models' logits. */
export function divergenceOf(logits: Float32Array, from: Float32Array, { count }: EncodedExamples): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += (logits[i]! - from[i]!) ** 2;
  return sum / count;
}
