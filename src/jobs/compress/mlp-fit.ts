// One MLP with a ReLU in place of its activation: the threshold for a share of neurons, and the output fitted again, on tokens that were run before.
import { cast, Graph, greater, matmul, mul, reduceSum, relu, sub } from "../../graph/index.ts";
import { type MlpSite, type NeuronRows, neuronRows, partOf } from "../../models/index.ts";
import { fitOutput, type LayerPlan, type PlainModel } from "../../prune/index.ts";
import type { Backend, Outputs, Program } from "../../runtime/index.ts";
import { float32, memoryWeights, type Tensor, type Weights } from "../../tensor/index.ts";
import type { MlpData } from "./mlp-data.ts";
import { factorOf, preActivation } from "./mlp-graph.ts";
import { type MlpParameters, trainedMlp } from "./mlp-steps.ts";

/** Tokens of one run: the sums of its products leave the runtime with each. */
const CHUNK = 2048;
/** Pre-activations are counted in this many steps between the limits. */
const BINS = 1 << 16;
const LIMIT = 16;

/** What is asked of one MLP. */
export interface SwapRequest {
  /** Share of the activations that may be non-zero; null: what the ReLU alone leaves. */
  readonly density: number | null;
  /** Steps of training of the MLP alone. */
  readonly steps: number;
  readonly signal?: AbortSignal | undefined;
}

/** One MLP with its ReLU. */
export interface SwappedLayer {
  readonly plan: LayerPlan;
  /** Share of its activations that are not zero on the calibration tokens. */
  readonly active: number;
}

/**
 * Fits one MLP of `model` with a ReLU: its output matrix by least squares and, with `steps`, the matrix in front of the activation too, by
 * training. With `density` the ReLU has the threshold above which this share of the pre-activations lies, which is subtracted from the bias
 * they have. Errors as `Backend.compile`.
 */
export async function swappedLayer(
  backend: Backend,
  { weights }: PlainModel,
  site: MlpSite,
  data: MlpData,
  { density, steps, signal }: SwapRequest,
): Promise<SwappedLayer> {
  const [rows] = neuronRows(site) as [NeuronRows];
  const numbers = async (name: string) => (await weights.get(name)?.read())?.data as Float32Array | undefined;
  const oldBias = partOf((await numbers(`${rows.path}.bias`)) ?? new Float32Array(rows.parts * site.neurons), rows);
  const old = { into: partOf((await numbers(`${rows.path}.weight`))!, rows), intoBias: oldBias };
  let fitted = await withThreshold(
    backend,
    weights,
    site,
    data,
    { ...old, out: (await numbers(`${site.out}.weight`))! },
    density,
  );
  const request = { steps, density: density ?? fitted.active };
  const trained = steps === 0 ? null : await trainedMlp(backend, weights, site, data, fitted, request, signal);
  if (trained !== null) fitted = await withThreshold(backend, weights, site, data, trained, request.density);
  const { into, intoBias, out, outBias, active } = fitted;
  const oldOutBias = await numbers(`${site.out}.bias`);
  const shift = intoBias.map((bias, f) => oldBias[f]! - bias);
  return {
    plan: {
      site: site.activation,
      neurons: site.neurons,
      kept: null,
      gate: 1,
      threshold: null,
      constant: Array.from(outBias, (value, d) => Math.fround(value - Number(oldOutBias?.[d] ?? 0))),
      out,
      ...(trained === null ? {} : { into }),
      ...(shift.every((by) => by === 0) ? {} : { shift }),
    },
    active,
  };
}

/** An MLP with the threshold for a density in its bias and its output fitted by least squares; `active` of its activations are not zero. */
async function withThreshold(
  backend: Backend,
  weights: Weights,
  site: MlpSite,
  data: MlpData,
  { into, intoBias, out: before }: Omit<MlpParameters, "outBias">,
  density: number | null,
): Promise<MlpParameters & { readonly active: number }> {
  const changed = await withActivated(weights, site, { into, intoBias });
  const threshold = density === null ? 0 : await thresholdFor(backend, changed, site, data, density);
  const sums = await sumsOf(backend, changed, site, data, threshold);
  const { out, bias: outBias } = await fitOutput(sums, before);
  const shifted = intoBias.map((bias) => bias - threshold);
  return { into, intoBias: shifted, out, outBias, active: sums.active / (data.tokens * site.neurons) };
}

/** The weights with another matrix and bias in front of the activation; a factor in the same layer stays, its bias zeros where it has none. */
async function withActivated(
  weights: Weights,
  site: MlpSite,
  { into, intoBias }: Pick<MlpParameters, "into" | "intoBias">,
): Promise<Weights> {
  const [{ path, parts, part }] = neuronRows(site) as [NeuronRows];
  const laid = async (name: string, own: Float32Array) => {
    if (parts === 1) return own;
    const stored = (await weights.get(`${path}.${name}`)?.read())?.data as Float32Array | undefined;
    const whole = stored?.slice() ?? new Float32Array(parts * own.length);
    whole.set(own, part * own.length);
    return whole;
  };
  const rows = parts * site.neurons;
  const own = memoryWeights(
    new Map([
      [`${path}.weight`, float32([rows, into.length / site.neurons], await laid("weight", into))],
      [`${path}.bias`, float32([rows], await laid("bias", intoBias))],
    ]),
  );
  return new Map([...weights, ...own]);
}

async function thresholdFor(
  backend: Backend,
  weights: Weights,
  site: MlpSite,
  data: MlpData,
  density: number,
): Promise<number> {
  const x = new Graph().input("x", "float32", ["N", data.inputs.length / data.tokens]);
  const program = await backend.compile({ z: preActivation(x, weights, site) }, { weights });
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

async function sumsOf(backend: Backend, weights: Weights, site: MlpSite, data: MlpData, threshold: number) {
  const { neurons } = site;
  const width = data.targets.length / data.tokens;
  const graph = new Graph();
  const x = graph.input("x", "float32", ["N", data.inputs.length / data.tokens]);
  const y = graph.input("y", "float32", ["N", width]);
  const a = relu(sub(preActivation(x, weights, site), graph.input("threshold", "float32", [])));
  const factor = factorOf(x, weights, site);
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
  await inChunks(program, data, true, { threshold: float32([], [threshold]) }, (chunk) => {
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
