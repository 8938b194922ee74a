// Gradual removal: when the masks of neurons change, by which scores, and what of it a checkpoint holds.
import { columnEnergies, maskName, removeLowest, rowEnergies } from "../density/index.ts";
import { UnsupportedError } from "../errors.ts";
import type { MlpSite } from "../models/index.ts";
import { keptShareAt } from "../optim/index.ts";
import { type MethodSettings, mergedWeights } from "../peft/index.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import type { Energies } from "./optimizer.ts";

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
 */
export class NeuronRemoval {
  readonly #options: RemovalOptions;
  /** Running energies by activation site, float32, so that a checkpoint holds them to the bit. */
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

  /** Takes in the energies of the step that made `step` steps, and changes the masks where they are due. */
  async note(step: number, energies: Energies, parameters: ReadonlyMap<string, Tensor>): Promise<void> {
    for (const [site, latest] of energies) this.#smooth(site, latest);
    const { keep, startStep, endStep, interval, scope } = this.#options;
    if (step <= startStep || step > endStep) return;
    if ((step - startStep) % interval !== 0 && step !== endStep) return;
    const layers = [];
    for (const site of this.#sites()) {
      const mask = parameters.get(maskName(site.activation))!.data as Float32Array;
      layers.push({ scores: await this.#scores(site, parameters), mask });
    }
    removeLowest(layers, keptShareAt(keep, startStep, endStep, step), scope);
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

  async #scores({ activation, out, into }: MlpSite, parameters: ReadonlyMap<string, Tensor>): Promise<Float64Array> {
    const { weights, method } = this.#options;
    const energies = this.#energies.get(activation)!.data as Float32Array;
    const isMerged = method.kind === "lora" || method.kind === "full";
    const effective = isMerged ? mergedWeights(weights, parameters, method) : weights;
    const columns = columnEnergies(await matrix(effective, out), energies.length);
    const factor = into[1] === undefined ? null : rowEnergies(await matrix(effective, into[1]), energies.length);
    return columns.map((norm, f) => norm * energies[f]! * (factor?.[f] ?? 1));
  }
}

async function matrix(weights: Weights, site: string): Promise<Float32Array> {
  const stored = weights.get(`${site}.weight`);
  if (stored?.dtype !== "float32")
    throw new UnsupportedError(`removal of neurons over ${stored?.dtype ?? "missing"} weights at ${site}`, ["float32"]);
  return (await stored.read()).data as Float32Array;
}
