// Symmetric positive definite systems on the host, as large as a layer's neurons.
import { InternalError } from "../../errors.ts";
import { createPause } from "../../tensor/index.ts";

/** A factor `L` with `L Lᵀ = A`, by rows, and `Lᵀ`, so that both substitutions read in order. */
export interface CholeskyFactor {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** Factors `A` `[n, n]`, row-major, of which the lower half is read. @throws {InternalError} when it is not positive definite. */
export async function choleskyFactor(matrix: Float64Array, n: number): Promise<CholeskyFactor> {
  const lower = new Float64Array(n * n);
  const upper = new Float64Array(n * n);
  const pause = createPause();
  for (let i = 0; i < n; i++) {
    await pause();
    const row = i * n;
    for (let j = 0; j <= i; j++) {
      const other = j * n;
      let sum = matrix[row + j]!;
      for (let k = 0; k < j; k++) sum -= lower[row + k]! * lower[other + k]!;
      if (i === j && !(sum > 0)) throw new InternalError(`a matrix that is not positive definite, at ${i}`);
      const value = i === j ? Math.sqrt(sum) : sum / lower[other + j]!;
      lower[row + j] = value;
      upper[other + i] = value;
    }
  }
  return { lower, upper };
}

/** Solves `x A = b` for each row of `rows` `[m, n]`, in place. */
export async function choleskySolve({ lower, upper }: CholeskyFactor, n: number, rows: Float64Array): Promise<void> {
  const pause = createPause();
  for (let at = 0; at < rows.length; at += n) {
    await pause();
    for (let i = 0; i < n; i++) {
      let sum = rows[at + i]!;
      for (let k = 0; k < i; k++) sum -= lower[i * n + k]! * rows[at + k]!;
      rows[at + i] = sum / lower[i * n + i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = rows[at + i]!;
      for (let k = i + 1; k < n; k++) sum -= upper[i * n + k]! * rows[at + k]!;
      rows[at + i] = sum / lower[i * n + i]!;
    }
  }
}
