// The update of a staged step: clipping and AdamW for a few parameters at a time, written over the state it comes from.
import { Graph, reduceSum, square, transplant, type Value } from "../../graph/index.ts";
import type { Backend, CompileOptions, Program } from "../../runtime/index.ts";
import { elementCount, scalarOf, type Tensor } from "../../tensor/index.ts";
import type { StepGraph } from "../step.ts";

/** Elements updated by one program: its passing results take six times their four bytes. */
const GROUP_ELEMENTS = 2 ** 23;

interface Group {
  readonly names: readonly string[];
  /** `square.P`: the sum of squares of `grad.P`. */
  readonly norm: Program;
  /** `next.P`, `next.m.P`, `next.v.P`, from `gradNorm` and what each begins from. */
  readonly update: Program;
}

/** The update programs of a step. Dispose them to free their sessions. */
export class StagedUpdate {
  readonly #groups: readonly Group[];

  private constructor(groups: readonly Group[]) {
    this.#groups = groups;
  }

  /** Errors as `Backend.compile`. */
  static async open(graph: StepGraph, backend: Backend, compile: CompileOptions): Promise<StagedUpdate> {
    const groups: Group[] = [];
    for (const names of inGroups(graph.trainable)) {
      groups.push({
        names,
        norm: await backend.compile(squares(graph, names), compile),
        update: await backend.compile(updates(graph, names), compile),
      });
    }
    return new StagedUpdate(groups);
  }

  /**
   * Updates `state` (`P`, `m.P`, `v.P`) in place from the summed gradients `grad.P`; gives their global norm.
   * AdamW reads each element once before it writes it, so that state and result may be one buffer.
   */
  async run(
    state: Readonly<Record<string, Tensor>>,
    gradients: Readonly<Record<string, Tensor>>,
    scalars: Readonly<Record<string, Tensor>>,
  ): Promise<number> {
    let total = 0;
    for (const { names, norm } of this.#groups) {
      const outputs = await norm.run(gradients);
      // float32 sums in the order of the one graph
      for (const name of names) total = Math.fround(total + scalarOf(outputs[`square.${name}`]!));
    }
    const gradNorm = Math.fround(Math.sqrt(total));
    const feeds = {
      ...scalars,
      ...state,
      ...gradients,
      gradNorm: { dtype: "float32", shape: [], data: Float32Array.of(gradNorm) } as const,
    };
    for (const { update } of this.#groups) {
      const into = update.outputs.map(({ name }) => [name, state[name.slice("next.".length)]!] as const);
      await update.run(feeds, Object.fromEntries(into));
    }
    return gradNorm;
  }

  async dispose(): Promise<void> {
    for (const { norm, update } of this.#groups) {
      await norm.dispose();
      await update.dispose();
    }
  }
}

function inGroups(trainable: StepGraph["trainable"]): string[][] {
  const groups: string[][] = [];
  let elements = Number.POSITIVE_INFINITY;
  for (const { name, shape } of trainable) {
    if (elements + elementCount(shape) > GROUP_ELEMENTS) {
      groups.push([]);
      elements = 0;
    }
    groups.at(-1)!.push(name);
    elements += elementCount(shape);
  }
  return groups;
}

function squares({ trainable }: StepGraph, names: readonly string[]): Record<string, Value> {
  const graph = new Graph();
  const shapes = new Map(trainable.map(({ name, shape }) => [name, shape]));
  return graph.at("clip", () =>
    Object.fromEntries(
      names.map((name) => [
        `square.${name}`,
        reduceSum(square(graph.input(`grad.${name}`, "float32", shapes.get(name)!))),
      ]),
    ),
  );
}

/** The one graph's update of some parameters, from the norm on. */
function updates({ update }: StepGraph, names: readonly string[]): Record<string, Value> {
  const graph = new Graph();
  const norm = update["gradNorm"]!;
  const given = new Map([[norm, graph.input("gradNorm", norm.dtype, norm.shape)]]);
  const outputs = names.flatMap((name) => [`next.${name}`, `next.m.${name}`, `next.v.${name}`]);
  const made = transplant(
    outputs.map((name) => update[name]!),
    graph,
    given,
  );
  return Object.fromEntries(outputs.map((name, i) => [name, made[i]!]));
}
