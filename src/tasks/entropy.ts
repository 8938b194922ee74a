// Entropies in nats, of counts, of shares and of logits.

/** Of a class drawn with these counts. */
export function entropyOfCounts(counts: readonly number[]): number {
  const total = counts.reduce((sum, n) => sum + n, 0);
  return -counts.reduce((sum, n) => sum + (n > 0 ? (n / total) * Math.log(n / total) : 0), 0);
}

/** Of shares that add up to 1. */
export function entropyOfShares(shares: Float64Array): number {
  return -shares.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0);
}

/** The softmax of logits, in float64. */
export function softmaxOf(logits: ArrayLike<number>): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) largest = Math.max(largest, logits[i]!);
  const powers = Float64Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** `1 / (1 + e^−x)` */
export function sigmoidOf(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
