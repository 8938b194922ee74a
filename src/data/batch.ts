// Encoded examples to the tensors a model takes.
import { invariant } from "../errors.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import type { BatchPlan } from "./batch-plan.ts";
import type { EncodedExamples } from "./encode.ts";

/** What a model is fed: B examples padded to S tokens. */
export interface Batch {
  /** int64 `[B, S]`. */
  readonly tokenIds: Tensor;
  /** int64 `[B, S]`, 1 for tokens and 0 for padding. */
  readonly attentionMask: Tensor;
  /** int64 `[B, S]`. */
  readonly tokenTypeIds: Tensor;
  /** The examples' indices in their split: results go back there. */
  readonly indices: readonly number[];
  /** Tokens that are not padding. */
  readonly attendedTokens: number;
}

export interface BatchOptions {
  /** `longest` pads to the batch's longest example, `max` to the split's `maxLength`, as in the paper. */
  readonly padding: "longest" | "max";
  /** Rounds S up to a multiple of this, but not past `maxLength`. */
  readonly padToMultiple?: number;
}

/** The batch of the examples at `indices`, in this order. */
export function makeBatch(
  examples: EncodedExamples,
  indices: ArrayLike<number>,
  { padding, padToMultiple = 1 }: BatchOptions,
): Batch {
  const rows = indices.length; // B
  let attendedTokens = 0;
  let longest = 1;
  for (let row = 0; row < rows; row++) {
    const length = examples.lengths[indices[row]!];
    invariant(length !== undefined, `batch: example ${indices[row]} of ${examples.count}`);
    attendedTokens += length;
    longest = Math.max(longest, length);
  }
  const rounded = Math.min(Math.ceil(longest / padToMultiple) * padToMultiple, Math.max(examples.maxLength, longest));
  const columns = padding === "max" ? Math.max(examples.maxLength, longest) : rounded; // S
  const tokenIds = int64Words(rows * columns);
  const attentionMask = int64Words(rows * columns);
  const tokenTypeIds = int64Words(rows * columns);
  for (let row = 0; row < rows; row++) {
    const tokens = examples.tokens(indices[row]!);
    const segmentStart = examples.segmentStart(indices[row]!);
    for (let column = 0; column < columns; column++) {
      // the low word of a little-endian int64; ids are never negative
      const at = 2 * (row * columns + column);
      const inside = column < tokens.length;
      tokenIds[at] = inside ? tokens[column]! : examples.padId;
      if (inside) attentionMask[at] = 1;
      if (inside && column >= segmentStart) tokenTypeIds[at] = 1;
    }
  }
  const of = (words: Int32Array) => tensor("int64", [rows, columns], new BigInt64Array(words.buffer));
  return {
    tokenIds: of(tokenIds),
    attentionMask: of(attentionMask),
    tokenTypeIds: of(tokenTypeIds),
    indices: Array.from(indices),
    attendedTokens,
  };
}

/** The batches of a plan in order, from batch `from` on. */
export function* batches(
  examples: EncodedExamples,
  plan: BatchPlan,
  options: BatchOptions & { readonly from?: number },
): Generator<Batch> {
  for (let batch = options.from ?? 0; batch < plan.batchCount; batch++) {
    yield makeBatch(examples, plan.indices(batch), options);
  }
}

function int64Words(length: number): Int32Array {
  return new Int32Array(2 * length);
}
