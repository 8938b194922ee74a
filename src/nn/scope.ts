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

/** A parameter that a model or a method asked for. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
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
  readonly trains?: (name: string) => boolean;
  /** Present while training: the source of dropout masks. */
  readonly noise?: DropoutNoise;
  /** What methods add is frozen too: for a model that is only run. */
  readonly frozen?: boolean;
}

interface Shared {
  readonly graph: Graph;
  readonly hooks: Hooks;
  readonly trains: (name: string) => boolean;
  readonly noise: DropoutNoise | undefined;
  readonly frozen: boolean;
  readonly specs: Map<string, ParameterSpec>;
}

/** A site of the model: a dotted path, and the right to make parameters there. */
export class Scope {
  readonly path: string;
  readonly #shared: Shared;

  private constructor(shared: Shared, path: string) {
    this.#shared = shared;
    this.path = path;
  }

  /** The root of a model under construction. */
  static root(graph: Graph, { hooks = none, trains = () => false, noise, frozen = false }: ScopeOptions = {}): Scope {
    return new Scope({ graph, hooks, trains, noise, frozen, specs: new Map() }, "");
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
    return new Scope(this.#shared, this.path === "" ? name : `${this.path}.${name}`);
  }

  /** Runs `build` with new nodes belonging to this site. */
  at<T>(build: () => T): T {
    return this.graph.at(this.path, build);
  }

  /** The model's own parameter `name` here; frozen unless the method trains it. */
  parameter(name: string, shape: readonly number[], init?: Init): Value {
    return this.#declare(name, shape, !this.#shared.frozen && this.#shared.trains(this.#full(name)), init);
  }

  /** A new, trained parameter that a method adds here. */
  added(name: string, shape: readonly number[], init: Init): Value {
    return this.#declare(name, shape, !this.#shared.frozen, init);
  }

  /** A new value that is kept and fed with the trained ones, and that only a rule changes: a mask. */
  buffer(name: string, shape: readonly number[], init: Init): Value {
    return this.#declare(name, shape, !this.#shared.frozen, init, true);
  }

  /** A new, trained parameter that a method adds to the model as a whole, for several sites to share. */
  shared(name: string, shape: readonly number[], init: Init): Value {
    return new Scope(this.#shared, "").added(name, shape, init);
  }

  #full(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  #declare(name: string, shape: readonly number[], trainable: boolean, init?: Init, buffer = false): Value {
    const full = this.#full(name);
    const known = this.#shared.specs.get(full);
    if (known && known.shape.join() !== shape.join()) throw new InternalError(`${full} asked for with two shapes`);
    if (!known) {
      const rest = { ...(init ? { init } : {}), ...(buffer ? { buffer } : {}) };
      this.#shared.specs.set(full, { name: full, shape, trainable, ...rest });
    }
    return this.graph.parameter(full, shape as Shape, { trainable: (known ?? { trainable }).trainable });
  }
}
