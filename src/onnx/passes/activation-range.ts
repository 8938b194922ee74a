// Eight bits for an activation, chosen once from what it was on calibration data.

/** How an activation is stored: `x ≈ scale · (q − zero)`, q from 0 to 255. */
export interface ActivationRange {
  readonly scale: number;
  readonly zero: number;
}

const LEVELS = 255;
/** A multiple of four, so that twice the reach is a merge of neighbours. */
const BINS = 4096;
/** Bounds that are tried: each of the one before. */
const SHRINK = 0.95;
const SHRINKS = 64;

/** What values an activation had: counts over a reach that grows by doubling, and the extremes. */
export class ActivationHistogram {
  #counts = new Float64Array(BINS);
  /** The bins cover −reach to reach. */
  #reach = 0;
  #least = 0;
  #most = 0;

  /** Counts `values`, which must be finite. */
  add(values: Float32Array): void {
    for (const value of values) {
      if (value < this.#least) this.#least = value;
      if (value > this.#most) this.#most = value;
    }
    this.#cover(Math.max(-this.#least, this.#most));
    const perUnit = BINS / (2 * this.#reach);
    for (const value of values) this.#counts[Math.min(BINS - 1, Math.floor((value + this.#reach) * perUnit))]!++;
  }

  #cover(reach: number): void {
    if (this.#reach === 0) this.#reach = 2 ** Math.ceil(Math.log2(reach || 1));
    for (; this.#reach < reach; this.#reach *= 2) {
      const merged = new Float64Array(BINS);
      for (let i = 0; i < BINS; i++) merged[BINS / 4 + (i >> 1)]! += this.#counts[i]!;
      this.#counts = merged;
    }
  }

  /** From the least to the greatest value: nothing is cut off. */
  wholeRange(): ActivationRange {
    return rangeOf(this.#least, this.#most);
  }

  /**
   * The range with the least expected squared error: a twelfth of a step squared for what lies inside, the distance squared
   * for what is cut off.
   */
  bestRange(): ActivationRange {
    let [low, high] = [this.#least, this.#most];
    let error = this.#error(low, high);
    for (let round = 0; round < 3; round++) {
      for (let k = 0, share = 1; k < SHRINKS; k++, share *= SHRINK) {
        for (const [from, to] of [
          [low, this.#most * share],
          [this.#least * share, high],
        ] as const) {
          const tried = this.#error(from, to);
          if (tried < error) [low, high, error] = [from, to, tried];
        }
      }
    }
    return rangeOf(low, high);
  }

  #error(low: number, high: number): number {
    const width = (2 * this.#reach) / BINS;
    let sum = 0;
    const inside = ((high - low) / LEVELS) ** 2 / 12;
    for (let i = 0; i < BINS; i++) {
      const count = this.#counts[i]!;
      if (count === 0) continue;
      const value = (i + 0.5) * width - this.#reach;
      const over = value > high ? value - high : value < low ? low - value : 0;
      sum += count * (inside + over * over);
    }
    return sum;
  }
}

/** The range from `low` ≤ 0 to `high` ≥ 0, in which 0 has a code of its own. */
function rangeOf(low: number, high: number): ActivationRange {
  const scale = Math.fround((high - low) / LEVELS) || 1;
  return { scale, zero: Math.min(LEVELS, Math.max(0, Math.round(-low / scale))) };
}
