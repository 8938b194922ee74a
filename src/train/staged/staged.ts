// A step stage by stage: one block at a time, keeping only what blocks hand on, for models that one program cannot hold.

import { invariant } from "../../errors.ts";
import { isOp, reachable, type Value } from "../../graph/index.ts";
import { compose } from "../../nn/index.ts";
import { biasCorrections } from "../../optim/index.ts";
import type { Energies } from "../../prune/index.ts";
import type { Program } from "../../runtime/index.ts";
import type { ModelBatch } from "../../tasks/index.ts";
import { streamSeed, type Tensor, zeros } from "../../tensor/index.ts";
import { type GateReadings, READING, readingsOf, summedReadings } from "../gate-importance.ts";
import {
  energiesOf,
  meanOf,
  type OptimizerOptions,
  type OptimizerState,
  resultOf,
  type StepRates,
  type StepResult,
  sumOf,
} from "../optimizer.ts";
import { initialParameters } from "../parameters.ts";
import { shareScalars, stackShares, stepScales } from "../scales.ts";
import { buildStep, type StepGraph } from "../step.ts";
import { blockTap, cutStages, type Kept } from "./staged-cut.ts";
import { differentiateStages } from "./staged-graph.ts";
import { BufferPool, closedShape, openSizes } from "./staged-memory.ts";
import { StagedUpdate } from "./staged-update.ts";

interface StagePrograms {
  readonly makes: readonly Kept[];
  readonly forward: Program | null;
  readonly backward: Program | null;
}

type Tensors = Record<string, Tensor>;

/**
 * A program for each stage, over mapped weights: one for all blocks alike would be fed its weights, a copy of each at each run,
 * for nothing. But so many programs must neither keep memory between runs nor let their threads spin beside the next one's.
 */
const RESTING = { memoryArena: false, sleepThreads: true } as const;

/**
 * AdamW as `Optimizer` does it, in less memory and more time: each block's forward pass is made twice, and state and
 * gradients exist once, on the host, where what blocks hand on is added up. Same gradients but for rounding; checkpoints of either are the other's too.
 */
export class StagedOptimizer {
  readonly graph: StepGraph;
  readonly #options: OptimizerOptions;
  readonly #stages: readonly StagePrograms[];
  readonly #update: StagedUpdate;
  readonly #inputs: readonly Value[];
  readonly #state: Tensors = {};
  readonly #gradients: Tensors = {};
  readonly #buffers: Tensors;
  readonly #pool = new BufferPool();
  #energies: Energies = new Map();
  #gateReadings: GateReadings = new Map();

  private constructor(
    graph: StepGraph,
    options: OptimizerOptions,
    programs: { readonly stages: readonly StagePrograms[]; readonly update: StagedUpdate },
    first: ReadonlyMap<string, Tensor>,
  ) {
    this.graph = graph;
    this.#options = options;
    this.#stages = programs.stages;
    this.#update = programs.update;
    this.#inputs = reachable([graph.gradient["loss"]!]).flatMap((node) => (isOp(node, "input") ? node.outputs : []));
    for (const { name, shape } of graph.trainable) {
      this.#state[name] = first.get(name)!;
      this.#state[`m.${name}`] = zeros("float32", shape);
      this.#state[`v.${name}`] = zeros("float32", shape);
      this.#gradients[`grad.${name}`] = zeros("float32", shape);
    }
    this.#buffers = Object.fromEntries(graph.buffers.map(({ name }) => [name, first.get(name)!]));
  }

  /** Builds, cuts, compiles and draws first values. Errors as `Optimizer.open`. */
  static async open(options: OptimizerOptions): Promise<StagedOptimizer> {
    const { method, backend, weights } = options;
    const tap = blockTap();
    const graph = buildStep({ ...options, method: { ...method, hooks: compose(tap.hooks, method.hooks) } });
    const results = Object.fromEntries(
      Object.entries(graph.gradient).filter(([name]) => !name.startsWith("next.") && !name.startsWith(READING.squares)),
    );
    const { graph: whole } = results["loss"]!;
    const trainable = graph.trainable.map(({ name, shape }) => whole.parameter(name, shape, { trainable: true }));
    const first = await initialParameters([...graph.trainable, ...graph.buffers], weights, options.seed);
    const sensitive = new Map(graph.sensitive.map((of) => [`${READING.squares}${of.site}`, of]));
    const probes = Object.fromEntries(Array.from(sensitive, ([name, { added }]) => [name, added]));
    const compile = { ...RESTING, ...options.compile, weights };
    const opened: Program[] = [];
    const open = async (outputs: Readonly<Record<string, Value>> | null) => {
      if (!outputs) return null;
      const program = await backend.compile(outputs, compile);
      opened.push(program);
      return program;
    };
    try {
      const stages: StagePrograms[] = [];
      for (const { stage, forward, backward } of differentiateStages(
        cutStages({ ...results, ...probes }, tap.blocks),
        trainable,
        sensitive,
      ))
        stages.push({ makes: stage.makes, forward: await open(forward), backward: await open(backward) });
      const update = await StagedUpdate.open(graph, backend, compile);
      return new StagedOptimizer(graph, options, { stages, update }, first);
    } catch (error) {
      for (const program of opened) await program.dispose();
      throw error;
    }
  }

  /** The current state; the tensors change with the next step: copy what must last. */
  async readState(): Promise<OptimizerState> {
    return { parameters: await this.readParameters(), m: this.#pick("m."), v: this.#pick("v.") };
  }

  /** The current parameters and buffers that are wanted, as `readState` gives them. */
  async readParameters(isWanted: (name: string) => boolean = () => true): Promise<ReadonlyMap<string, Tensor>> {
    return new Map([...this.#pick(""), ...Object.entries(this.#buffers)].filter(([name]) => isWanted(name)));
  }

  #pick(prefix: string): Map<string, Tensor> {
    return new Map(this.graph.trainable.map(({ name }) => [name, this.#state[`${prefix}${name}`]!]));
  }

  /** Of the last step. */
  get energies(): Energies {
    return this.#energies;
  }

  /** Of the last step. */
  get gateReadings(): GateReadings {
    return this.#gateReadings;
  }

  /** The last step's gradients by parameter, before clipping; overwritten by the next. */
  get gradients(): ReadonlyMap<string, Tensor> {
    return new Map(this.graph.trainable.map(({ name }) => [name, this.#gradients[`grad.${name}`]!]));
  }

  /** Takes over a stored state. */
  async restore({ parameters, m, v }: OptimizerState): Promise<void> {
    const set = (target: Tensor, from: Tensor) => (target.data as Float32Array).set(from.data as Float32Array);
    for (const { name } of this.graph.trainable) {
      set(this.#state[name]!, parameters.get(name)!);
      set(this.#state[`m.${name}`]!, m.get(name)!);
      set(this.#state[`v.${name}`]!, v.get(name)!);
    }
    for (const [name, buffer] of Object.entries(this.#buffers)) set(buffer, parameters.get(name)!);
  }

  /** One optimiser step over the micro-batches, `step` counted from 1. */
  async step(step: number, batches: readonly ModelBatch[], rates: StepRates): Promise<StepResult> {
    const scales = stepScales(this.graph, batches, this.#options.density?.positions ?? "all");
    const { gateFeeds, ...numbers } = rates;
    const counts = { ...scales, ...numbers, ...gateFeeds?.layerWeights, ...biasCorrections(step) };
    const scalars = { ...scalarTensors(counts), ...gateFeeds?.centres };
    for (const { data } of Object.values(this.#gradients)) (data as Float32Array).fill(0);
    const parts: StepResult[] = [];
    const energies: Energies[] = [];
    const readings: GateReadings[] = [];
    const shares = stackShares(this.graph.numVirtualTokens, batches);
    for (const [micro, batch] of batches.entries()) {
      const seed = streamSeed(this.#options.seed, "dropout", step, micro) >>> 0;
      const dropoutSeed: Tensor = { dtype: "uint32", shape: [], data: Uint32Array.of(seed) };
      const results = await this.#differentiate({
        ...batch.inputs,
        ...scalars,
        ...scalarTensors(shareScalars(shares, micro)),
        dropoutSeed,
      });
      parts.push(resultOf(results, null));
      energies.push(energiesOf(results));
      readings.push(readingsOf(results));
    }
    this.#energies = meanOf(energies, this.graph.stacks, shares);
    this.#gateReadings = summedReadings(readings);
    return { ...sumOf(parts), gradNorm: await this.#update.run(this.#state, this.#gradients, scalars) };
  }

  async dispose(): Promise<void> {
    for (const { forward, backward } of this.#stages) {
      await forward?.dispose();
      await backward?.dispose();
    }
    await this.#update.dispose();
  }

  /** Forward through all stages and back: adds to the gradients, gives the results. */
  async #differentiate(fed: Readonly<Tensors>): Promise<Tensors> {
    const sizes = openSizes(this.#inputs, fed);
    /** What stages hand on, as the programs' inputs name it: `kept.N`, `cotangent.N`. */
    const live: Tensors = {};
    const results: Tensors = {};
    const run = async (program: Program) => {
      const feeds = { ...this.#state, ...this.#buffers, ...this.#gradients, ...fed, ...live };
      const into = this.#targets(program, sizes);
      for (const [name, tensor] of Object.entries(await program.run(feeds, into)))
        this.#note(name, tensor, live, results);
    };
    for (const { forward } of this.#stages) if (forward) await run(forward);
    for (const { makes, backward } of [...this.#stages].reverse()) {
      if (backward) await run(backward);
      // whoever reads what this stage made stands behind it, and is done
      for (const { index } of makes) {
        for (const name of [`kept.${index}`, `cotangent.${index}`]) {
          if (live[name]) this.#pool.give(live[name]);
          delete live[name];
        }
      }
    }
    invariant(Object.keys(live).length === 0, "a stage left what nobody reads");
    return results;
  }

  /** Where a program writes: gradients over their sums, and what is handed on into pooled memory. */
  #targets({ outputs }: Program, sizes: ReadonlyMap<string, number>): Tensors {
    const targets: Tensors = {};
    for (const { name, dtype, shape } of outputs) {
      if (name.startsWith("next.grad.")) targets[name] = this.#gradients[name.slice("next.".length)]!;
      else if (/^(made|next\.cotangent)\.\d+$/.test(name))
        targets[name] = this.#pool.take(dtype, closedShape(shape, sizes));
    }
    return targets;
  }

  #note(name: string, tensor: Tensor, live: Tensors, results: Tensors): void {
    const made = /^made\.(\d+)$/.exec(name);
    const cotangent = /^next\.(cotangent\.\d+)$/.exec(name)?.[1];
    if (made) live[`kept.${made[1]}`] = tensor;
    else if (cotangent !== undefined) {
      const sum = live[cotangent];
      if (!sum) live[cotangent] = tensor;
      else {
        // read by several stages, as the encoder's end is by every decoder block
        addInto(sum, tensor);
        this.#pool.give(tensor);
      }
    } else if (!name.startsWith("next.")) results[name] = tensor;
  }
}

function scalarTensors(values: Readonly<Record<string, number>>): Tensors {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { dtype: "float32", shape: [], data: Float32Array.of(value) } as const,
    ]),
  );
}

function addInto(sum: Tensor, { data }: Tensor): void {
  const [to, from] = [sum.data as Float32Array, data as Float32Array];
  for (let i = 0; i < to.length; i++) to[i]! += from[i]!;
}
