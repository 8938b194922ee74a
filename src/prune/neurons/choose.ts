// Rules that choose neurons and MLPs, and what stands for those they leave out: a constant, a matrix fitted again.

import type { MlpSite } from "../../models/index.ts";
import type { NeuronStatistics } from "./calibration.ts";
import { columnEnergies, weightedColumns } from "./neuron-masks.ts";
import type { LayerPlan } from "./plan.ts";
import { type FitFacts, keepingOrder, refit } from "./refit.ts";

/** One MLP as the rules see it: its site, its output weights with the adapter merged, and its statistics. */
export interface LayerFacts {
  readonly site: MlpSite;
  /** `[D, F]` */
  readonly outWeight: Float32Array;
  /** `[D]`; null where the layer has no bias. */
  readonly outBias: Float32Array | null;
  /** Null: nothing was measured, and nothing can be ranked or compensated. */
  readonly statistics: NeuronStatistics | null;
}

/**
 * How much of the MLP's output is lost with each neuron once its mean is made up for: `Var(a_f) · ‖W_f‖²`, `[F]`.
 * `a_f` is what the output matrix reads, when gated a product. Without statistics `‖W_f‖²`.
 */
export function neuronImportance({ outWeight, site, statistics }: LayerFacts): Float64Array {
  const norms = columnEnergies(outWeight, site.neurons);
  if (statistics === null) return norms;
  const { mean, energy } = statistics;
  return norms.map((norm, f) => norm * Math.max(0, energy[f]! - mean[f]! ** 2));
}

/** Indices by falling score; equal scores go by index. */
function ranked(scores: ArrayLike<number>): number[] {
  return Array.from(scores, (_, f) => f).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/** The first `count` neurons to keep: as the output fitted again asks for them, without second moments by `neuronImportance`. */
export async function neuronsToKeep(facts: LayerFacts, count: number): Promise<number[]> {
  const fit = fitFacts(facts);
  return fit === null ? ranked(neuronImportance(facts)).slice(0, count) : keepingOrder(fit, count);
}

/**
 * What makes up for neurons that go: the output fitted again to those that stay, a constant with the mean over the calibration
 * data, or nothing, for neurons that give nothing.
 */
export type Compensation = "refit" | "mean" | "none";

/** The plan of one layer that keeps these neurons; without second moments a refit is a mean. */
export async function keepNeurons(
  facts: LayerFacts,
  kept: readonly number[],
  compensation: Compensation,
): Promise<LayerPlan> {
  const { site, statistics } = facts;
  const removed = complement(kept, site.neurons);
  const plan = { site: site.activation, neurons: site.neurons, gate: 1 };
  if (removed.length === 0) return { ...plan, kept: null, constant: null, threshold: null };
  const threshold = statistics && removed.reduce((peak, f) => Math.max(peak, statistics.peak[f]!), 0);
  const fit = compensation === "refit" && kept.length > 0 ? fitFacts(facts) : null;
  if (fit === null) return { ...plan, kept: [...kept], constant: constantFor(facts, kept, compensation), threshold };
  const { out, constant } = await refit(fit, kept);
  return { ...plan, kept: [...kept], constant: Array.from(constant, Math.fround), threshold, out };
}

function fitFacts({ outWeight, statistics }: LayerFacts): FitFacts | null {
  const moments = statistics?.moments;
  return moments === undefined ? null : { outWeight, mean: statistics!.mean, moments };
}

function constantFor(facts: LayerFacts, kept: readonly number[], compensation: Compensation): number[] | null {
  const { outWeight, outBias, statistics } = facts;
  const isMean = compensation !== "none" && statistics !== null;
  if (isMean && kept.length === 0 && statistics.added !== undefined) return Array.from(statistics.added, Math.fround);
  // with no neuron left the bias has no layer of its own any more
  const bias = kept.length === 0 ? outBias : null;
  if (!isMean) return bias === null ? null : Array.from(bias);
  const left = Float64Array.from(statistics.mean);
  for (const f of kept) left[f] = 0;
  return Array.from(weightedColumns(outWeight, left), (value, d) => Math.fround(value + (bias?.[d] ?? 0)));
}

/** The indices below `size` that are not in `kept` (ascending). */
export function complement(kept: readonly number[], size: number): number[] {
  const has = new Uint8Array(size);
  for (const f of kept) has[f] = 1;
  return Array.from({ length: size }, (_, f) => f).filter((f) => has[f] === 0);
}
