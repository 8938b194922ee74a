// Which points of a trade are worth having: those that no other beats in both directions.

/** A point of a trade: less `cost` is better, more `gain` is better. */
export interface Trade {
  readonly cost: number;
  readonly gain: number;
}

/** The points that none costs less than without gaining less, by rising cost; of equal ones the first. */
export function paretoFront<T extends Trade>(points: readonly T[]): T[] {
  const order = points
    .filter(({ cost, gain }) => Number.isFinite(cost) && Number.isFinite(gain))
    .sort((a, b) => a.cost - b.cost || b.gain - a.gain);
  let best = Number.NEGATIVE_INFINITY;
  return order.filter(({ gain }) => {
    const isBetter = gain > best;
    best = Math.max(best, gain);
    return isBetter;
  });
}

/** Rank correlation of two lists in [-1, 1], equal values sharing their mean rank; NaN where one of them does not vary. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranksOf(a), ranksOf(b)];
  const mean = (x.length + 1) / 2;
  const dot = (p: readonly number[], q: readonly number[]) =>
    p.reduce((sum, v, i) => sum + (v - mean) * (q[i]! - mean), 0);
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

/** Ranks from 1, the smallest value first; equal values share their mean rank. */
export function ranksOf(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}
