// The output matrix fitted again to the neurons that stay, and the order in which neurons are worth keeping for that.
// Both take seconds at a width of thousands, so both let other work in on the way.
import { createPause } from "../../tensor/index.ts";
import { damped, pullOf } from "./least-squares.ts";

/** What the fit needs of one layer. */
export interface FitFacts {
  /** `[D, F]` */
  readonly outWeight: Float32Array;
  /** Mean of what the matrix reads, `[F]`. */
  readonly mean: Float64Array;
  /** Mean of its products two by two, `[F, F]`, row-major. */
  readonly moments: Float32Array;
}

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
export async function refit(facts: FitFacts, kept: readonly number[]): Promise<Refitted> {
  const { fits } = await knownOf(facts);
  const key = kept.join();
  const fitted = fits.get(key) ?? (await leastSquares(facts, kept));
  // the one asked for last is kept longest
  fits.delete(key);
  fits.set(key, fitted);
  if (fits.size > KNOWN_FITS) fits.delete(fits.keys().next().value!);
  return fitted;
}

async function leastSquares(facts: FitFacts, kept: readonly number[]): Promise<Refitted> {
  const { outWeight, mean, moments } = facts;
  const neurons = mean.length;
  const rows = outWeight.length / neurons;
  const size = kept.length;
  const pull = damping(facts);
  const { shared } = await knownOf(facts);
  const system = new Float64Array(size * size);
  kept.forEach((f, i) => {
    for (let j = 0; j < size; j++) {
      const g = kept[j]!;
      system[i * size + j] = moments[f * neurons + g]! - mean[f]! * mean[g]!;
    }
  });
  const fitted = new Float64Array(rows * size);
  for (let d = 0; d < rows; d++)
    for (let i = 0; i < size; i++) {
      const at = d * neurons + kept[i]!;
      fitted[d * size + i] = shared[at]! + pull * outWeight[at]!;
    }
  const out = await damped(system, size, pull, fitted);
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
 * @see Pati et al. 1993, orthogonal matching pursuit; here with all outputs as one target, by a Cholesky factor with pivots.
 */
export async function keepingOrder(facts: FitFacts, count: number): Promise<number[]> {
  const { outWeight, mean, moments } = facts;
  const neurons = mean.length;
  const rows = outWeight.length / neurons;
  const pull = damping(facts);
  const { shared: products } = await knownOf(facts);
  // what no chosen neuron explains: of each neuron's variance, and of what it shares with the outputs
  const variance = mean.map((of, f) => moments[f * neurons + f]! - of ** 2 + pull);
  const shared = new Float64Array(neurons * rows);
  for (let d = 0; d < rows; d++)
    for (let f = 0; f < neurons; f++)
      shared[f * rows + d] = products[d * neurons + f]! + pull * outWeight[d * neurons + f]!;
  const open = new Uint8Array(neurons).fill(1);
  const factor: Float64Array[] = [];
  const order: number[] = [];
  const pause = createPause();
  while (order.length < Math.min(count, neurons)) {
    await pause();
    const best = mostExplained({ variance, shared, open, rows });
    order.push(best);
    open[best] = 0;
    const own = variance[best]!;
    // what lies within rounding of those before it explains nothing more
    if (!(own > 0)) continue;
    const root = Math.sqrt(own);
    const column = new Float64Array(neurons);
    for (let g = 0; g < neurons; g++) column[g] = moments[best * neurons + g]! - mean[best]! * mean[g]!;
    column[best]! += pull;
    for (const before of factor) {
      const share = before[best]!;
      for (let g = 0; g < neurons; g++) column[g]! -= share * before[g]!;
    }
    const chosen = shared.subarray(best * rows, (best + 1) * rows);
    for (let g = 0; g < neurons; g++) {
      column[g]! /= root;
      if (open[g] === 0) continue;
      variance[g]! -= column[g]! ** 2;
      const share = column[g]! / root;
      for (let d = 0; d < rows; d++) shared[g * rows + d]! -= share * chosen[d]!;
    }
    factor.push(column);
  }
  return order;
}

interface Unexplained {
  readonly variance: Float64Array;
  /** `[F, D]` */
  readonly shared: Float64Array;
  /** 1 for neurons that are not chosen yet. */
  readonly open: Uint8Array;
  readonly rows: number;
}

function mostExplained({ variance, shared, open, rows }: Unexplained): number {
  let [best, most] = [-1, -1];
  for (let f = 0; f < variance.length; f++) {
    if (open[f] === 0) continue;
    let sum = 0;
    for (let at = f * rows; at < (f + 1) * rows; at++) sum += shared[at]! ** 2;
    const explained = variance[f]! > 0 ? sum / variance[f]! : 0;
    if (explained > most) [best, most] = [f, explained];
  }
  return best;
}

function damping({ mean, moments }: Pick<FitFacts, "mean" | "moments">): number {
  const neurons = mean.length;
  let sum = 0;
  for (let f = 0; f < neurons; f++) sum += Math.max(0, moments[f * neurons + f]! - mean[f]! ** 2);
  return pullOf(sum, neurons);
}

/** What fits of one layer have in common, and those that a search asks for again and again. */
interface KnownLayer {
  readonly outWeight: Float32Array;
  /** `W C`, `[D, F]`: every fit begins with it. */
  readonly shared: Float64Array;
  /** By the neurons kept. */
  readonly fits: Map<string, Refitted>;
}

/** By the second moments. */
const KNOWN = new WeakMap<Float32Array, KnownLayer>();
/** As many as a layer has levels in a search. */
const KNOWN_FITS = 8;

async function knownOf(facts: FitFacts): Promise<KnownLayer> {
  const { outWeight, moments } = facts;
  const found = KNOWN.get(moments);
  if (found?.outWeight === outWeight) return found;
  const known = { outWeight, shared: await sharedWithOutputs(facts), fits: new Map<string, Refitted>() };
  KNOWN.set(moments, known);
  return known;
}

async function sharedWithOutputs({ outWeight, mean, moments }: FitFacts): Promise<Float64Array> {
  const neurons = mean.length;
  const shared = new Float64Array(outWeight.length);
  const pause = createPause();
  for (let row = 0; row < shared.length; row += neurons) {
    await pause();
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
  return shared;
}
