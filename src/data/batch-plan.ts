// Which examples make up which batch: a pure function of the lengths, the seed and the epoch.
import { randomStream } from "../tensor/index.ts";

/** The batches of one pass over a split; every example is in exactly one. */
export interface BatchPlan {
  readonly batchCount: number;
  /** Examples of one batch, by index in the split. */
  indices(batch: number): Int32Array;
}

export interface TrainingPlanOptions {
  readonly batchSize: number;
  readonly seed: number;
  readonly epoch: number;
  /** Batches in a window within which examples are grouped by length; 0 for a plain shuffle. */
  readonly bucketBatches?: number;
}

/**
 * The batches of a training epoch: shuffled, then grouped by length inside windows, then the batches shuffled.
 *
 * Where the examples do not fill the last batch, it is made of examples drawn at random and comes last.
 * @param lengths - tokens of each example; only their order matters.
 */
export function trainingPlan(
  lengths: ArrayLike<number>,
  { batchSize, seed, epoch, bucketBatches = 50 }: TrainingPlanOptions,
): BatchPlan {
  const random = randomStream(seed, "data-order", epoch);
  const shuffled = random.shuffle(Array.from(lengths, (_, i) => i));
  const fullCount = Math.floor(shuffled.length / batchSize);
  const full = shuffled.slice(0, fullCount * batchSize);
  if (bucketBatches > 0) {
    const window = bucketBatches * batchSize;
    for (let at = 0; at < full.length; at += window) {
      const sorted = full.slice(at, at + window).sort((a, b) => lengths[a]! - lengths[b]!);
      for (let i = 0; i < sorted.length; i++) full[at + i] = sorted[i]!;
    }
  }
  const order = random.shuffle(Array.from({ length: fullCount }, (_, batch) => batch));
  const permutation = new Int32Array(shuffled.length);
  order.forEach((batch, at) => {
    permutation.set(full.slice(batch * batchSize, (batch + 1) * batchSize), at * batchSize);
  });
  permutation.set(shuffled.slice(full.length), full.length);
  return cut(permutation, batchSize);
}

/** The batches of an evaluation: longest examples first, so that the first batch needs the most memory. */
export function evaluationPlan(lengths: ArrayLike<number>, batchSize: number): BatchPlan {
  const order = Array.from(lengths, (_, i) => i).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  return cut(Int32Array.from(order), batchSize);
}

function cut(permutation: Int32Array, batchSize: number): BatchPlan {
  return {
    batchCount: Math.ceil(permutation.length / batchSize),
    indices: (batch) => permutation.subarray(batch * batchSize, (batch + 1) * batchSize),
  };
}
