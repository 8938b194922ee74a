// Runs steps: owns the compiled programs and two sets of buffers, so that no step allocates its results.

import { biasCorrections } from "../optim/index.ts";
import type { Energies } from "../prune/index.ts";
import type { Backend, CompileOptions, Feeds, Program } from "../runtime/index.ts";
import type { ModelBatch, ModelBundle } from "../tasks/index.ts";
import { scalarOf, streamSeed, type Tensor, zeros } from "../tensor/index.ts";
import { initialParameters } from "./parameters.ts";
import { stepScales } from "./scales.ts";
import { buildStep, type StepGraph, type StepOptions } from "./step.ts";

/** What changes from step to step. */
export interface StepRates {
  readonly learningRate: number;
  readonly densityWeight: number;
  readonly epsilon: number;
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
}

const ENERGY = "energy.";

export interface OptimizerOptions extends StepOptions, Pick<ModelBundle, "weights"> {
  readonly backend: Backend;
  readonly seed: number;
  readonly accumulate: number;
  readonly compile?: Omit<CompileOptions, "weights">;
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
  #now: Record<string, Tensor>;
  #next: Record<string, Tensor>;
  readonly #buffers: Record<string, Tensor>;
  #energies: Energies = new Map();

  private constructor(
    graph: StepGraph,
    options: OptimizerOptions,
    programs: Programs,
    first: ReadonlyMap<string, Tensor>,
  ) {
    this.graph = graph;
    this.#options = options;
    this.#programs = programs;
    this.#now = stateBuffers(graph, first);
    this.#next = stateBuffers(graph, first);
    this.#buffers = Object.fromEntries(graph.buffers.map(({ name }) => [name, first.get(name)!]));
  }

  /** Builds, compiles and draws first values. Errors as `Backend.compile` and `initialParameters`. */
  static async open(options: OptimizerOptions): Promise<Optimizer> {
    const graph = buildStep(options);
    const first = await initialParameters([...graph.trainable, ...graph.buffers], options.weights, options.seed);
    const { backend, weights } = options;
    const compile = (outputs: StepGraph["step"]) => backend.compile(outputs, { ...options.compile, weights });
    const programs =
      options.accumulate === 1
        ? { step: await compile(graph.step) }
        : { gradient: await compile(graph.gradient), update: await compile(graph.update) };
    return new Optimizer(graph, options, programs, first);
  }

  /** The current state; the tensors change with the next step but one: copy what must last. */
  get state(): OptimizerState {
    const pick = (prefix: string) =>
      new Map(this.graph.trainable.map(({ name }) => [name, this.#now[`${prefix}${name}`]!]));
    const parameters = new Map([...pick(""), ...Object.entries(this.#buffers)]);
    return { parameters, m: pick("m."), v: pick("v.") };
  }

  /** Of the last step. */
  get energies(): Energies {
    return this.#energies;
  }

  /** Takes over a stored state. */
  restore({ parameters, m, v }: OptimizerState): void {
    for (const { name } of this.graph.trainable) {
      (this.#now[name]!.data as Float32Array).set(parameters.get(name)!.data as Float32Array);
      (this.#now[`m.${name}`]!.data as Float32Array).set(m.get(name)!.data as Float32Array);
      (this.#now[`v.${name}`]!.data as Float32Array).set(v.get(name)!.data as Float32Array);
    }
    for (const [name, { data }] of Object.entries(this.#buffers))
      (data as Float32Array).set(parameters.get(name)!.data as Float32Array);
  }

  /** One optimiser step over the micro-batches, `step` counted from 1. */
  async step(step: number, batches: readonly ModelBatch[], rates: StepRates): Promise<StepResult> {
    const scales = stepScales(this.graph, batches, this.#options.density?.positions ?? "all");
    const scalars = { ...scales, ...rates, ...biasCorrections(step) };
    return this.#programs.step
      ? this.#single(this.#programs.step, step, batches[0]!, scalars)
      : this.#accumulated(this.#programs.gradient!, this.#programs.update!, step, batches, scalars);
  }

  async dispose(): Promise<void> {
    for (const program of Object.values(this.#programs)) await program?.dispose();
  }

  async #single(
    program: Program,
    step: number,
    batch: ModelBatch,
    scalars: Readonly<Record<string, number>>,
  ): Promise<StepResult> {
    const outputs = await program.run(this.#feeds(program, step, 0, batch, scalars), this.#targets(program));
    this.#swap();
    this.#energies = meanOf([energiesOf(outputs)]);
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
    let sums: Record<string, Tensor> = Object.fromEntries(
      this.graph.trainable.map(({ name, shape }) => [`grad.${name}`, zeros("float32", shape)]),
    );
    const parts: StepResult[] = [];
    for (const [micro, batch] of batches.entries()) {
      const outputs = await gradient.run({ ...this.#feeds(gradient, step, micro, batch, scalars), ...sums });
      sums = Object.fromEntries(
        this.graph.trainable.map(({ name }) => [`grad.${name}`, outputs[`next.grad.${name}`]!]),
      );
      energies.push(energiesOf(outputs));
      parts.push(resultOf(outputs, null));
    }
    const outputs = await update.run({ ...this.#now, ...sums, ...scalarFeeds(update, scalars) }, this.#targets(update));
    this.#swap();
    this.#energies = meanOf(energies);
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
      ...batch.inputs,
      ...scalarFeeds(program, scalars),
      dropoutSeed: { dtype: "uint32", shape: [], data: Uint32Array.of(dropoutSeed) },
    };
  }

  #targets(program: Program): Record<string, Tensor> {
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

function stateBuffers(graph: StepGraph, first: ReadonlyMap<string, Tensor>): Record<string, Tensor> {
  const buffers: Record<string, Tensor> = {};
  for (const { name, shape } of graph.trainable) {
    buffers[name] = { dtype: "float32", shape, data: first.get(name)!.data.slice() };
    buffers[`m.${name}`] = zeros("float32", shape);
    buffers[`v.${name}`] = zeros("float32", shape);
  }
  return buffers;
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

/** The mean over micro-batches. */
export function meanOf(micros: readonly Energies[]): Energies {
  if (micros.length === 1) return micros[0]!;
  const mean = (site: string, first: Float32Array) =>
    first.map((_, f) => micros.reduce((sum, energies) => sum + energies.get(site)![f]!, 0) / micros.length);
  return new Map(Array.from(micros[0]!, ([site, first]) => [site, mean(site, first)]));
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
