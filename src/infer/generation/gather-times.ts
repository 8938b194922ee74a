// What an MLP costs on this machine by whole matrices, by rows of the last one, and by predicted rows of all: measured once for each shape.
import { add, Graph, mul, relu, type Value } from "../../graph/index.ts";
import type { MlpSite } from "../../models/index.ts";
import { linear, Scope } from "../../nn/index.ts";
import type { Backend, Program } from "../../runtime/index.ts";
import { float32, memoryWeights, type Tensor, type Weights } from "../../tensor/index.ts";
import { unpredictable } from "./row-predictor.ts";
import { type GatheredMlp, gatheredProjection, withRowsByNeuron } from "./sparse-mlp.ts";

/** An MLP: `[rows, D]` → `[rows, F]` → `[rows, D]`. */
export interface GatherShape {
  /** D */
  readonly hidden: number;
  /** F */
  readonly neurons: number;
  readonly isGated: boolean;
  /** Tokens of a step. */
  readonly rows: number;
}

/** What a form takes at a share of neurons whose rows are read. */
export interface TimedShare {
  readonly active: number;
  readonly ms: number;
}

/** Milliseconds for one MLP, the least disturbed of several rounds, over matrices that are packed. */
export interface GatherTimes {
  readonly shape: GatherShape;
  readonly denseMs: number;
  /** Rows of the last matrix, and when gated of the factor's; by share, ascending. */
  readonly gathered: readonly TimedShare[];
  /** Rows of all matrices; empty where that cannot be. */
  readonly predicted: readonly TimedShare[];
}

/** Shares of neurons that are measured. */
const SHARES: readonly number[] = [0.02, 0.05, 0.1, 0.2, 0.3, 0.5];
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

/** Times all forms in turn, at each share in turn; some seconds of work. Errors as `Backend.compile`. */
export async function measureGather(backend: Backend, shape: GatherShape): Promise<GatherTimes> {
  const forms = [
    "dense",
    "gathered",
    ...(unpredictable(shape.hidden) === null ? (["predicted"] as const) : []),
  ] as const;
  const copies = copiesOf(shape);
  const programs: Program[] = [];
  const times = forms.map(() => SHARES.map((): number[] => []));
  try {
    for (const form of forms) programs.push(await compileCopies(backend, shape, copies, form));
    for (let round = -1; round < ROUNDS; round++) {
      for (const [i, share] of SHARES.entries()) {
        const feeds = feedsAt(shape, share);
        for (const [form, program] of programs.entries()) {
          const ms = await timed(program, feeds);
          if (round >= 0) times[form]![i]!.push(ms / copies);
        }
      }
    }
  } finally {
    for (const program of programs) await program.dispose();
  }
  const [dense, gathered, predicted = []] = times.map((of) =>
    SHARES.map((active, i): TimedShare => ({ active, ms: Math.min(...of[i]!) })),
  );
  // the least of as many rounds as the others have, or a busy machine would make only this one look fast
  const least = dense!.map(({ ms }) => ms).sort((a, b) => a - b);
  return { shape, denseMs: least[least.length >> 1]!, gathered: gathered!, predicted };
}

/** What a form is expected to take at a share of neurons; null beyond what was measured. */
export function expectedMs(times: readonly TimedShare[], active: number): number | null {
  const after = times.findIndex((each) => each.active >= active);
  if (after < 0) return null;
  const [low, high] = [times[after - 1], times[after]!];
  // fewer neurons than were measured cost no more than the fewest measured
  if (low === undefined) return high.ms;
  return low.ms + ((high.ms - low.ms) * (active - low.active)) / (high.active - low.active);
}

/** How many MLPs exceed a cache. */
function copiesOf({ hidden, neurons, isGated }: GatherShape): number {
  const bytes = hidden * neurons * 4 * (isGated ? 3 : 2);
  return Math.max(1, Math.min(MOST_COPIES, Math.ceil(BYTES / bytes)));
}

/** MLPs with matrices of their own; a neuron is active where the product with its row is above 1, which its bias subtracts. */
function compileCopies(
  backend: Backend,
  { hidden, neurons, isGated }: GatherShape,
  copies: number,
  form: "dense" | "gathered" | "predicted",
): Promise<Program> {
  const names = Array.from({ length: copies }, (_, copy) => `mlp${copy}`);
  const graph = new Graph();
  const prediction = form === "predicted" ? { prediction: { floor: 0 } } : {};
  const mlps = form === "dense" ? [] : names.map((site): GatheredMlp => ({ site, threshold: 0, ...prediction }));
  const root = Scope.root(graph, { hooks: gatheredProjection(mlps) });
  const input = graph.input("x", "float32", ["B", 1, hidden]);
  const outputs = names.map((name): Value => {
    const site = root.child(name);
    const before = { into: site.child("into"), isBiased: true, activation: relu };
    const factor = isGated ? site.child("factor") : null;
    const a = relu(linear(before.into, input, neurons));
    const dense = () => {
      const gated = factor ? mul(a, linear(factor, input, neurons, { bias: false })) : a;
      return linear(site.child("out"), gated, hidden, { bias: false });
    };
    return root.hooks.projection?.(site, a, { input, before, factor, out: site.child("out") }) ?? dense();
  });
  const weights = withRowsByNeuron({ mlps: names.map(siteOf(neurons)) }, drawn(names, hidden, neurons), mlps);
  const options = { weights, sleepThreads: true, mapWeights: false };
  return backend.compile({ y: outputs.reduce((sum, y) => add(sum, y)) }, options);
}

const siteOf =
  (neurons: number) =>
  (name: string, layer: number): MlpSite => ({
    stack: "decoder",
    layer,
    activation: name,
    sublayer: name,
    into: [`${name}.into`],
    out: `${name}.out`,
    norm: name,
    isPostNorm: false,
    neurons,
  });

/** Rows of the first matrix rise in size in a mixed order, so that an input's size says which share of them is active. */
const STRIDE = 1_000_003;

/** No two matrices are alike: ONNX Runtime packs equal ones once, and a cache would hold them. */
function drawn(names: readonly string[], hidden: number, neurons: number): Weights {
  const bias = new Float32Array(neurons).fill(-1);
  return memoryWeights(
    names.flatMap((name, copy): (readonly [string, Tensor])[] => {
      const into = new Float32Array(hidden * neurons);
      for (let f = 0; f < neurons; f++)
        into.fill((((f * STRIDE + copy) % neurons) + 0.5) / neurons, f * hidden, (f + 1) * hidden);
      const filled = (part: number) => new Float32Array(hidden * neurons).fill(1e-3 * (2 * copy + part));
      return [
        [`${name}.into.weight`, float32([neurons, hidden], into)],
        [`${name}.into.bias`, float32([neurons], bias)],
        [`${name}.factor.weight`, float32([neurons, hidden], filled(1))],
        [`${name}.out.weight`, float32([hidden, neurons], filled(2))],
      ];
    }),
  );
}

/** The same for every token. */
function feedsAt({ hidden, rows }: GatherShape, share: number): Readonly<Record<string, Tensor>> {
  return { x: float32([rows, 1, hidden], new Float32Array(rows * hidden).fill(1 / (hidden * (1 - share)))) };
}

async function timed(program: Program, feeds: Readonly<Record<string, Tensor>>): Promise<number> {
  const started = performance.now();
  await program.run(feeds);
  return performance.now() - started;
}
