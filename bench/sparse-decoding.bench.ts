// One token through T5's decoder, by whole matrices and by the rows of active neurons: interleaved, ratios round by round.
//   npx tsx bench/sparse-decoding.bench.ts [--shapes t5-large,flan-t5-large,flan-t5-xl] [--active 50,25,10,5] [--rounds 15]
//     [--levels matrices,mlp,step] [--layers 4] [--tokens 12] [--threads 2]
// matrices: wo, and when gated wi_1; mlp: with the norm and wi or wi_0; step: a whole step of generation with that many decoder
// layers and the vocabulary's head. Activations are nowhere 0 but for a mask that is drawn anew each round.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Graph, mul, type Value } from "../src/graph/index.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openSafetensors, safetensorsBytes } from "../src/hub/index.ts";
import { gatheredProjection } from "../src/infer/generation/sparse-mlp.ts";
import {
  calibrateSparseMlp,
  type Generator,
  openGenerator,
  planSparseMlp,
  type SparseMlpPlan,
} from "../src/infer/index.ts";
import { t5Model } from "../src/models/index.ts";
import { linear, rmsNorm, Scope } from "../src/nn/index.ts";
import { headOnly, type Method } from "../src/peft/index.ts";
import type { Program } from "../src/runtime/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import { buildTaskGraph } from "../src/tasks/index.ts";
import { float32, int64, memoryWeights, type Random, randomStream, type Tensor } from "../src/tensor/index.ts";

const { values } = parseArgs({
  options: {
    shapes: { type: "string", default: "t5-large,flan-t5-large,flan-t5-xl" },
    active: { type: "string", default: "50,25,10,5" },
    levels: { type: "string", default: "matrices,mlp,step" },
    rounds: { type: "string", default: "15" },
    layers: { type: "string", default: "4" },
    tokens: { type: "string", default: "12" },
    threads: { type: "string", default: "2" },
  },
});

interface BenchShape {
  readonly hidden: number;
  readonly neurons: number;
  readonly heads: number;
  readonly isGated: boolean;
}
const SHAPES: Readonly<Record<string, BenchShape>> = {
  tiny: { hidden: 64, neurons: 256, heads: 2, isGated: true },
  "t5-large": { hidden: 1024, neurons: 4096, heads: 16, isGated: false },
  "flan-t5-large": { hidden: 1024, neurons: 2816, heads: 16, isGated: true },
  "flan-t5-xl": { hidden: 2048, neurons: 5120, heads: 32, isGated: true },
};
/** More than a cache holds, as in a real step. */
const BYTES = 192 * 2 ** 20;
const backend = nodeBackend({ threads: Number(values.threads), sleepThreads: true });
const random = randomStream(1, "sparse-decoding");

function report(level: string, share: number, dense: readonly number[], sparse: readonly number[]): void {
  const ratios = dense.map((ms, round) => ms / sparse[round]!).sort((a, b) => a - b);
  const at = (sorted: readonly number[], q: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  const median = (list: readonly number[]) =>
    at(
      [...list].sort((a, b) => a - b),
      0.5,
    ).toFixed(3);
  console.log(
    `  ${level.padEnd(9)} ${String(share * 100).padStart(3)} % active: ×${at(ratios, 0.5).toFixed(2)} ` +
      `[${at(ratios, 0.1).toFixed(2)} – ${at(ratios, 0.9).toFixed(2)}]   ${median(dense)} → ${median(sparse)} ms`,
  );
}

/** Durations of both, whoever goes first changing each round; three rounds are not counted. */
async function interleaved(rounds: number, dense: () => Promise<number>, sparse: () => Promise<number>) {
  const [first, second]: [number[], number[]] = [[], []];
  for (let round = -3; round < rounds; round++) {
    const [d, s] =
      round % 2 === 0 ? [await dense(), await sparse()] : await sparse().then(async (ms) => [await dense(), ms]);
    if (round >= 0) {
      first.push(d!);
      second.push(s!);
    }
  }
  return [first, second] as const;
}

/** 1 for a random share of the neurons. */
function maskOf(neurons: number, share: number): Float32Array {
  const order = random.shuffle(Array.from({ length: neurons }, (_, f) => f));
  const mask = new Float32Array(neurons);
  for (const f of order.slice(0, Math.round(share * neurons))) mask[f] = 1;
  return mask;
}

const noise = (size: number, scale: number, { uniform }: { uniform: () => number }): Float32Array =>
  Float32Array.from({ length: size }, () => (uniform() - 0.5) * scale);
const cheap = (of: Random) => ({ uniform: () => of.uniform() });

/** As many MLPs as exceed a cache, over the same input: dense and by rows. */
async function compileMlps({ hidden, neurons, isGated }: BenchShape, isWhole: boolean) {
  const copies = Math.min(24, Math.ceil(BYTES / (hidden * neurons * 4 * (isGated ? 2 : 1))));
  const names = Array.from({ length: copies }, (_, copy) => `mlp${copy}`);
  const drawn = noise(hidden * neurons, 0.05, cheap(randomStream(2, "weights")));
  const matrix = (shape: readonly number[]) => float32(shape, drawn.slice());
  const weights = memoryWeights(
    names.flatMap((name): (readonly [string, Tensor])[] => [
      [`${name}.layer_norm.weight`, float32([hidden], new Float32Array(hidden).fill(1))],
      [`${name}.wi.weight`, matrix([neurons, hidden])],
      [`${name}.wi_1.weight`, matrix([neurons, hidden])],
      [`${name}.wo.weight`, matrix([hidden, neurons])],
      [`${name}.wo.weight_by_neuron`, matrix([neurons, hidden])],
    ]),
  );
  const compile = (isGathered: boolean): Promise<Program> => {
    const graph = new Graph();
    const hooks = gatheredProjection(isGathered ? names.map((site) => ({ site, threshold: 0 })) : []);
    const root = Scope.root(graph, { hooks });
    const mask = graph.input("mask", "float32", [neurons]);
    const outputs: Record<string, Value> = {};
    const x = graph.input("x", "float32", ["B", 1, hidden]);
    for (const name of names) {
      const site = root.child(name);
      const input = isWhole ? rmsNorm(site.child("layer_norm"), x, 1e-6) : x;
      const pre = isWhole
        ? linear(site.child("wi"), input, neurons, { bias: false })
        : graph.input("a", "float32", ["B", 1, neurons]);
      const a = mul(pre, mask);
      const mlp = { input, before: null, factor: isGated ? site.child("wi_1") : null, out: site.child("wo") };
      const dense = () => {
        const gated = mlp.factor ? mul(a, linear(mlp.factor, input, neurons, { bias: false })) : a;
        return linear(mlp.out, gated, hidden, { bias: false });
      };
      outputs[`y.${name}`] = hooks.projection!(site, a, mlp) ?? dense();
    }
    return backend.compile(outputs, { weights });
  };
  return { copies, dense: await compile(false), sparse: await compile(true) };
}

async function benchMlps(shape: BenchShape, level: "matrices" | "mlp", shares: readonly number[]): Promise<void> {
  const { copies, dense, sparse } = await compileMlps(shape, level === "mlp");
  const x = float32([1, 1, shape.hidden], noise(shape.hidden, 2, random));
  const a = float32([1, 1, shape.neurons], noise(shape.neurons, 2, random));
  const timed = async (program: Program, mask: Tensor) => {
    const started = performance.now();
    await program.run(level === "mlp" ? { x, mask } : { x, a, mask });
    return (performance.now() - started) / copies;
  };
  for (const share of shares) {
    const mask = () => float32([shape.neurons], maskOf(shape.neurons, share));
    let current = mask();
    let turns = 0;
    const next = () => (turns++ % 2 === 0 ? (current = mask()) : current);
    const [d, s] = await interleaved(
      Number(values.rounds),
      () => timed(dense, next()),
      () => timed(sparse, next()),
    );
    report(level, share, d, s);
  }
  await dense.dispose();
  await sparse.dispose();
}

function benchModel({ hidden, neurons, heads, isGated }: BenchShape) {
  return t5Model({
    model_type: "t5",
    vocab_size: 32128,
    d_model: hidden,
    d_kv: hidden / heads,
    d_ff: neurons,
    num_layers: 1,
    num_decoder_layers: Number(values.layers),
    num_heads: heads,
    feed_forward_proj: isGated ? "gated-linear" : "linear",
  });
}

/** Random weights in a file, so that both generators map the same pages. */
async function writeWeights(model: ReturnType<typeof benchModel>, folder: string) {
  const frozen: Method = { ...headOnly(), trains: () => false };
  const { parameters } = buildTaskGraph({ model, method: frozen, head: { kind: "language-model" } });
  const pool = noise(2 ** 20, 0.07, cheap(randomStream(3, "pool")));
  const tensors = parameters.map(({ name, shape }) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (name.endsWith("layer_norm.weight")) data.fill(1);
    else
      for (let from = 0; from < data.length; from += pool.length) data.set(pool.subarray(0, data.length - from), from);
    return [name, float32(shape, data)] as const;
  });
  const files = nodeFiles();
  const file = join(folder, "model.safetensors");
  await files.write(file, safetensorsBytes(new Map(tensors)));
  return openSafetensors(files, file);
}

async function benchSteps(shape: BenchShape, shares: readonly number[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "deft-bench-"));
  try {
    const model = benchModel(shape);
    const weights = await writeWeights(model, folder);
    const sites = model.mlps.flatMap(({ stack, activation }) => (stack === "decoder" ? [activation] : []));
    const method: Method = {
      ...headOnly(),
      trains: () => false,
      hooks: {
        activation: (site, a) =>
          sites.includes(site.path) ? mul(a, site.shared("bench_mask", [shape.neurons], { kind: "ones" })) : a,
      },
    };
    const steps: number[] = [];
    let last = 0;
    const observe = {
      outputs: () => ({}),
      step() {
        const now = performance.now();
        steps.push(now - last);
        last = now;
      },
    };
    const options = { model, method, weights, backend, observe };
    const mask = (share: number) => new Map([["bench_mask", float32([shape.neurons], maskOf(shape.neurons, share))]]);
    const one = {
      inputs: {
        tokenIds: int64([1, 8], [5, 6, 7, 8, 9, 10, 11, 1]),
        attentionMask: int64([1, 8], Array<number>(8).fill(1)),
      },
    };
    const tokens = Number(values.tokens);
    const length = { maxNewTokens: tokens, minNewTokens: tokens };
    const timed = async (generator: Generator, trained: ReadonlyMap<string, Tensor>) => {
      steps.length = 0;
      await generator.generate(trained, one, length);
      // the first waits for the text to be read
      const counted = steps.slice(1).sort((a, b) => a - b);
      return counted[counted.length >> 1]!;
    };
    const dense = await openGenerator(options);
    for (const share of shares) {
      const calibration = await calibrateSparseMlp({ model, method, weights, backend }, mask(share), [one], {
        maxNewTokens: 2,
      });
      const planned = await planSparseMlp(calibration, { backend });
      const count = planned.layers.filter(({ isGathered }) => isGathered).length;
      const all: SparseMlpPlan = {
        ...planned,
        layers: planned.layers.map((layer) => ({ ...layer, isGathered: true })),
      };
      const sparse = await openGenerator({ ...options, sparseMlp: all });
      const masks = Array.from({ length: 4 }, () => mask(share));
      let [turn, other] = [0, 0];
      const [d, s] = await interleaved(
        Math.max(3, Math.round(Number(values.rounds) / 3)),
        () => timed(dense, masks[turn++ % 4]!),
        () => timed(sparse, masks[other++ % 4]!),
      );
      report("step", share, d, s);
      const { denseMs, gatheredMs } = planned.layers[0]!;
      const expected =
        gatheredMs === null ? "nothing gained" : `${denseMs!.toFixed(3)} → ${gatheredMs.toFixed(3)} ms a layer`;
      console.log(`            the plan gathers ${count} of ${planned.layers.length} layers and expects ${expected}`);
      await sparse.dispose();
    }
    await dense.dispose();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const shares = values.active.split(",").map((percent) => Number(percent) / 100);
const levels = values.levels.split(",");
for (const name of values.shapes.split(",")) {
  const shape = SHAPES[name];
  if (!shape) throw new Error(`--shapes: expected some of ${Object.keys(SHAPES).join(", ")}, got ${name}`);
  console.log(
    `${name}: ${shape.hidden} × ${shape.neurons}${shape.isGated ? ", gated" : ""}, ${values.threads} threads`,
  );
  for (const level of ["matrices", "mlp"] as const) if (levels.includes(level)) await benchMlps(shape, level, shares);
  if (levels.includes("step")) await benchSteps(shape, shares);
}
