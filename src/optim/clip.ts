// Gradient clipping by global norm.
import { add, div, min, mul, reduceSum, sqrt, square, type Value } from "../graph/index.ts";

/** The L2 norm over all gradients together, a scalar. */
export function globalNorm(gradients: readonly Value[]): Value {
  return sqrt(gradients.map((g) => reduceSum(square(g))).reduce((a, b) => add(a, b)));
}

/**
 * Gradients scaled by `min(1, maxNorm / (norm + 1e-6))`.
 * @see `torch.nn.utils.clip_grad_norm_`.
 */
export function clipByGlobalNorm(gradients: readonly Value[], norm: Value, maxNorm: number): Value[] {
  const factor = min(div(maxNorm, add(norm, 1e-6)), 1);
  return gradients.map((g) => mul(g, factor));
}
