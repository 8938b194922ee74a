// Neurons as wholes: masks that switch them off, the energy of each, and which of them goes first.
import { div, max, mul, type Value } from "../graph/index.ts";
import type { Hooks, Site } from "../nn/index.ts";
import { attendedPositions, type StackMasks, sumOfSquares, type Tap } from "./tap.ts";

const MASK = "neuron_mask";

/** The mask's name at an activation's site: 1 for a neuron that is kept, 0 for one that is gone, `[F]`. */
export function maskName(site: string): string {
  return `${site}.${MASK}`;
}

/** Whether a parameter is a neuron mask. */
export function isNeuronMask(name: string): boolean {
  return name.endsWith(`.${MASK}`);
}

/** Multiplies every MLP's activation by its mask, a buffer `neuron_mask` `[F]` that begins as ones. */
export function neuronMasks(): Hooks {
  return {
    activation: (site: Site, a: Value) => mul(a, site.buffer(MASK, [Number(a.shape.at(-1))], { kind: "ones" })),
  };
}

/** Mean a² of each neuron over the attended positions, by tap: `energy.SITE` `[F]`. */
export function meanEnergies(taps: readonly Tap[], attended: StackMasks): Record<string, Value> {
  return Object.fromEntries(
    taps.map((tap) => {
      const { graph } = tap.activation;
      const mean = graph.at(`${tap.site}/energy`, () => {
        const { sums, count } = sumOfSquares(tap, attendedPositions(tap, attended));
        return div(sums, max(count, 1));
      });
      return [`energy.${tap.site}`, mean];
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
