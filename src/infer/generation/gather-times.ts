// What reading an MLP's rows costs on this machine, beside its whole matrices: measured once for each shape.
import { add, Graph, mul, type Value } from "../../graph/index.ts";
import { compose, linear, type Projection, Scope } from "../../nn/index.ts";
import type { Backend, Program } from "../../runtime/index.ts";
import { float32, memoryWeights, type Tensor } from "../../tensor/index.ts";
import { gatheredProjection } from "./sparse-mlp.ts";

/** The part of an MLP behind its nonlinearity: `[rows, F]` → `[rows, D]`. */
export interface GatherShape {
  /** D */
  readonly hidden: number;
  /** F */
  readonly neurons: number;
  readonly isGated: boolean;
  /** Tokens of a step. */
  readonly rows: number;
}

/** Milliseconds for one MLP, the least disturbed of several rounds. */
export interface GatherTimes {
  readonly shape: GatherShape;
  readonly denseMs: number;
  /** By share of neurons that are active, ascending. */
  readonly gathered: readonly { readonly active: number; readonly ms: number }[];
}

/** Shares of active neurons that are measured. */
export const SHARES: readonly number[] = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5];
/** Matrices that one program reads: more than a cache holds, as in a real step. */
const BYTES = 64 * 2 ** 20;
const MOST_COPIES = 24;
const ROUNDS = 9;

const measured = new Map<string, Promise<GatherTimes>>();

/** `measureGather`, once for each shape and backend of this process. */
export function gatherTimes(backend: Backend, shape: GatherShape): Promise<GatherTimes> {
  const { hidden, neurons, isGated, rows } = shape;
  const key = [backend.name, backend.threads, hidden, neurons, isGated, rows].join();
  const known = measured.get(key) ?? measureGather(backend, shape);
  measured.set(key, known);
  return known;
}

/** Times the dense and the gathered form in turn, at each share in turn; a second or less of work. Errors as `Backend.compile`. */
export async function measureGather(backend: Backend, shape: GatherShape): Promise<GatherTimes> {
  const { copies, programs } = await compileBoth(backend, shape);
  return timeBoth(
    shape,
    copies,
    programs,
    SHARES.map((share) => feedsAt(shape, share)),
  );
}

/** Runs both programs over the inputs of each share in turn, and disposes of them. */
export async function timeBoth(
  shape: GatherShape,
  copies: number,
  programs: { readonly dense: Program; readonly gathered: Program },
  inputs: readonly Readonly<Record<string, Tensor>>[],
): Promise<GatherTimes> {
  const dense: number[] = [];
  const gathered = SHARES.map((): number[] => []);
  try {
    for (let round = -1; round < ROUNDS; round++) {
      for (const [i, feeds] of inputs.entries()) {
        const gatheredMs = await timed(programs.gathered, feeds);
        const denseMs = await timed(programs.dense, feeds);
        if (round < 0) continue;
        gathered[i]!.push(gatheredMs / copies);
        dense.push(denseMs / copies);
      }
    }
  } finally {
    await programs.dense.dispose();
    await programs.gathered.dispose();
  }
  return {
    shape,
    denseMs: Math.min(...dense),
    gathered: SHARES.map((active, i) => ({ active, ms: Math.min(...gathered[i]!) })),
  };
}

/** What the table expects at a share of active neurons; null beyond what was measured. */
export function expectedMs({ gathered }: GatherTimes, active: number): number | null {
  const after = gathered.findIndex((each) => each.active >= active);
  if (after < 0) return null;
  const [low, high] = [gathered[after - 1], gathered[after]!];
  // fewer neurons than were measured cost no more than the fewest measured
  if (low === undefined) return high.ms;
  return low.ms + ((high.ms - low.ms) * (active - low.active)) / (high.active - low.active);
}

/** How many MLPs with so many matrices exceed a cache. */
export function copiesOf({ hidden, neurons }: GatherShape, matrices: number): number {
  return Math.max(1, Math.min(MOST_COPIES, Math.ceil(BYTES / (hidden * neurons * 4 * matrices))));
}

/** As many MLPs with matrices of their own as exceed a cache, dense and gathered. */
async function compileBoth(backend: Backend, shape: GatherShape) {
  const { hidden, neurons, isGated } = shape;
  const copies = copiesOf(shape, isGated ? 2 : 1);
  const values = Array.from({ length: copies }, (_, copy) => {
    const names = isGated ? ["out", "factor"] : ["out"];
    return names.map(
      (name) => [`${copy}.${name}`, new Float32Array(hidden * neurons).fill(1e-3 * (copy + 1))] as const,
    );
  }).flat();
  const weights = memoryWeights(
    values.flatMap(([name, data]): (readonly [string, Tensor])[] =>
      name.endsWith("factor")
        ? [[`${name}.weight`, float32([neurons, hidden], data)]]
        : [
            [`${name}.weight`, float32([hidden, neurons], data)],
            [`${name}.weight_by_neuron`, float32([neurons, hidden], data)],
          ],
    ),
  );
  const compile = (isGathered: boolean): Promise<Program> => {
    const graph = new Graph();
    const sites = Array.from({ length: copies }, (_, copy) => ({ site: String(copy), threshold: 0 }));
    const root = Scope.root(graph, { hooks: compose(isGathered ? gatheredProjection(sites) : {}) });
    const a = graph.input("a", "float32", ["B", 1, neurons]);
    const input = graph.input("x", "float32", ["B", 1, hidden]);
    const outputs = sites.map(({ site: name }) => {
      const site = root.child(name);
      const mlp = { input, before: null, factor: isGated ? site.child("factor") : null, out: site.child("out") };
      return root.hooks.projection?.(site, a, mlp) ?? dense(a, mlp);
    });
    return backend.compile({ y: outputs.reduce((sum, y) => add(sum, y)) }, { weights, sleepThreads: true });
  };
  return { copies, programs: { dense: await compile(false), gathered: await compile(true) } };
}

function dense(a: Value, { input, factor, out }: Projection): Value {
  const [neurons, hidden] = [a, input].map(({ shape }) => Number(shape.at(-1))) as [number, number];
  const gated = factor ? mul(a, linear(factor, input, neurons, { bias: false })) : a;
  return linear(out, gated, hidden, { bias: false });
}

/** Active neurons spread evenly, the same for every token. */
function feedsAt({ hidden, neurons, rows }: GatherShape, share: number): Readonly<Record<string, Tensor>> {
  const a = new Float32Array(rows * neurons);
  const active = Math.max(1, Math.round(share * neurons));
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < active; i++) a[row * neurons + Math.floor((i * neurons) / active)] = 0.5;
  return {
    a: float32([rows, 1, neurons], a),
    x: float32([rows, 1, hidden], new Float32Array(rows * hidden).fill(0.1)),
  };
}

async function timed(program: Program, feeds: Readonly<Record<string, Tensor>>): Promise<number> {
  const started = performance.now();
  await program.run(feeds);
  return performance.now() - started;
}
