// Runs steps: owns the compiled programs and two sets of buffers, so that no step allocates its results.

import { InternalError } from "../errors.ts";
import { biasCorrections } from "../optim/index.ts";
import { type Energies, meanName } from "../prune/index.ts";
import type { Backend, CompileOptions, DeviceTensor, Feeds, Program } from "../runtime/index.ts";
import { type ModelBatch, type ModelBundle, partsOf } from "../tasks/index.ts";
import { elementCount, inTurn, scalarOf, streamSeed, type Tensor, zeros } from "../tensor/index.ts";
import type { LeftNeurons } from "./compacting/left-neurons.ts";
import { type GateFeeds, type GateReadings, readingsOf, summedReadings } from "./gate-importance.ts";
import { initialParameters } from "./parameters.ts";
import { type StackShares, shareScalars, stackShares, stepScales } from "./scales.ts";
import { buildStep, type StepGraph, type StepOptions } from "./step.ts";

/** What changes from step to step. */
export interface StepRates {
  readonly learningRate: number;
  readonly densityWeight: number;
  readonly epsilon: number;
  /** Where gates are read off the gradient. */
  readonly gateFeeds?: GateFeeds | null;
}

export interface StepResult {
  readonly loss: number;
  readonly taskLoss: number;
  /** 0 without a density loss. */
  readonly densityLoss: number;
  readonly gradNorm: number;
  /** Share of |a| > 0.01 at the step's attended positions; absent unless asked for. */
  readonly density?: number;
}

/** Parameters and AdamW's state, by parameter name; buffers are among the parameters. */
export interface OptimizerState {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly m: ReadonlyMap<string, Tensor>;
  readonly v: ReadonlyMap<string, Tensor>;
  /** The neurons that had left the graph; null or absent where none had. */
  readonly left?: LeftNeurons | null;
}

const ENERGY = "energy.";

export interface OptimizerOptions extends StepOptions, Pick<ModelBundle, "weights"> {
  readonly backend: Backend;
  readonly seed: number;
  readonly accumulate: number;
  /**
   * Take each micro-batch in parts of about so many padded tokens. Where more than `MOST_SUMMED` of the parameters are trained, batches stay
   * whole, since the sums of the gradients would take the memory that parts save. Absent: whole batches.
   */
  readonly partTokens?: number;
  readonly compile?: Omit<CompileOptions, "weights">;
}

/** `P`, `m.P` and `v.P` of every trained parameter P, where the backend keeps them. */
type StateTensors = Readonly<Record<string, DeviceTensor>>;

/** Two sets of state, and the buffers, which are changed on the host. */
interface StateMemory {
  readonly now: StateTensors;
  readonly next: StateTensors;
  readonly buffers: Readonly<Record<string, Tensor>>;
}

interface Programs {
  readonly step?: Program;
  readonly gradient?: Program;
  readonly update?: Program;
}

/** AdamW over a task's trainable parameters. Dispose it to free its sessions. */
export class Optimizer {
  readonly graph: StepGraph;
  readonly #options: OptimizerOptions;
  readonly #programs: Programs;
  /** `now` holds the state, the next step is written into `next`, then they change places. */
  #now: StateTensors;
  #next: StateTensors;
  readonly #buffers: Readonly<Record<string, Tensor>>;
  #energies: Energies = new Map();
  #gateReadings: GateReadings = new Map();
  #centres: GateFeeds["centres"] = {};

  private constructor(
    graph: StepGraph,
    options: OptimizerOptions,
    programs: Programs,
    { now, next, buffers }: StateMemory,
  ) {
    this.graph = graph;
    this.#options = options;
    this.#programs = programs;
    this.#now = now;
    this.#next = next;
    this.#buffers = buffers;
  }

  /** Builds, compiles and draws first values. Errors as `Backend.compile` and `initialParameters`. */
  static async open({ partTokens, ...whole }: OptimizerOptions): Promise<Optimizer> {
    const graph = buildStep(whole);
    const inParts = partTokens !== undefined && isLittleTrained(graph);
    const options = inParts ? { ...whole, partTokens } : whole;
    const first = await initialParameters([...graph.trainable, ...graph.buffers], options.weights, options.seed);
    const { backend, weights } = options;
    const compile = (outputs: StepGraph["step"]) => backend.compile(outputs, { ...options.compile, weights });
    const programs =
      options.accumulate === 1 && !inParts
        ? { step: await compile(graph.step) }
        : { gradient: await compile(graph.gradient), update: await compile(graph.update) };
    const [now, next] = [await placedState(backend, graph, first), await placedState(backend, graph, first)];
    const buffers = Object.fromEntries(graph.buffers.map(({ name }) => [name, first.get(name)!]));
    return new Optimizer(graph, options, programs, { now, next, buffers });
  }

  /** The current state, read from the device; the tensors may change with the next step but one: copy what must last. */
  async readState(): Promise<OptimizerState> {
    return { parameters: await this.readParameters(), m: await this.#read("m."), v: await this.#read("v.") };
  }

  /** The current parameters and buffers that are wanted, as `readState` gives them; buffers are the optimiser's own memory. */
  async readParameters(isWanted: (name: string) => boolean = () => true): Promise<ReadonlyMap<string, Tensor>> {
    const buffers = Object.entries(this.#buffers).filter(([name]) => isWanted(name));
    return new Map([...(await this.#read("", isWanted)), ...buffers]);
  }

  async #read(prefix: string, isWanted: (name: string) => boolean = () => true): Promise<Map<string, Tensor>> {
    const names = this.graph.trainable.map(({ name }) => name).filter(isWanted);
    return new Map(await inTurn(names, async (name) => [name, await this.#now[`${prefix}${name}`]!.read()] as const));
  }

  /** Of the last step. */
  get energies(): Energies {
    return this.#energies;
  }

  /** Of the last step; none where no gates are read off the gradient. */
  get gateReadings(): GateReadings {
    return this.#gateReadings;
  }

  /** Takes over a stored state. */
  async restore({ parameters, m, v }: OptimizerState): Promise<void> {
    for (const { name } of this.graph.trainable) {
      await this.#now[name]!.write(parameters.get(name)!);
      await this.#now[`m.${name}`]!.write(m.get(name)!);
      await this.#now[`v.${name}`]!.write(v.get(name)!);
    }
    for (const [name, { data }] of Object.entries(this.#buffers))
      (data as Float32Array).set(parameters.get(name)!.data as Float32Array);
  }

  /** One optimiser step over the micro-batches, `step` counted from 1. */
  async step(step: number, given: readonly ModelBatch[], rates: StepRates): Promise<StepResult> {
    const { partTokens: most } = this.#options;
    const batches = most === undefined ? given : given.flatMap((batch) => partsOf(batch, most));
    const scales = stepScales(this.graph, batches, this.#options.density?.positions ?? "all");
    const { gateFeeds, ...numbers } = rates;
    const scalars = { ...scales, ...numbers, ...gateFeeds?.layerWeights, ...biasCorrections(step) };
    this.#centres = gateFeeds?.centres ?? {};
    return this.#programs.step
      ? this.#single(this.#programs.step, step, batches[0]!, scalars)
      : this.#accumulated(this.#programs.gradient!, this.#programs.update!, step, batches, scalars);
  }

  async dispose(): Promise<void> {
    for (const program of Object.values(this.#programs)) await program?.dispose();
    for (const tensor of [...Object.values(this.#now), ...Object.values(this.#next)]) await tensor.dispose();
  }

  async #single(
    program: Program,
    step: number,
    batch: ModelBatch,
    scalars: Readonly<Record<string, number>>,
  ): Promise<StepResult> {
    const whole = { ...scalars, ...shareScalars(stackShares(this.graph.numVirtualTokens, [batch]), 0) };
    const outputs = await program.run(this.#feeds(program, step, 0, batch, whole), this.#targets(program));
    this.#swap();
    this.#energies = energiesOf(outputs);
    this.#gateReadings = readingsOf(outputs);
    return resultOf(outputs, outputs["gradNorm"]!);
  }

  async #accumulated(
    gradient: Program,
    update: Program,
    step: number,
    batches: readonly ModelBatch[],
    scalars: Readonly<Record<string, number>>,
  ): Promise<StepResult> {
    const energies: Energies[] = [];
    const shares = stackShares(this.graph.numVirtualTokens, batches);
    let sums: Record<string, Tensor> = Object.fromEntries(
      this.graph.trainable.map(({ name, shape }) => [`grad.${name}`, zeros("float32", shape)]),
    );
    const parts: StepResult[] = [];
    const readings: GateReadings[] = [];
    for (const [micro, batch] of batches.entries()) {
      const ofPart = { ...scalars, ...shareScalars(shares, micro) };
      const outputs = await gradient.run({ ...this.#feeds(gradient, step, micro, batch, ofPart), ...sums });
      sums = Object.fromEntries(
        this.graph.trainable.map(({ name }) => [`grad.${name}`, outputs[`next.grad.${name}`]!]),
      );
      energies.push(energiesOf(outputs));
      parts.push(resultOf(outputs, null));
      readings.push(readingsOf(outputs));
    }
    const outputs = await update.run({ ...this.#now, ...sums, ...scalarFeeds(update, scalars) }, this.#targets(update));
    this.#swap();
    this.#energies = meanOf(energies, this.graph.stacks, shares);
    this.#gateReadings = summedReadings(readings);
    return { ...sumOf(parts), gradNorm: scalarOf(outputs["gradNorm"]!) };
  }

  #feeds(
    program: Program,
    step: number,
    micro: number,
    batch: ModelBatch,
    scalars: Readonly<Record<string, number>>,
  ): Feeds {
    const dropoutSeed = streamSeed(this.#options.seed, "dropout", step, micro) >>> 0;
    return {
      ...this.#now,
      ...this.#buffers,
      ...this.#centres,
      ...batch.inputs,
      ...scalarFeeds(program, scalars),
      dropoutSeed: { dtype: "uint32", shape: [], data: Uint32Array.of(dropoutSeed) },
    };
  }

  #targets(program: Program): StateTensors {
    return Object.fromEntries(
      program.outputs
        .filter(({ name }) => name.startsWith("next."))
        .map(({ name }) => [name, this.#next[name.slice("next.".length)]!]),
    );
  }

  #swap(): void {
    [this.#now, this.#next] = [this.#next, this.#now];
  }
}

async function placedState(
  backend: Backend,
  graph: StepGraph,
  first: ReadonlyMap<string, Tensor>,
): Promise<StateTensors> {
  const placed: Record<string, DeviceTensor> = {};
  for (const { name, shape } of graph.trainable) {
    placed[name] = await backend.place({ dtype: "float32", shape, data: first.get(name)!.data.slice() });
    placed[`m.${name}`] = await backend.place(zeros("float32", shape));
    placed[`v.${name}`] = await backend.place(zeros("float32", shape));
  }
  return placed;
}

function scalarFeeds(program: Program, scalars: Readonly<Record<string, number>>): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const { name } of program.inputs) {
    const value = scalars[name];
    if (value !== undefined) feeds[name] = { dtype: "float32", shape: [], data: Float32Array.of(value) };
  }
  return feeds;
}

/** The neuron energies among the outputs of a run, copied. */
export function energiesOf(outputs: Readonly<Record<string, Tensor>>): Energies {
  const found = Object.entries(outputs).filter(([name]) => name.startsWith(ENERGY));
  return new Map(found.map(([name, { data }]) => [name.slice(ENERGY.length), (data as Float32Array).slice()]));
}

/** The mean over a step's attended positions, from the means of its micro-batches; `stacks` says which stack a site is of. */
export function meanOf(micros: readonly Energies[], stacks: StepGraph["stacks"], shares: StackShares): Energies {
  if (micros.length === 1) return micros[0]!;
  const sharesAt = (name: string) => {
    for (const [site, stack] of stacks) if (name === site || name === meanName(site)) return shares[stack]!;
    throw new InternalError(`energies of ${name}, which is no site`);
  };
  const mean = (name: string, first: Float32Array) => {
    const weights = sharesAt(name);
    return first.map((_, f) => micros.reduce((sum, energies, i) => sum + weights[i]! * energies.get(name)![f]!, 0));
  };
  return new Map(Array.from(micros[0]!, ([name, first]) => [name, mean(name, first)]));
}

/** Of all parameters, the largest share that may be trained where a batch is taken in parts. */
const MOST_SUMMED = 0.05;

function isLittleTrained({ trainable, parameters }: StepGraph): boolean {
  const size = (specs: StepGraph["parameters"]) => specs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return size(trainable) <= MOST_SUMMED * size(parameters);
}

/** Micro-batches add up: each is scaled by its share. */
export function sumOf(parts: readonly StepResult[]): Omit<StepResult, "gradNorm"> {
  const sum = (of: (part: StepResult) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    loss: sum(({ loss }) => loss),
    taskLoss: sum(({ taskLoss }) => taskLoss),
    densityLoss: sum(({ densityLoss }) => densityLoss),
    ...(parts[0]?.density === undefined ? {} : { density: sum(({ density = 0 }) => density) }),
  };
}

/** A run's losses; a norm that is not known yet is NaN. */
export function resultOf(outputs: Readonly<Record<string, Tensor>>, gradNorm: Tensor | null): StepResult {
  return {
    loss: scalarOf(outputs["loss"]!),
    taskLoss: scalarOf(outputs["taskLoss"]!),
    densityLoss: outputs["densityLoss"] ? scalarOf(outputs["densityLoss"]) : 0,
    ...(outputs["density"] ? { density: scalarOf(outputs["density"]) } : {}),
    gradNorm: gradNorm ? scalarOf(gradNorm) : Number.NaN,
  };
}
