// Symmetric positive definite systems on the host, as large as a layer's neurons.
import { InternalError } from "../../errors.ts";
import { createPause } from "../../tensor/index.ts";

/** A factor `L` with `L Lᵀ = A`, by rows, and `Lᵀ`, so that both substitutions read in order. */
export interface CholeskyFactor {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** Rows that are worked on together: each number that is read serves all of them, and no sum waits for another. */
const ROWS = 4;

/** Factors `A` `[n, n]`, row-major, of which the lower half is read. @throws {InternalError} when it is not positive definite. */
export async function choleskyFactor(matrix: Float64Array, n: number): Promise<CholeskyFactor> {
  const lower = new Float64Array(n * n);
  const upper = new Float64Array(n * n);
  const pause = createPause();
  for (let i = 0; i < n; i++) {
    await pause();
    const row = i * n;
    const whole = i - (i % ROWS);
    for (let j = 0; j < whole; j += ROWS) fourOfRow(matrix, lower, row, j * n, n, j);
    for (let j = whole; j <= i; j++) {
      const other = j * n;
      let sum = matrix[row + j]!;
      for (let k = 0; k < j; k++) sum -= lower[row + k]! * lower[other + k]!;
      if (i === j && !(sum > 0)) throw new InternalError(`a matrix that is not positive definite, at ${i}`);
      lower[row + j] = i === j ? Math.sqrt(sum) : sum / lower[other + j]!;
    }
    for (let j = 0; j <= i; j++) upper[j * n + i] = lower[row + j]!;
  }
  return { lower, upper };
}

/** The entries `j` to `j + 3` of a row of `L`, from four rows above it. */
function fourOfRow(matrix: Float64Array, lower: Float64Array, row: number, first: number, n: number, j: number): void {
  const [second, third, fourth] = [first + n, first + 2 * n, first + 3 * n];
  let a = matrix[row + j]!;
  let b = matrix[row + j + 1]!;
  let c = matrix[row + j + 2]!;
  let d = matrix[row + j + 3]!;
  for (let k = 0; k < j; k++) {
    const own = lower[row + k]!;
    a -= own * lower[first + k]!;
    b -= own * lower[second + k]!;
    c -= own * lower[third + k]!;
    d -= own * lower[fourth + k]!;
  }
  a /= lower[first + j]!;
  b = (b - a * lower[second + j]!) / lower[second + j + 1]!;
  c = (c - a * lower[third + j]! - b * lower[third + j + 1]!) / lower[third + j + 2]!;
  d = (d - a * lower[fourth + j]! - b * lower[fourth + j + 1]! - c * lower[fourth + j + 2]!) / lower[fourth + j + 3]!;
  lower[row + j] = a;
  lower[row + j + 1] = b;
  lower[row + j + 2] = c;
  lower[row + j + 3] = d;
}

/** Solves `x A = b` for each row of `rows` `[m, n]`, in place. */
export async function choleskySolve({ lower, upper }: CholeskyFactor, n: number, rows: Float64Array): Promise<void> {
  const pause = createPause();
  const whole = rows.length - (rows.length % (ROWS * n));
  for (let at = 0; at < whole; at += ROWS * n) {
    await pause();
    for (let i = 0; i < n; i++) substituteFour(lower, rows, { at, n, i, from: 0, to: i });
    for (let i = n - 1; i >= 0; i--) substituteFour(upper, rows, { at, n, i, from: i + 1, to: n });
  }
  for (let at = whole; at < rows.length; at += n) {
    await pause();
    for (let i = 0; i < n; i++) substitute(lower, rows, { at, n, i, from: 0, to: i });
    for (let i = n - 1; i >= 0; i--) substitute(upper, rows, { at, n, i, from: i + 1, to: n });
  }
}

/** One unknown, `i`, of the row that begins `at`, from those in `[from, to)`. */
interface Unknown {
  readonly at: number;
  readonly n: number;
  readonly i: number;
  readonly from: number;
  readonly to: number;
}

function substitute(factor: Float64Array, rows: Float64Array, { at, n, i, from, to }: Unknown): void {
  const own = i * n;
  let sum = rows[at + i]!;
  for (let k = from; k < to; k++) sum -= factor[own + k]! * rows[at + k]!;
  rows[at + i] = sum / factor[own + i]!;
}

function substituteFour(factor: Float64Array, rows: Float64Array, { at, n, i, from, to }: Unknown): void {
  const own = i * n;
  const [second, third, fourth] = [at + n, at + 2 * n, at + 3 * n];
  let a = rows[at + i]!;
  let b = rows[second + i]!;
  let c = rows[third + i]!;
  let d = rows[fourth + i]!;
  for (let k = from; k < to; k++) {
    const value = factor[own + k]!;
    a -= value * rows[at + k]!;
    b -= value * rows[second + k]!;
    c -= value * rows[third + k]!;
    d -= value * rows[fourth + k]!;
  }
  const pivot = factor[own + i]!;
  rows[at + i] = a / pivot;
  rows[second + i] = b / pivot;
  rows[third + i] = c / pivot;
  rows[fourth + i] = d / pivot;
}
