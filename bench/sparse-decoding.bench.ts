// One token through T5's decoder, by whole matrices and by the rows of active neurons: interleaved, ratios round by round.
//   npx tsx bench/sparse-decoding.bench.ts [--shapes t5-large,flan-t5-large,flan-t5-xl] [--active 50,25,10,5] [--rounds 15]
//     [--levels matrices,mlp,step] [--layers 24] [--tokens 12] [--threads 1,all] [--static 50,25] [--clock cpu]
// matrices: wo, and when gated wi_1; mlp: with the norm and wi or wi_0; activations are nowhere 0 but for a mask that is drawn anew
// each round. step: a whole step of generation with the model's decoder layers, or so many, and the vocabulary's head, by rows of the
// last matrix and by predicted rows of all, where the plan says that they pay; a bias decides which share of the neurons is active.
// Whole matrices are timed twice: as deft maps them from their file, and packed in memory, as predictions need them and as other users
// of ONNX Runtime have them. --static: models with so many percent of the neurons are timed beside them, whole and packed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { between, type Moment, moment } from "../src/cli/bench-clock.ts";
import { Graph, mul, type Value } from "../src/graph/index.ts";
import { gatheredProjection } from "../src/infer/generation/sparse-mlp.ts";
import {
  calibrateSparseMlp,
  type Generator,
  type GeneratorOptions,
  openGenerator,
  planSparseMlp,
  type SparseMlpPlan,
} from "../src/infer/index.ts";
import { linear, rmsNorm, Scope } from "../src/nn/index.ts";
import type { Program } from "../src/runtime/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import { float32, int64, memoryWeights, randomStream, type Tensor } from "../src/tensor/index.ts";
import {
  clocksOf,
  gainText,
  median,
  oneThreadCount,
  type PhaseTime,
  type Rounds,
  roundsText,
  takeRounds,
  timed,
  timesText,
} from "./rounds.ts";
import { type BenchModel, type BenchShape, cheap, noise, SHAPES, writeModel } from "./sparse-decoding-models.ts";

const { values } = parseArgs({
  options: {
    shapes: { type: "string", default: "t5-large,flan-t5-large,flan-t5-xl" },
    active: { type: "string", default: "50,25,10,5" },
    levels: { type: "string", default: "matrices,mlp,step" },
    rounds: { type: "string", default: "15" },
    layers: { type: "string" },
    tokens: { type: "string", default: "12" },
    threads: { type: "string", default: "1,all" },
    static: { type: "string", default: "" },
    clock: { type: "string", default: "wall" },
  },
});
const threads = oneThreadCount(values.threads);
const CLOCKS = clocksOf(values.clock);

/** Shares of a list of percentages. */
const listed = (percentages: string) =>
  percentages.split(",").flatMap((percent) => (percent === "" ? [] : [Number(percent) / 100]));
/** More than a cache holds, as in a real step. */
const BYTES = 192 * 2 ** 20;
const backend = nodeBackend({ threads, sleepThreads: true });
const random = randomStream(1, "sparse-decoding");

const LEVEL_WIDTH = 28;

/** What the second of two sides gains over the first. */
function report(level: string, share: number, rounds: Rounds<PhaseTime>, dense: number, sparse: number): void {
  const active = `${String(share * 100).padStart(3)} % active`;
  console.log(`  ${level.padEnd(LEVEL_WIDTH)} ${active}: ${gainText(rounds, dense, sparse, CLOCKS)}`);
  console.log(`    ${timesText(rounds, dense)} → ${timesText(rounds, sparse)}`);
}

/** 1 for a random share of the neurons. */
function maskOf(neurons: number, share: number): Float32Array {
  const order = random.shuffle(Array.from({ length: neurons }, (_, f) => f));
  const mask = new Float32Array(neurons);
  for (const f of order.slice(0, Math.round(share * neurons))) mask[f] = 1;
  return mask;
}

/** As many MLPs as exceed a cache, over the same input: dense and by rows. */
async function compileMlps({ hidden, neurons, isGated }: BenchShape, isWhole: boolean) {
  const copies = Math.min(24, Math.ceil(BYTES / (hidden * neurons * 4 * (isGated ? 2 : 1))));
  const names = Array.from({ length: copies }, (_, copy) => `mlp${copy}`);
  const drawn = noise(hidden * neurons, 0.05, cheap(randomStream(2, "weights")));
  // no two are alike: ONNX Runtime packs equal ones once, and a cache would hold them
  let made = 0;
  const matrix = (shape: readonly number[]) => {
    const data = drawn.slice();
    data[0] = ++made;
    return float32(shape, data);
  };
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
    return backend.compile(outputs, { weights, mapWeights: false });
  };
  return { copies, dense: await compile(false), sparse: await compile(true) };
}

async function benchMlps(shape: BenchShape, level: "matrices" | "mlp", shares: readonly number[]): Promise<void> {
  const { copies, dense, sparse } = await compileMlps(shape, level === "mlp");
  const x = float32([1, 1, shape.hidden], noise(shape.hidden, 2, random));
  const a = float32([1, 1, shape.neurons], noise(shape.neurons, 2, random));
  const pass = async (program: Program, mask: Tensor) => {
    const { ms, processorMs } = await timed(() => program.run(level === "mlp" ? { x, mask } : { x, a, mask }));
    return { ms: ms / copies, processorMs: processorMs / copies };
  };
  for (const share of shares) {
    const masks: Tensor[] = [];
    const mask = (round: number) => (masks[round] ??= float32([shape.neurons], maskOf(shape.neurons, share)));
    const sides = [dense, sparse].map((program) => (round: number) => pass(program, mask(round)));
    const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 3 });
    report(level, share, rounds, 0, 1);
    console.log(`    ${roundsText(rounds)}`);
  }
  await dense.dispose();
  await sparse.dispose();
}

interface Timed {
  /** A step of a text, the median. */
  readonly step: () => Promise<PhaseTime>;
  readonly generator: Generator;
}

async function timedGenerator(options: GeneratorOptions): Promise<Timed> {
  const steps: Moment[] = [];
  const step = () => void steps.push(moment());
  const generator = await openGenerator({ ...options, observe: { outputs: () => ({}), step } });
  const tokens = Number(values.tokens);
  return {
    generator,
    async step() {
      steps.length = 0;
      const length = Array.from({ length: 8 }, () => 5 + random.integer(32000));
      await generator.generate(new Map(), batchOf(length), { maxNewTokens: tokens, minNewTokens: tokens });
      // the first waits for the text to be read
      const gaps = steps.slice(1).map((at, i) => between(steps[i]!, at));
      const of = (clock: keyof PhaseTime) => median(gaps.map((gap) => gap[clock]));
      return { ms: of("ms"), processorMs: of("processorMs") };
    },
  };
}

const batchOf = (ids: readonly number[]) => ({
  inputs: {
    tokenIds: int64([1, ids.length], ids),
    attentionMask: int64([1, ids.length], Array<number>(ids.length).fill(1)),
  },
});

async function benchSteps(shape: BenchShape, shares: readonly number[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "deft-bench-"));
  try {
    const activeModel = await writeModel(shape, folder);
    const cuts = new Map<number, BenchModel>();
    for (const kept of listed(values.static)) {
      const smaller = { ...shape, neurons: Math.round((kept * shape.neurons) / 32) * 32 };
      const own = mkdtempSync(join(folder, "static-"));
      cuts.set(kept, (await writeModel(smaller, own))(0.5));
    }
    for (const share of shares) await benchShare({ ...activeModel(share), backend }, share, cuts);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `cuts`: models with so large a share of the neurons, whole and packed, which are timed in the same rounds. */
async function benchShare(
  options: GeneratorOptions,
  share: number,
  cuts: ReadonlyMap<number, BenchModel>,
): Promise<void> {
  const calibration = await calibrateSparseMlp(
    { ...options, predicts: true },
    new Map(),
    [batchOf([5, 6, 7, 8, 9, 10, 11, 1])],
    { maxNewTokens: 8, minNewTokens: 8 },
  );
  const byRows = await planSparseMlp(calibration, { backend });
  const predicted = await planSparseMlp(calibration, { backend, predicts: true });
  const compile = { mapWeights: false };
  const opened = [
    await timedGenerator(options),
    await timedGenerator({ ...options, compile }),
    await timedGenerator({ ...options, sparseMlp: byRows }),
    await timedGenerator({ ...options, sparseMlp: predicted }),
  ];
  for (const cut of cuts.values()) opened.push(await timedGenerator({ ...cut, backend, compile }));
  const sides = opened.map(({ step }) => step);
  const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 2 });
  const [mapped, packed, last, all] = [0, 1, 2, 3] as const;
  report("mapped → packed", share, rounds, mapped, packed);
  report("packed → rows of the last", share, rounds, packed, last);
  report("mapped → predicted rows", share, rounds, mapped, all);
  report("packed → predicted rows", share, rounds, packed, all);
  [...cuts.keys()].forEach((kept, i) => {
    report(`packed → ${(100 * kept).toFixed(0)} % of the neurons`, share, rounds, packed, all + 1 + i);
  });
  console.log(`    ${roundsText(rounds)}`);
  for (const plan of [byRows, predicted]) console.log(`    ${planSentence(plan)}`);
  for (const { generator } of opened) await generator.dispose();
}

function planSentence({ layers }: SparseMlpPlan): string {
  const mean = (of: readonly number[]) => of.reduce((sum, each) => sum + each, 0) / of.length;
  const percent = (of: readonly number[]) => `${(100 * mean(of)).toFixed(1)} %`;
  const found = layers.flatMap(({ prediction }) => prediction ?? []);
  const read = layers.filter(({ isGathered }) => isGathered);
  const expected = read.map(({ denseMs, gatheredMs }) => denseMs! / gatheredMs!);
  const parts = [
    `active ${percent(layers.map(({ active }) => active))}, rows in ${read.length} of ${layers.length} layers`,
  ];
  if (read.length > 0) parts.push(`each expected ×${mean(expected).toFixed(2)}`);
  if (found.length > 0)
    parts.push(
      `${found.length} predicted: ${percent(found.map(({ selected }) => selected))} read, ` +
        `${percent(found.map(({ recall }) => recall))} of the active found`,
    );
  return parts.join(", ");
}

const shares = listed(values.active);
const levels = values.levels.split(",");
for (const name of values.shapes.split(",")) {
  const known = SHAPES[name];
  if (!known) throw new Error(`--shapes: expected some of ${Object.keys(SHAPES).join(", ")}, got ${name}`);
  const shape = { ...known, layers: values.layers === undefined ? known.layers : Number(values.layers) };
  console.log(`${name}: ${shape.hidden} × ${shape.neurons}${shape.isGated ? ", gated" : ""}, ${threads} threads`);
  for (const level of ["matrices", "mlp"] as const) if (levels.includes(level)) await benchMlps(shape, level, shares);
  if (levels.includes("step")) await benchSteps(shape, shares);
}
