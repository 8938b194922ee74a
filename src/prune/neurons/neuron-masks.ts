// Neurons as wholes: masks that switch them off, the energy of each, and which of them goes first.

import { attendedPositions, type StackMasks, sumOfSquares, sumOver, type Tap } from "../../density/index.ts";
import { add, div, max, mul, type Value } from "../../graph/index.ts";
import type { Hooks, Site } from "../../nn/index.ts";

const MASK = "neuron_mask";
const SHIFT = "neuron_shift";

/** The mask's name at an activation's site: 1 for a neuron that is kept, 0 for one that is gone, `[F]`. */
export function maskName(site: string): string {
  return `${site}.${MASK}`;
}

/** Whether a parameter is a neuron mask. */
export function isNeuronMask(name: string): boolean {
  return name.endsWith(`.${MASK}`);
}

/** The shift's name at an MLP's sublayer: what its neurons gave on average before they went, `[D]`. */
export function compensationBiasName(sublayer: string): string {
  return `${sublayer}.${SHIFT}`;
}

/** Whether a parameter is what stands for the neurons that have gone. */
export function isCompensationBias(name: string): boolean {
  return name.endsWith(`.${SHIFT}`);
}

/** Multiplies every MLP's activation by its mask, a buffer `neuron_mask` `[F]` that begins as ones. */
export function neuronMasks(): Hooks {
  return {
    activation: (site: Site, a: Value) => mul(a, site.buffer(MASK, [Number(a.shape.at(-1))], { kind: "ones" })),
  };
}

/** Adds to what every MLP gives a buffer `neuron_shift` `[D]`, zeros at first: a bias for what masks have taken away. */
export function compensationBiases(): Hooks {
  return {
    sublayer: (site, _x, h, _norm, kind) =>
      kind === "mlp" ? site.at(() => add(h, site.buffer(SHIFT, [Number(h.shape.at(-1))], { kind: "zeros" }))) : h,
  };
}

/** The name of a site's mean among what `neuronMoments` gives. */
export function meanName(site: string): string {
  return `${site}.mean`;
}

/** Of each neuron over the attended positions, by tap: the mean a², `energy.SITE` `[F]`, and the mean a, `energy.SITE.mean`. */
export function neuronMoments(taps: readonly Tap[], attended: StackMasks): Record<string, Value> {
  return Object.fromEntries(
    taps.flatMap((tap) => {
      const { graph } = tap.activation;
      return graph.at(`${tap.site}/energy`, () => {
        const counted = attendedPositions(tap, attended);
        const { sums, count } = sumOfSquares(tap, counted);
        const over = max(count, 1);
        return [
          [`energy.${tap.site}`, div(sums, over)],
          [`energy.${meanName(tap.site)}`, div(sumOver(tap.activation, counted), over)],
        ] as const;
      });
    }),
  );
}

/** `‖W_f‖²` of each column f of a row-major `[D, F]` matrix: `[F]`. */
export function columnEnergies(weight: Float32Array, neurons: number): Float64Array {
  const energies = new Float64Array(neurons);
  for (let row = 0; row < weight.length; row += neurons)
    for (let f = 0; f < neurons; f++) energies[f]! += weight[row + f]! ** 2;
  return energies;
}

/** `‖W_f‖²` of each row f of a row-major `[F, D]` matrix: `[F]`. */
export function rowEnergies(weight: Float32Array, neurons: number): Float64Array {
  const energies = new Float64Array(neurons);
  const width = weight.length / neurons;
  for (let i = 0; i < weight.length; i++) energies[Math.floor(i / width)]! += weight[i]! ** 2;
  return energies;
}

/** `Σ_f values_f · W_f`, the columns of a row-major `[D, F]` matrix weighted and added: `[D]`. */
export function weightedColumns(weight: Float32Array, values: Float64Array): Float64Array {
  const neurons = values.length;
  const sums = new Float64Array(weight.length / neurons);
  for (let i = 0; i < weight.length; i++) sums[Math.floor(i / neurons)]! += weight[i]! * values[i % neurons]!;
  return sums;
}

/** One layer's neurons when some must go. */
export interface LayerNeurons {
  /** How much each neuron gives, ≥ 0: `[F]`. */
  readonly scores: Float64Array;
  /** 1 kept, 0 gone; changed in place. */
  readonly mask: Float32Array;
}

/**
 * Switches the lowest-scored neurons off until `keep` of them, a share, are left: of each layer, or of all layers together.
 *
 * A neuron that is off stays off, and no layer loses its last one; equal scores go by index.
 */
export function removeLowest(layers: readonly LayerNeurons[], keep: number, scope: "layer" | "global"): void {
  if (scope === "layer") {
    for (const layer of layers) removeFrom([candidates(layer)], keptCount(keep, layer.mask.length));
    return;
  }
  const total = layers.reduce((sum, { mask }) => sum + mask.length, 0);
  removeFrom(layers.map(candidates), Math.max(layers.length, Math.round(keep * total)));
}

const keptCount = (keep: number, neurons: number) => Math.max(1, Math.round(keep * neurons));

interface Candidate {
  readonly mask: Float32Array;
  readonly neuron: number;
  readonly score: number;
}

/** A layer's live neurons, the best first. */
function candidates({ scores, mask }: LayerNeurons): Candidate[] {
  const live: Candidate[] = [];
  for (let neuron = 0; neuron < mask.length; neuron++)
    if (mask[neuron] === 1) live.push({ mask, neuron, score: scores[neuron]! });
  return live.sort(byScore);
}

const byScore = (a: Candidate, b: Candidate) => b.score - a.score || a.neuron - b.neuron;

function removeFrom(groups: readonly (readonly Candidate[])[], kept: number): void {
  const removable = groups.flatMap((group) => group.slice(1)).sort(byScore);
  const spared = groups.filter((group) => group.length > 0).length;
  for (const { mask, neuron } of removable.slice(Math.max(0, kept - spared))) mask[neuron] = 0;
}
