// A matrix fitted by least squares with a pull towards the one before, as removed neurons and other activations ask for it.
import { choleskyFactor, choleskySolve } from "./cholesky.ts";

/** Pull towards the old weights, as a share of the neurons' mean variance: it decides only what the data leave open. */
const DAMPING = 1e-3;

/** How much a fit pulls, for neurons whose variances add up to `variance`; where nothing varies, any fit is as good: the old weights. */
export function pullOf(variance: number, neurons: number): number {
  return variance === 0 ? 1 : (DAMPING * variance) / neurons;
}

/**
 * `(cross + λ before)(system + λ I)⁻¹`, `[D, F]`.
 * @param system - Covariance of what the matrix reads, `[F, F]` row-major; changed here.
 * @param cross - Covariance of what it is to give with what it reads, plus `λ` times the matrix before, `[D, F]`; changed into the result.
 */
export async function damped(
  system: Float64Array,
  neurons: number,
  pull: number,
  cross: Float64Array,
): Promise<Float32Array> {
  for (let f = 0; f < neurons; f++) system[f * neurons + f]! += pull;
  await choleskySolve(await choleskyFactor(system, neurons), neurons, cross);
  return Float32Array.from(cross);
}
