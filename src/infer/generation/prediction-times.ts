// What a whole MLP costs on this machine by whole matrices, and by rows that are predicted: measured once for each shape.
import { add, Graph, mul, relu, type Value } from "../../graph/index.ts";
import { linear, Scope } from "../../nn/index.ts";
import type { Backend, Program } from "../../runtime/index.ts";
import { float32, memoryWeights, type Tensor } from "../../tensor/index.ts";
import { copiesOf, type GatherShape, type GatherTimes, SHARES, timeBoth } from "./gather-times.ts";
import { gatheredProjection, withRowsByNeuron } from "./sparse-mlp.ts";

const measured = new Map<string, Promise<GatherTimes>>();

/** `measurePrediction`, once for each shape and backend of this process. */
export function predictionTimes(backend: Backend, shape: GatherShape): Promise<GatherTimes> {
  const { hidden, neurons, isGated, rows } = shape;
  const key = [backend.name, backend.threads, hidden, neurons, isGated, rows].join();
  const known = measured.get(key) ?? measurePrediction(backend, shape);
  measured.set(key, known);
  return known;
}

/** Times a whole MLP in both forms in turn, at each share of neurons that are read. Errors as `Backend.compile`. */
export async function measurePrediction(backend: Backend, shape: GatherShape): Promise<GatherTimes> {
  const copies = copiesOf(shape, shape.isGated ? 3 : 2);
  const programs = {
    dense: await compileCopies(backend, shape, copies, false),
    gathered: await compileCopies(backend, shape, copies, true),
  };
  return timeBoth(
    shape,
    copies,
    programs,
    SHARES.map((share) => feedsAt(shape, share)),
  );
}

/** Rows of the first matrix rise in size in a mixed order, so that an input's size says which share of them lies above 1. */
const STRIDE = 1_000_003;

function firstMatrix({ hidden, neurons }: GatherShape): Float32Array {
  const data = new Float32Array(hidden * neurons);
  for (let f = 0; f < neurons; f++) data.fill((((f * STRIDE) % neurons) + 0.5) / neurons, f * hidden, (f + 1) * hidden);
  return data;
}

function feedsAt({ hidden, rows }: GatherShape, share: number): Readonly<Record<string, Tensor>> {
  return { x: float32([rows, 1, hidden], new Float32Array(rows * hidden).fill(1 / (hidden * (1 - share)))) };
}

/** As many MLPs with matrices of their own as exceed a cache; those that predict take a row where its pre-activation is above 1. */
function compileCopies(backend: Backend, shape: GatherShape, copies: number, isPredicted: boolean): Promise<Program> {
  const { hidden, neurons, isGated } = shape;
  const names = Array.from({ length: copies }, (_, copy) => `mlp${copy}`);
  const into = firstMatrix(shape);
  const other = new Float32Array(hidden * neurons).fill(1e-3);
  const stored = memoryWeights(
    names.flatMap((name): (readonly [string, Tensor])[] => [
      [`${name}.into.weight`, float32([neurons, hidden], into)],
      [`${name}.factor.weight`, float32([neurons, hidden], other)],
      [`${name}.out.weight`, float32([hidden, neurons], other)],
    ]),
  );
  const mlps = names.map((site) => ({ site, threshold: 0, prediction: { floor: 1 } }));
  const sites = names.map((name, layer) => ({
    ...({ stack: "decoder", layer, activation: name, sublayer: name, norm: name, isPostNorm: false, neurons } as const),
    into: [`${name}.into`],
    out: `${name}.out`,
  }));
  const graph = new Graph();
  const root = Scope.root(graph, { hooks: isPredicted ? gatheredProjection(mlps) : {} });
  const input = graph.input("x", "float32", ["B", 1, hidden]);
  const outputs = names.map((name): Value => {
    const site = root.child(name);
    const first = { into: site.child("into"), isBiased: false, activation: relu };
    const a = relu(linear(first.into, input, neurons, { bias: false }));
    const mlp = { input, before: first, factor: isGated ? site.child("factor") : null, out: site.child("out") };
    const dense = () => {
      const gated = mlp.factor ? mul(a, linear(mlp.factor, input, neurons, { bias: false })) : a;
      return linear(mlp.out, gated, hidden, { bias: false });
    };
    return root.hooks.projection?.(site, a, mlp) ?? dense();
  });
  const weights = isPredicted ? withRowsByNeuron({ mlps: sites }, stored, mlps) : stored;
  const options = { weights, sleepThreads: true, ...(isPredicted ? { mapWeights: false } : {}) };
  return backend.compile({ y: outputs.reduce((sum, y) => add(sum, y)) }, options);
}
