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
  const size = kept.length;
  const pull = damping(facts);
  const shared = sharedWithOutputs(facts);
  const system = new Float64Array(size * size);
  kept.forEach((f, i) => {
    for (let j = 0; j < size; j++) {
      const g = kept[j]!;
      system[i * size + j] = moments[f * neurons + g]! - mean[f]! * mean[g]!;
    }
    system[i * size + i]! += pull;
  });
  const fitted = new Float64Array(rows * size);
  for (let d = 0; d < rows; d++)
    for (let i = 0; i < size; i++) {
      const at = d * neurons + kept[i]!;
      fitted[d * size + i] = shared[at]! + pull * outWeight[at]!;
    }
  choleskySolve(choleskyFactor(system, size), size, fitted);
  const out = Float32Array.from(fitted);
  const constant = new Float64Array(rows);
  for (let d = 0; d < rows; d++) {
    for (let f = 0; f < neurons; f++) constant[d]! += outWeight[d * neurons + f]! * mean[f]!;
    for (let i = 0; i < size; i++) constant[d]! -= out[d * size + i]! * mean[kept[i]!]!;
  }
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
  const products = sharedWithOutputs(facts);
  const shared = new Float64Array(neurons * rows);
  for (let f = 0; f < neurons; f++)
    for (let d = 0; d < rows; d++)
      shared[f * rows + d] = products[d * neurons + f]! + pull * outWeight[d * neurons + f]!;
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

/** `W C`, `[D, F]`: every fit of a layer begins with it. */
function sharedWithOutputs({ outWeight, mean, moments }: FitFacts): Float64Array {
  const known = KNOWN.get(moments);
  if (known?.outWeight === outWeight) return known.shared;
  const neurons = mean.length;
  const shared = new Float64Array(outWeight.length);
  for (let row = 0; row < shared.length; row += neurons) {
    const products = shared.subarray(row, row + neurons);
    let total = 0;
    for (let f = 0; f < neurons; f++) {
      const weight = outWeight[row + f]!;
      total += weight * mean[f]!;
      const others = f * neurons;
      for (let g = 0; g < neurons; g++) products[g]! += weight * moments[others + g]!;
    }
    for (let g = 0; g < neurons; g++) products[g]! -= total * mean[g]!;
  }
  KNOWN.set(moments, { outWeight, shared });
  return shared;
}

/** By the second moments, with the weights that they were multiplied with. */
const KNOWN = new WeakMap<Float32Array, { readonly outWeight: Float32Array; readonly shared: Float64Array }>();

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
