// How far what two models say lies apart, worked out in float64.

/**
 * Mean over the rows of `[N, V]` logits that count of Kullback and Leibler's divergence of the second's distribution from the first's, in nats.
 */
export function meanDivergence(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  counts: readonly boolean[],
): number {
  const width = first.length / counts.length;
  let sum = 0;
  for (const [row, isCounted] of counts.entries()) {
    if (!isCounted) continue;
    const [was, is] = [logShares(first, row * width, width), logShares(second, row * width, width)];
    sum += was.reduce((lost, of, v) => lost + Math.exp(of) * (of - is[v]!), 0);
  }
  return sum / counts.filter(Boolean).length;
}

function logShares(logits: ArrayLike<number>, from: number, width: number): number[] {
  const row = Array.from({ length: width }, (_, v) => logits[from + v]!);
  const most = Math.max(...row);
  const total = most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return row.map((value) => value - total);
}
