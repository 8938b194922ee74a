// Gradual removal: when the masks of neurons change, by which scores, and what of it a checkpoint holds.

import { UnsupportedError } from "../../errors.ts";
import { type MlpSite, neuronRows, partOf } from "../../models/index.ts";
import { keptShareAt } from "../../optim/index.ts";
import { isMergeable, type MethodSettings, mergedWeights } from "../../peft/index.ts";
import type { Tensor, Weights } from "../../tensor/index.ts";
import {
  columnEnergies,
  compensationBiasName,
  maskName,
  meanName,
  removeLowest,
  rowEnergies,
  weightedColumns,
} from "./neuron-masks.ts";

/** Mean a² of each neuron over the step's attended positions, by activation site; empty unless asked for. */
export type Energies = ReadonlyMap<string, Float32Array>;

/** Removal of neurons between two points of a run. */
export interface RemovalOptions {
  /** Share of neurons left at the end, in (0, 1]. */
  readonly keep: number;
  /** Steps after which the first neurons go, and after which the last have gone. */
  readonly startStep: number;
  readonly endStep: number;
  /** Steps between two changes of the masks. */
  readonly interval: number;
  /** Every layer keeps the same share, or all layers compete. */
  readonly scope: "layer" | "global";
  readonly sites: readonly MlpSite[];
  /** The base's tensors, for its matrices. */
  readonly weights: Weights;
  readonly method: MethodSettings;
}

/** Memory of the running energy: about the last 50 steps. */
const MEMORY = 1 / 50;

/**
 * Masks that lose neurons by a cubic schedule. The score of neuron f is `E[a_f²] · ‖W_f‖²`: its running energy over
 * attended positions, times the squared norm of its column of the last matrix as it stands, LoRA's update
 * included; with a gated MLP also times the squared norm of its row of the factor's matrix.
 *
 * What neurons gave on average when they went, `Σ mean_f · W_f`, stays where the model has a shift for it: a constant that no
 * neuron has to make up for.
 */
export class NeuronRemoval {
  readonly #options: RemovalOptions;
  /** Running energies by activation site and means by their names, float32, so that a checkpoint holds them to the bit. */
  readonly #energies = new Map<string, Tensor>();

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** Steps after which no neuron goes any more. */
  get endStep(): number {
    return this.#options.endStep;
  }

  /** What a checkpoint keeps beside the masks, which are parameters. */
  get state(): ReadonlyMap<string, Tensor> {
    return this.#energies;
  }

  /** Takes over a stored state. */
  restore(state: ReadonlyMap<string, Tensor>): void {
    this.#energies.clear();
    for (const [site, { dtype, shape, data }] of state) this.#energies.set(site, { dtype, shape, data: data.slice() });
  }

  /** Takes in the energies of the step that made `step` steps, and changes the masks, among the parameters that are read, where they are due. */
  async note(
    step: number,
    energies: Energies,
    readParameters: () => Promise<ReadonlyMap<string, Tensor>>,
  ): Promise<void> {
    for (const [site, latest] of energies) this.#smooth(site, latest);
    const { keep, startStep, endStep, interval, scope } = this.#options;
    if (step <= startStep || step > endStep) return;
    if ((step - startStep) % interval !== 0 && step !== endStep) return;
    const parameters = await readParameters();
    const layers = [];
    for (const site of this.#sites()) {
      const mask = parameters.get(maskName(site.activation))!.data as Float32Array;
      const out = await this.#out(site, parameters);
      layers.push({ site, mask, before: mask.slice(), out, scores: await this.#scores(site, out, parameters) });
    }
    removeLowest(layers, keptShareAt(keep, startStep, endStep, step), scope);
    for (const { site, mask, before, out } of layers) {
      const shift = parameters.get(compensationBiasName(site.sublayer));
      const means = this.#energies.get(meanName(site.activation));
      if (shift === undefined || means === undefined) continue;
      const gone = Float64Array.from(means.data as Float32Array, (mean, f) => mean * (before[f]! - mask[f]!));
      weightedColumns(out, gone).forEach((value, d) => {
        (shift.data as Float32Array)[d]! += value;
      });
    }
  }

  /** Share of all neurons that the masks leave. */
  keptShare(parameters: ReadonlyMap<string, Tensor>): number {
    let kept = 0;
    let total = 0;
    for (const { activation } of this.#sites()) {
      const mask = parameters.get(maskName(activation))!.data as Float32Array;
      for (const one of mask) kept += one;
      total += mask.length;
    }
    return total === 0 ? 1 : kept / total;
  }

  #smooth(site: string, latest: Float32Array): void {
    const running = this.#energies.get(site)?.data as Float32Array | undefined;
    if (!running) {
      this.#energies.set(site, { dtype: "float32", shape: [latest.length], data: latest.slice() });
      return;
    }
    for (let f = 0; f < latest.length; f++) running[f]! += MEMORY * (latest[f]! - running[f]!);
  }

  /** Those whose MLPs are there, in the order of the model. */
  #sites(): MlpSite[] {
    return this.#options.sites.filter(({ activation }) => this.#energies.has(activation));
  }

  /** The last matrix `[D, F]` as it stands. */
  #out({ out }: MlpSite, parameters: ReadonlyMap<string, Tensor>): Promise<Float32Array> {
    return matrix(this.#effective(parameters), out);
  }

  #effective(parameters: ReadonlyMap<string, Tensor>): Weights {
    const { weights, method } = this.#options;
    return isMergeable(method) ? mergedWeights(weights, parameters, method) : weights;
  }

  async #scores(site: MlpSite, out: Float32Array, parameters: ReadonlyMap<string, Tensor>): Promise<Float64Array> {
    const energies = this.#energies.get(site.activation)!.data as Float32Array;
    const columns = columnEnergies(out, energies.length);
    const [, rows] = neuronRows(site);
    const factor =
      rows === undefined
        ? null
        : rowEnergies(partOf(await matrix(this.#effective(parameters), rows.path), rows), energies.length);
    return columns.map((norm, f) => norm * energies[f]! * (factor?.[f] ?? 1));
  }
}

async function matrix(weights: Weights, site: string): Promise<Float32Array> {
  const stored = weights.get(`${site}.weight`);
  if (stored?.dtype !== "float32")
    throw new UnsupportedError(`removal of neurons over ${stored?.dtype ?? "missing"} weights at ${site}`, ["float32"]);
  return (await stored.read()).data as Float32Array;
}
