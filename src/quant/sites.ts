// Which linear layers are quantised.

/**
 * Whether the linear layer at `site` belongs to a transformer block, by a numbered level of its path: pooler, head and
 * what stands outside the stack stay float32, as their share is small and heads are trained.
 */
export function isBlockMatrix(site: string): boolean {
  return /\.\d+\./.test(site);
}
