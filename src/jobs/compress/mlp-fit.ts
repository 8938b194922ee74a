// One MLP with a ReLU in place of its activation: the threshold for a share of neurons, and the output fitted again, on tokens that were run before.
import { add, cast, Graph, greater, matmul, mul, reduceSum, relu, sub, type Value } from "../../graph/index.ts";
import type { MlpSite } from "../../models/index.ts";
import { fitOutput, type LayerPlan, type PlainModel } from "../../prune/index.ts";
import type { Backend, Outputs, Program } from "../../runtime/index.ts";
import { float32, type Tensor, type Weights } from "../../tensor/index.ts";
import type { MlpData } from "./mlp-data.ts";

/** Tokens of one run: the sums of its products leave the runtime with each. */
const CHUNK = 2048;
/** Pre-activations are counted in this many steps between the limits. */
const BINS = 1 << 16;
const LIMIT = 16;

/** One MLP with its ReLU. */
export interface SwappedLayer {
  readonly plan: LayerPlan;
  /** Share of its activations that are not zero on the calibration tokens. */
  readonly active: number;
}

/**
 * Fits one MLP of `model` with a ReLU; with `density` the ReLU has the threshold above which this share of the pre-activations lies, which
 * is subtracted from the bias they have. Errors as `Backend.compile`.
 */
export async function swappedLayer(
  backend: Backend,
  { weights }: PlainModel,
  site: MlpSite,
  data: MlpData,
  density: number | null,
): Promise<SwappedLayer> {
  const threshold = density === null ? 0 : await thresholdFor(backend, weights, site, data, density);
  const shift = new Float32Array(site.neurons).fill(threshold);
  const sums = await sumsOf(backend, weights, site, data, shift);
  const before = (await weights.get(`${site.out}.weight`)!.read()).data as Float32Array;
  const { out, bias } = await fitOutput(sums, before);
  const oldBias = (await weights.get(`${site.out}.bias`)?.read())?.data;
  const constant = Array.from(bias, (value, d) => Math.fround(value - Number(oldBias?.[d] ?? 0)));
  const plan = { site: site.activation, neurons: site.neurons, kept: null, gate: 1, threshold: null };
  return {
    plan: { ...plan, constant, out, ...(threshold === 0 ? {} : { shift }) },
    active: sums.active / (data.tokens * site.neurons),
  };
}

/** What goes into an MLP's activation, `[N, F]`, from what the MLP reads, the input `x` `[N, D]`. */
function preActivation(graph: Graph, weights: Weights, { into, neurons }: MlpSite, data: MlpData): readonly Value[] {
  const width = data.inputs.length / data.tokens;
  const x = graph.input("x", "float32", ["N", width]);
  return into.map((path) => {
    const y = matmul(x, graph.parameter(`${path}.weight`, [neurons, width]), { transB: true });
    return weights.has(`${path}.bias`) ? add(y, graph.parameter(`${path}.bias`, [neurons])) : y;
  });
}

async function thresholdFor(
  backend: Backend,
  weights: Weights,
  site: MlpSite,
  data: MlpData,
  density: number,
): Promise<number> {
  const [z] = preActivation(new Graph(), weights, site, data);
  const program = await backend.compile({ z: z! }, { weights });
  const bins = new Float64Array(BINS);
  await inChunks(program, data, false, {}, (outputs) => {
    for (const value of outputs["z"]!.data as Float32Array)
      if (value > 0) bins[Math.min(BINS - 1, Math.floor((value / LIMIT) * BINS))]!++;
  });
  let left = density * data.tokens * site.neurons;
  let bin = BINS - 1;
  for (; bin >= 0 && bins[bin]! <= left; bin--) left -= bins[bin]!;
  // as many as that, or fewer, lie above the upper end of the first step that holds too many
  return ((bin + 1) / BINS) * LIMIT;
}

async function sumsOf(backend: Backend, weights: Weights, site: MlpSite, data: MlpData, shift: Float32Array) {
  const { neurons } = site;
  const width = data.targets.length / data.tokens;
  const graph = new Graph();
  const [z, factor] = preActivation(graph, weights, site, data);
  const y = graph.input("y", "float32", ["N", width]);
  const a = relu(sub(z!, graph.input("shift", "float32", [neurons])));
  const read = factor === undefined ? a : mul(a, factor);
  const outputs = {
    sum: reduceSum(read, { axes: [0] }),
    products: matmul(read, read, { transA: true }),
    cross: matmul(y, read, { transA: true }),
    outSum: reduceSum(y, { axes: [0] }),
    active: reduceSum(cast(greater(a, 0), "float32")),
  };
  const program = await backend.compile(outputs, { weights });
  const sums = {
    tokens: data.tokens,
    sum: new Float64Array(neurons),
    products: new Float64Array(neurons ** 2),
    cross: new Float64Array(width * neurons),
    outSum: new Float64Array(width),
    active: 0,
  };
  await inChunks(program, data, true, { shift: float32([neurons], shift) }, (chunk) => {
    for (const name of ["sum", "products", "cross", "outSum"] as const) {
      const [from, to] = [chunk[name]!.data as Float32Array, sums[name]];
      for (let i = 0; i < to.length; i++) to[i]! += from[i]!;
    }
    sums.active += Number(chunk["active"]!.data[0]);
  });
  return sums;
}

/** Runs a program over all tokens, some at a time, and disposes of it. */
async function inChunks(
  program: Program,
  { tokens, inputs, targets }: MlpData,
  hasTargets: boolean,
  fed: Readonly<Record<string, Tensor>>,
  each: (outputs: Outputs) => void,
): Promise<void> {
  const part = (values: Float32Array, from: number, to: number) => {
    const width = values.length / tokens;
    return float32([to - from, width], values.slice(from * width, to * width));
  };
  try {
    for (let from = 0; from < tokens; from += CHUNK) {
      const to = Math.min(tokens, from + CHUNK);
      const y = hasTargets ? { y: part(targets, from, to) } : {};
      each(await program.run({ ...fed, ...y, x: part(inputs, from, to) }));
    }
  } finally {
    await program.dispose();
  }
}
