// Where a layer stands in a model: its path is its checkpoint name, and it creates the parameters under that name.

import { InternalError } from "../errors.ts";
import type { Graph, Shape, Value } from "../graph/index.ts";
import type { DropoutNoise } from "./dropout.ts";
import { type Hooks, none } from "./hooks.ts";

/** How a parameter that no checkpoint holds begins. */
export type Init =
  | { readonly kind: "zeros" }
  | { readonly kind: "ones" }
  | { readonly kind: "constant"; readonly value: number }
  /** Normal with mean 0. */
  | { readonly kind: "normal"; readonly std: number }
  /** Uniform in ±1/√fanIn, as torch's `kaiming_uniform_(a=√5)` on a `[out, in]` matrix. */
  | { readonly kind: "kaiming" }
  /** Uniform in ±bound. */
  | { readonly kind: "uniform"; readonly bound: number }
  /** Rows of a table that the checkpoint holds, one for each row of the parameter. */
  | { readonly kind: "rows"; readonly table: string; readonly ids: readonly number[] };

/** What kind of layer one of a model's own parameters is of: a linear layer, a table whose rows are looked up, or a norm. */
export type Role = "linear" | "table" | "norm";

/** A transformer block: the number of its layer in a stack, and its path. */
export interface Block {
  readonly kind: "block";
  readonly stack: Stack;
  readonly layer: number;
  readonly path: string;
}

/** The stacks of blocks that models have. */
export type Stack = "encoder" | "decoder";

/**
 * The part of a model that a site belongs to: a block; the task's head, which every method trains; or the vocabulary's head of a
 * language model. Null for what stands around them: embeddings, poolers, norms of a stack.
 */
export type Part = Block | { readonly kind: "head" | "vocabulary"; readonly path: string } | null;

/** One of a model's own parameters and its place in the model. */
export interface ModelParameter {
  readonly name: string;
  readonly role: Role;
  readonly part: Part;
}

/** A parameter that a model or a method asked for. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Absent for what a method adds. */
  readonly role?: Role;
  readonly part: Part;
  readonly trainable: boolean;
  /** Absent: the checkpoint must hold it. */
  readonly init?: Init;
  /** Kept and fed with what is trained, and changed by rule: no gradient reaches it. */
  readonly buffer?: true;
}

export interface ScopeOptions {
  /** Middleware of the forward pass. */
  readonly hooks?: Hooks;
  /** Which of the model's own parameters are trained; none by default. */
  readonly trains?: (parameter: ModelParameter) => boolean;
  /** Present while training: the source of dropout masks. */
  readonly noise?: DropoutNoise;
  /** What methods add is frozen too: for a model that is only run. */
  readonly frozen?: boolean;
}

interface Shared {
  readonly graph: Graph;
  readonly hooks: Hooks;
  readonly trains: (parameter: ModelParameter) => boolean;
  readonly noise: DropoutNoise | undefined;
  readonly frozen: boolean;
  readonly specs: Map<string, ParameterSpec>;
}

/** A site of the model: a dotted path, and the right to make parameters there. */
export class Scope {
  readonly path: string;
  /** What of the model this site belongs to. */
  readonly part: Part;
  readonly #shared: Shared;

  private constructor(shared: Shared, path: string, part: Part) {
    this.#shared = shared;
    this.path = path;
    this.part = part;
  }

  /** The root of a model under construction. */
  static root(graph: Graph, { hooks = none, trains = () => false, noise, frozen = false }: ScopeOptions = {}): Scope {
    return new Scope({ graph, hooks, trains, noise, frozen, specs: new Map() }, "", null);
  }

  get graph(): Graph {
    return this.#shared.graph;
  }

  get hooks(): Hooks {
    return this.#shared.hooks;
  }

  get noise(): DropoutNoise | undefined {
    return this.#shared.noise;
  }

  /** Every parameter asked for so far, in order. */
  get parameters(): readonly ParameterSpec[] {
    return [...this.#shared.specs.values()];
  }

  /** The site `name` below this one; dots go several levels down. */
  child(name: string): Scope {
    return new Scope(this.#shared, this.#full(name), this.part);
  }

  /** The site `name` below this one, where a block of a stack begins. */
  block(name: string, stack: Stack, layer: number): Scope {
    const path = this.#full(name);
    return new Scope(this.#shared, path, { kind: "block", stack, layer, path });
  }

  /** The site `name` below this one, where a head begins: the task's, or the vocabulary's. */
  head(name: string, kind: "head" | "vocabulary" = "head"): Scope {
    const path = this.#full(name);
    return new Scope(this.#shared, path, { kind, path });
  }

  /** Runs `build` with new nodes belonging to this site. */
  at<T>(build: () => T): T {
    return this.graph.at(this.path, build);
  }

  /** The model's own parameter `name` here; frozen unless the method trains it. */
  parameter(name: string, shape: readonly number[], role: Role, init?: Init): Value {
    const { frozen, trains } = this.#shared;
    const isTrained = !frozen && trains({ name: this.#full(name), role, part: this.part });
    return this.#declare(name, shape, isTrained, { role, ...(init ? { init } : {}) });
  }

  /** A new, trained parameter that a method adds here. */
  added(name: string, shape: readonly number[], init: Init): Value {
    return this.#declare(name, shape, !this.#shared.frozen, { init });
  }

  /** A new value that is kept and fed with the trained ones, and that only a rule changes: a mask. */
  buffer(name: string, shape: readonly number[], init: Init): Value {
    return this.#declare(name, shape, !this.#shared.frozen, { init, buffer: true });
  }

  /** A new, trained parameter that a method adds to the model as a whole, for several sites to share. */
  shared(name: string, shape: readonly number[], init: Init): Value {
    return new Scope(this.#shared, "", null).added(name, shape, init);
  }

  #full(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  #declare(
    name: string,
    shape: readonly number[],
    trainable: boolean,
    facts: Pick<ParameterSpec, "role" | "init" | "buffer">,
  ): Value {
    const full = this.#full(name);
    const known = this.#shared.specs.get(full);
    if (known && known.shape.join() !== shape.join()) throw new InternalError(`${full} asked for with two shapes`);
    if (!known) this.#shared.specs.set(full, { name: full, shape, trainable, part: this.part, ...facts });
    return this.graph.parameter(full, shape as Shape, { trainable: (known ?? { trainable }).trainable });
  }
}
