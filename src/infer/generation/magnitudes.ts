// How large activations are, counted over the steps of a calibration: how many are active at a threshold.

const BINS_PER_OCTAVE = 8;
const [LEAST_LOG2, MOST_LOG2] = [-64, 32];

/** How large the activations of an MLP are, over the steps of a calibration: of each neuron the largest of a step's tokens. */
export class Magnitudes {
  /** Zeros first, then by ascending logarithm. */
  readonly #counts = new Float64Array(1 + (MOST_LOG2 - LEAST_LOG2) * BINS_PER_OCTAVE);
  #total = 0;

  /** Adds a step: activations `[tokens, neurons]`. */
  add(activations: Float32Array, neurons: number): void {
    for (let f = 0; f < neurons; f++) {
      let largest = 0;
      for (let at = f; at < activations.length; at += neurons) largest = Math.max(largest, Math.abs(activations[at]!));
      this.#counts[magnitudeBin(largest)]!++;
    }
    this.#total += neurons;
  }

  /** The mean share of neurons that are active in a step: above `threshold` for one token or more. */
  active(threshold: number): number {
    if (this.#total === 0) return 0;
    const from = threshold === 0 ? 1 : magnitudeBin(threshold) + 1;
    return this.#counts.subarray(from).reduce((sum, count) => sum + count, 0) / this.#total;
  }

  /** The least threshold, to an eighth of an octave, that leaves at most `share` of the neurons active; 0 where none is needed. */
  threshold(share: number): number {
    let left = this.#total - this.#counts[0]!;
    for (let i = 1; i <= this.#counts.length; i++) {
      if (left <= share * this.#total) return i === 1 ? 0 : Math.fround(2 ** (LEAST_LOG2 + (i - 1) / BINS_PER_OCTAVE));
      left -= this.#counts[i] ?? 0;
    }
    return 0;
  }
}

/** Bin i > 0 holds magnitudes in (2^((i−1)/8 − 64), 2^(i/8 − 64)]; what is smaller or larger still is in the outermost. */
export function magnitudeBin(magnitude: number): number {
  if (magnitude === 0) return 0;
  // float32 moves an edge by less than this
  const at = Math.ceil((Math.log2(magnitude) - LEAST_LOG2) * BINS_PER_OCTAVE - 1e-5);
  return Math.max(1, Math.min((MOST_LOG2 - LEAST_LOG2) * BINS_PER_OCTAVE, at));
}
