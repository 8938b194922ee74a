// The output matrix fitted again to the neurons that stay, and the order in which neurons are worth keeping for that.
import { choleskyFactor, choleskySolve } from "./cholesky.ts";

/** What the fit needs of one layer. */
export interface FitFacts {
  /** `[D, F]` */
  readonly outWeight: Float32Array;
  /** Mean of what the matrix reads, `[F]`. */
  readonly mean: Float64Array;
  /** Mean of its products two by two, `[F, F]`, row-major. */
  readonly moments: Float32Array;
}

/** Pull towards the old weights, as a share of the neurons' mean variance: it decides only what the data leave open. */
const DAMPING = 1e-3;

/** An output matrix for some neurons, and what it leaves out on average. */
export interface Refitted {
  /** `[D, kept]` */
  readonly out: Float32Array;
  /** `[D]`, to add to the bias. */
  readonly constant: Float64Array;
}

/**
 * The matrix and constant for which the kept neurons give the least squared error of what all of them gave:
 * `out = (W C_k + λ W_k)(C_kk + λI)⁻¹`, `constant = W μ − out μ_k`, with `C` the covariance of what the matrix reads.
 */
export function refit(facts: FitFacts, kept: readonly number[]): Refitted {
  const { outWeight, mean, moments } = facts;
  const neurons = mean.length;
  const rows = outWeight.length / neurons;
  const covariance = (f: number, g: number) => moments[f * neurons + g]! - mean[f]! * mean[g]!;
  const pull = damping(facts);
  const size = kept.length;
  const system = new Float64Array(size * size);
  kept.forEach((f, i) => {
    for (let j = 0; j < size; j++) system[i * size + j] = covariance(f, kept[j]!);
    system[i * size + i]! += pull;
  });
  const columns = Float64Array.from(mean);
  const wanted = new Float64Array(rows * size);
  const out = new Float32Array(rows * size);
  const constant = new Float64Array(rows);
  const factor = choleskyFactor(system, size);
  // `W C` row by row: C is symmetric, so that its rows are read in order
  const product = new Float64Array(neurons);
  for (let d = 0; d < rows; d++) {
    const weights = outWeight.subarray(d * neurons, (d + 1) * neurons);
    const total = dot(weights, columns);
    product.fill(0);
    for (let f = 0; f < neurons; f++) {
      const weight = weights[f]!;
      if (weight === 0) continue;
      const row = moments.subarray(f * neurons, (f + 1) * neurons);
      for (let i = 0; i < size; i++) product[i]! += weight * row[kept[i]!]!;
    }
    for (let i = 0; i < size; i++)
      wanted[d * size + i] = product[i]! - total * mean[kept[i]!]! + pull * weights[kept[i]!]!;
    constant[d] = total;
  }
  choleskySolve(factor, size, wanted);
  for (let at = 0; at < out.length; at++) out[at] = wanted[at]!;
  for (let d = 0; d < rows; d++) for (let i = 0; i < size; i++) constant[d]! -= out[d * size + i]! * mean[kept[i]!]!;
  return { out, constant };
}

/**
 * The first `count` neurons in the order in which they explain the output: each next one is the one that leaves the least of
 * `E‖W(a − μ)‖²` when the output is fitted to it and those before it.
 * @see Pati et al. 1993, orthogonal matching pursuit; here with all outputs as one target.
 */
export function keepingOrder(facts: FitFacts, count: number): number[] {
  const { outWeight, mean, moments } = facts;
  const neurons = mean.length;
  const rows = outWeight.length / neurons;
  const pull = damping(facts);
  // what is left of the covariance and of its products with the outputs, a row for each neuron that is not chosen yet
  const left = new Float64Array(neurons * neurons);
  for (let f = 0; f < neurons; f++) {
    for (let g = 0; g < neurons; g++) left[f * neurons + g] = moments[f * neurons + g]! - mean[f]! * mean[g]!;
    left[f * neurons + f]! += pull;
  }
  const shared = new Float64Array(neurons * rows);
  for (let f = 0; f < neurons; f++)
    for (let d = 0; d < rows; d++) shared[f * rows + d] = covarianceWith(outWeight, left, neurons, d, f);
  const names = Array.from({ length: neurons }, (_, f) => f);
  const order: number[] = [];
  for (let open = neurons; open > neurons - count; open--) {
    const best = mostExplained(left, shared, { neurons, rows, open });
    order.push(names[best]!);
    // chosen ones lie behind the open ones
    const last = open - 1;
    swap(names, best, last);
    swapRows(left, neurons, best, last);
    swapColumns(left, neurons, best, last, open);
    swapRows(shared, rows, best, last);
    eliminate(left, shared, { neurons, rows, open: last });
  }
  return order;
}

interface Sizes {
  readonly neurons: number;
  readonly rows: number;
  /** Neurons that are not chosen, which lie first. */
  readonly open: number;
}

/** Neurons of no variance of their own explain nothing: rounding must not make them large. */
function mostExplained(left: Float64Array, shared: Float64Array, { neurons, rows, open }: Sizes): number {
  let [best, most] = [0, -1];
  for (let f = 0; f < open; f++) {
    let sum = 0;
    for (let at = f * rows; at < (f + 1) * rows; at++) sum += shared[at]! ** 2;
    const variance = left[f * neurons + f]!;
    const explained = variance > 0 ? sum / variance : 0;
    if (explained > most) [best, most] = [f, explained];
  }
  return best;
}

/** Takes what the neuron behind the open ones explains away from each of them. */
function eliminate(left: Float64Array, shared: Float64Array, { neurons, rows, open }: Sizes): void {
  const chosen = open * neurons;
  const variance = left[chosen + open]!;
  if (!(variance > 0)) return;
  for (let f = 0; f < open; f++) {
    const share = left[f * neurons + open]! / variance;
    if (share === 0) continue;
    const row = f * neurons;
    for (let g = 0; g < open; g++) left[row + g]! -= share * left[chosen + g]!;
    for (let d = 0; d < rows; d++) shared[f * rows + d]! -= share * shared[open * rows + d]!;
  }
}

function damping({ mean, moments }: Pick<FitFacts, "mean" | "moments">): number {
  const neurons = mean.length;
  let sum = 0;
  for (let f = 0; f < neurons; f++) sum += Math.max(0, moments[f * neurons + f]! - mean[f]! ** 2);
  // where nothing varies, any fit is as good: the old weights
  return sum === 0 ? 1 : (DAMPING * sum) / neurons;
}

function covarianceWith(weight: Float32Array, left: Float64Array, neurons: number, d: number, f: number): number {
  let sum = 0;
  for (let g = 0; g < neurons; g++) sum += weight[d * neurons + g]! * left[f * neurons + g]!;
  return sum;
}

function dot(a: Float32Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function swap(list: number[], a: number, b: number): void {
  [list[a], list[b]] = [list[b]!, list[a]!];
}

function swapRows(matrix: Float64Array, width: number, a: number, b: number): void {
  if (a === b) return;
  const kept = matrix.slice(a * width, (a + 1) * width);
  matrix.copyWithin(a * width, b * width, (b + 1) * width);
  matrix.set(kept, b * width);
}

function swapColumns(matrix: Float64Array, width: number, a: number, b: number, rows: number): void {
  if (a === b) return;
  for (let at = 0; at < rows * width; at += width)
    [matrix[at + a], matrix[at + b]] = [matrix[at + b]!, matrix[at + a]!];
}
