// Logits of encoded examples, one example's behind the other: gathered from batches, and cut apart again.
import type { EncodedExamples } from "../data/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { HeadKind, ReadingHead } from "./head.ts";

/** The logits of each example. */
export interface ExampleLogits {
  /** Of all examples in their order. */
  readonly all: Float32Array;
  /** Of one example, padding left out; a view. */
  of(index: number): Float32Array;
}

/** The logits `all`, which a head gave for `examples`. */
export function exampleLogits(
  all: Float32Array,
  head: HeadKind,
  record: Pick<ReadingHead, "logitsPerExample">,
  { lengths }: Pick<EncodedExamples, "lengths">,
): ExampleLogits {
  const places = new Float64Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) places[i + 1] = places[i]! + record.logitsPerExample(head, length);
  return { all, of: (index) => all.subarray(places[index]!, places[index + 1]!) };
}

/** Gathers the outputs of batches. */
export class LogitRows {
  readonly logits: ExampleLogits;
  readonly #record: ReadingHead;
  readonly #lengths: Int32Array;
  /** What a plain program calls each of our outputs. */
  readonly #names: readonly (readonly [string, string])[];

  constructor(head: HeadKind, record: ReadingHead, examples: Pick<EncodedExamples, "lengths">) {
    this.#record = record;
    this.#lengths = examples.lengths;
    this.#names = Object.entries(record.exportNames);
    const total = examples.lengths.reduce((sum, length) => sum + record.logitsPerExample(head, length), 0);
    this.logits = exampleLogits(new Float32Array(total), head, record, examples);
  }

  /** Outputs of one batch, by the names of a scorer or of a plain program; `indices` are its examples. */
  add(outputs: Readonly<Record<string, Tensor>>, indices: ArrayLike<number>): void {
    const ours = Object.fromEntries(this.#names.map(([name, plain]) => [name, (outputs[name] ?? outputs[plain])!]));
    for (let row = 0; row < indices.length; row++) {
      const index = indices[row]!;
      const place = this.logits.of(index);
      let at = 0;
      for (const piece of this.#record.exampleLogits(ours, row, this.#lengths[index]!)) {
        place.set(piece, at);
        at += piece.length;
      }
    }
  }
}
