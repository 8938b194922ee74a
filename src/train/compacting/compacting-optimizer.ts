// Steps that get cheaper while neurons go: at a few points of a run the step is compiled anew without those that are gone.
import { invariant } from "../../errors.ts";
import type { JsonObject } from "../../hub/index.ts";
import { anyModel } from "../../models/index.ts";
import type { Method } from "../../peft/index.ts";
import { applyPlan, type Energies, isNeuronMask, unchanged } from "../../prune/index.ts";
import type { ModelBatch } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { GateReadings } from "../gate-importance.ts";
import { type OpenOptions, openOptimizer, type TrainStep } from "../open-optimizer.ts";
import type { OptimizerState, StepRates, StepResult } from "../optimizer.ts";
import type { StepGraph } from "../step.ts";
import {
  columnsBySite,
  keptBytes,
  type LeftNeurons,
  NeuronSlices,
  type ReducedMlp,
  reducedMlps,
  wholeEnergies,
} from "./left-neurons.ts";

export interface CompactionOptions {
  /** The base's config.json. */
  readonly config: JsonObject;
  /** The method without masks of neurons: for steps behind the last of these, when no neuron goes any more. */
  readonly settled: Method;
  /** Steps after which neurons that are gone leave the graph, ascending. */
  readonly steps: readonly number[];
}

export interface CompactingOptions extends OpenOptions {
  readonly compaction: CompactionOptions;
}

/** Taken out of their file, matrices lie in memory and in the ONNX file, which holds 2 GB: above this neurons stay behind masks. */
const MOST_BYTES = 1e9;

/** An optimiser over the neurons that are left, as one that knows which those are needs it. */
interface Running {
  readonly optimizer: TrainStep;
  readonly left: LeftNeurons | null;
  readonly mlps: readonly ReducedMlp[];
  readonly slices: NeuronSlices;
}

/**
 * An optimiser of the whole model to whoever drives it: what it shows and takes has the shapes of the whole. Inside, the step is that of
 * a model without the neurons that were gone at the last of some points.
 *
 * A masked neuron gives 0 and gets the gradient 0, so leaving it out changes sums by their rounding alone. Its own parameters and their
 * moments are kept as they were when it left; with a mask AdamW would go on shrinking them, which no output can show.
 */
export class CompactingOptimizer implements TrainStep {
  readonly graph: StepGraph;
  readonly #options: CompactingOptions;
  #running: Running | null;
  /** Parameters and moments that have an axis of neurons, with those that left; brought up to date when they are read. */
  #whole: OptimizerState | null = null;
  /** Masks and shifts, which the removal changes. */
  readonly #buffers: ReadonlyMap<string, Tensor>;

  private constructor(options: CompactingOptions, optimizer: TrainStep, buffers: ReadonlyMap<string, Tensor>) {
    this.graph = optimizer.graph;
    this.#options = options;
    this.#running = { optimizer, left: null, mlps: [], slices: new NeuronSlices([], [], []) };
    this.#buffers = buffers;
  }

  /** Errors as `openOptimizer`. */
  static async open(options: CompactingOptions): Promise<CompactingOptimizer> {
    const optimizer = await openOptimizer(options);
    const names = new Set(optimizer.graph.buffers.map(({ name }) => name));
    const buffers = await optimizer.readParameters((name) => names.has(name));
    return new CompactingOptimizer(options, optimizer, copiesOf(buffers));
  }

  /** The current state, as `Optimizer.readState` gives it. */
  async readState(): Promise<OptimizerState> {
    const { optimizer, left } = this.#opened;
    const { parameters, m, v } = await optimizer.readState();
    return {
      parameters: new Map([...this.#expanded(parameters, "parameters"), ...this.#buffers]),
      m: this.#expanded(m, "m"),
      v: this.#expanded(v, "v"),
      left,
    };
  }

  /** The current parameters and buffers that are wanted, as `readState` gives them. */
  async readParameters(isWanted: (name: string) => boolean = () => true): Promise<ReadonlyMap<string, Tensor>> {
    const buffers = [...this.#buffers].filter(([name]) => isWanted(name));
    const found = await this.#opened.optimizer.readParameters((name) => !this.#buffers.has(name) && isWanted(name));
    return new Map([...this.#expanded(found, "parameters"), ...buffers]);
  }

  /** Of the last step; none once no neuron goes any more. */
  get energies(): Energies {
    const { optimizer, mlps } = this.#opened;
    return wholeEnergies(mlps, optimizer.energies);
  }

  /** Of the last step. */
  get gateReadings(): GateReadings {
    return this.#opened.optimizer.gateReadings;
  }

  /** Takes over a stored state, with the neurons that had left; a state from before there were any is made smaller with the next step. */
  async restore(state: OptimizerState): Promise<void> {
    const { left = null } = state;
    for (const [name, { data }] of this.#buffers)
      (data as Float32Array).set(state.parameters.get(name)!.data as Float32Array);
    if (left === null && this.#opened.left === null) await this.#opened.optimizer.restore(state);
    else await this.#reopen(state, left);
  }

  /** One optimiser step over the micro-batches, `step` counted from 1. */
  async step(step: number, batches: readonly ModelBatch[], rates: StepRates): Promise<StepResult> {
    const due = this.#options.compaction.steps.findLast((point) => point < step);
    if (due !== undefined && due > (this.#opened.left?.step ?? -1)) {
      const masks = copiesOf(new Map([...this.#buffers].filter(([name]) => isNeuronMask(name))));
      await this.#leave({ step: due, masks });
    }
    const { optimizer, slices } = this.#opened;
    for (const [name, { data }] of await optimizer.readParameters((parameter) => this.#buffers.has(parameter)))
      (data as Float32Array).set(slices.taken(name, this.#buffers.get(name)!).data as Float32Array);
    return optimizer.step(step, batches, rates);
  }

  async dispose(): Promise<void> {
    await this.#running?.optimizer.dispose();
    this.#running = null;
  }

  get #opened(): Running {
    invariant(this.#running, "a step of an optimiser that is no more");
    return this.#running;
  }

  /** Goes on without the neurons that left, where others have left since the last time or masks are needed no more. */
  async #leave(left: LeftNeurons): Promise<void> {
    const { mlps, isSettled } = this.#without(left);
    const keptCount = (of: readonly ReducedMlp[]) => of.reduce((sum, mlp) => sum + mlp.kept.length - mlp.of, 0);
    if (keptCount(mlps) === keptCount(this.#opened.mlps) && !isSettled) this.#running = { ...this.#opened, left };
    else await this.#reopen(await this.readState(), left);
  }

  /** What the graph is without the neurons that left: the MLPs that get smaller, and whether no neuron goes any more. */
  #without(left: LeftNeurons | null): { readonly mlps: readonly ReducedMlp[]; readonly isSettled: boolean } {
    const { model, compaction } = this.#options;
    const mlps = reducedMlps(model.mlps, left?.masks ?? new Map());
    const frozen = this.graph.parameters.filter(({ trainable }) => !trainable);
    if (left === null || keptBytes(mlps, frozen) > MOST_BYTES) return { mlps: [], isSettled: false };
    return { mlps, isSettled: left.step === compaction.steps.at(-1) };
  }

  /** Goes on from `state`, of the whole model, without the neurons that left. */
  async #reopen(state: OptimizerState, left: LeftNeurons | null): Promise<void> {
    const { mlps, isSettled } = this.#without(left);
    // what was read may be the old optimiser's own memory
    const whole = { parameters: copiesOf(state.parameters), m: copiesOf(state.m), v: copiesOf(state.v) };
    await this.dispose();
    const optimizer = await openOptimizer(smallerOptions(this.#options, mlps, isSettled));
    const { trainable, buffers } = optimizer.graph;
    const slices = new NeuronSlices(mlps, [...this.graph.trainable, ...this.graph.buffers], [...trainable, ...buffers]);
    this.#running = { optimizer, left, mlps, slices };
    const { parameters, m, v } = whole;
    await optimizer.restore({ parameters: slices.allTaken(parameters), m: slices.allTaken(m), v: slices.allTaken(v) });
    for (const tensors of [parameters, m, v])
      for (const name of tensors.keys()) if (!slices.has(name)) tensors.delete(name);
    this.#whole = whole;
  }

  /** Tensors of the smaller model as those of the whole. */
  #expanded(tensors: ReadonlyMap<string, Tensor>, kind: "parameters" | "m" | "v"): Map<string, Tensor> {
    const { slices } = this.#opened;
    return new Map(
      Array.from(tensors, ([name, tensor]) => {
        if (!slices.has(name)) return [name, tensor];
        const whole = this.#whole![kind].get(name)!;
        slices.put(name, whole, tensor);
        return [name, whole];
      }),
    );
  }
}

/** What the smaller model's step is opened from: sliced weights and config, and once no neuron goes any more neither masks nor energies. */
function smallerOptions(
  { compaction, ...options }: CompactingOptions,
  mlps: readonly ReducedMlp[],
  isSettled: boolean,
): OpenOptions {
  const { config, settled } = compaction;
  const { mlps: sites } = options.model;
  const keptAt = new Map(mlps.map(({ site, kept }) => [site.activation, kept]));
  const plan = unchanged(sites).map((layer) => ({ ...layer, kept: keptAt.get(layer.site) ?? null }));
  const smaller = applyPlan({ config, weights: options.weights }, sites, plan);
  return {
    ...options,
    model: anyModel(smaller.config, "config.json", smaller.weights),
    weights: smaller.weights,
    columns: columnsBySite(mlps),
    ...(isSettled ? { method: settled, neuronEnergies: false } : {}),
  };
}

const copiesOf = (tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(Array.from(tensors, ([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));
