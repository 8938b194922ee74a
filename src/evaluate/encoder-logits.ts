// What an encoder's head gives for examples, in their order: logits of a class each, or of each window's tokens where an answer starts and ends.
import { batches, type EncodedExamples, type EncodedSpans, evaluationPlan, isSpans } from "../data/index.ts";
import { inferenceFeeds } from "../load/index.ts";
import type { Outputs, Program } from "../runtime/index.ts";
import { SCORING_BATCH } from "../settings/index.ts";
import type { WindowLogits } from "../tasks/index.ts";
import { windowsIn } from "./span-answers.ts";

/** Batches for inference, longest examples first. */
export function inferenceBatches(examples: EncodedExamples, batchSize: number = SCORING_BATCH) {
  // labels are not fed, so any kind does
  return batches(examples, evaluationPlan(examples.lengths, batchSize), { kind: "regression", padding: "longest" });
}

/**
 * Logits of a plain encoder's program over `examples`: `[examples, C]`, or of each window the starts of its tokens and then their ends,
 * one window behind the other.
 */
export async function logitsOf(program: Program, examples: EncodedExamples, batchSize?: number): Promise<Float32Array> {
  const rows = new LogitRows(examples);
  for (const batch of inferenceBatches(examples, batchSize))
    rows.add(await program.run(inferenceFeeds(batch)), batch.indices);
  return rows.logits;
}

/** Gathers the outputs of batches. */
export class LogitRows {
  readonly #examples: EncodedExamples;
  readonly #places: Int32Array | null;
  #logits: Float32Array;

  constructor(examples: EncodedExamples) {
    this.#examples = examples;
    this.#places = isSpans(examples) ? placesOf(examples) : null;
    this.#logits = new Float32Array(this.#places?.at(-1) ?? 0);
  }

  /** Those of the examples so far, laid out as `logitsOf` has them. */
  get logits(): Float32Array {
    return this.#logits;
  }

  /** Outputs of one batch, by the name of a scorer or of a plain program; `indices` are its examples. */
  add(outputs: Outputs, indices: ArrayLike<number>): void {
    if (this.#places !== null) {
      const [starts, ends] = [outputs.startLogits ?? outputs.start_logits, outputs.endLogits ?? outputs.end_logits];
      for (const { index, start, end } of windowsIn(starts!, ends!, indices, this.#examples)) {
        this.#logits.set(start, this.#places[index]!);
        this.#logits.set(end, this.#places[index]! + start.length);
      }
      return;
    }
    const given = outputs.logits!.data as Float32Array;
    const width = given.length / indices.length;
    if (this.#logits.length === 0) this.#logits = new Float32Array(this.#examples.count * width);
    for (let row = 0; row < indices.length; row++)
      this.#logits.set(given.subarray(row * width, (row + 1) * width), indices[row]! * width);
  }
}

/** Where each window's logits begin, and where all end. */
function placesOf({ lengths }: EncodedExamples): Int32Array {
  const places = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) places[i + 1] = places[i]! + 2 * length;
  return places;
}

/** Logits of windows, cut apart again. */
export function windowLogits(logits: Float32Array, spans: EncodedSpans): WindowLogits[] {
  const places = placesOf(spans);
  return Array.from(spans.lengths, (length, i) => {
    const middle = places[i]! + length;
    return {
      start: logits.subarray(places[i]!, middle),
      end: logits.subarray(middle, middle + length),
      offsets: spans.offsets(i),
    };
  });
}

/** Mean over examples, or windows, of the squared distance between two models' logits. */
export function divergenceOf(logits: Float32Array, from: Float32Array, { count }: EncodedExamples): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += (logits[i]! - from[i]!) ** 2;
  return sum / count;
}
