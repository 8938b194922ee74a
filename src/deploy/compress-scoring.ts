// Scoring without rebuilding: one program whose neurons are switched by what it is fed, and plain models beside it.
import {
  CalibrationMeter,
  calibrationOutputs,
  fedMasks,
  inferenceGraph,
  type LayerFacts,
  type NeuronStatistics,
} from "../compress/index.ts";
import { batches, type EncodedExamples, evaluationPlan, type Task } from "../data/index.ts";
import { activationTap } from "../density/index.ts";
import { InternalError } from "../errors.ts";
import { glueMetrics, METRIC_NAMES, predictionsOf } from "../infer/index.ts";
import type { MlpSite } from "../models/index.ts";
import type { Backend, Program } from "../runtime/index.ts";
import { float32, randomStream, type Tensor } from "../tensor/index.ts";
import { type FrozenModel, inferenceFeeds, inferenceOf } from "./frozen-model.ts";

const BATCH = 32;

/** Batches for inference, longest examples first. */
export function inferenceBatches(examples: EncodedExamples, batchSize = BATCH) {
  // labels are not fed, so any kind does
  return batches(examples, evaluationPlan(examples.lengths, batchSize), { kind: "regression", padding: "longest" });
}

/** Logits `[examples, C]` of a program over `examples`; `fed` goes with every batch. */
export async function logitsOf(
  program: Program,
  examples: EncodedExamples,
  fed: Readonly<Record<string, Tensor>> = {},
): Promise<Float32Array> {
  let logits = new Float32Array(0);
  for (const batch of inferenceBatches(examples)) {
    const rows = (await program.run({ ...inferenceFeeds(batch), ...fed })).logits!.data as Float32Array;
    const width = rows.length / batch.indices.length;
    if (logits.length === 0) logits = new Float32Array(examples.count * width);
    batch.indices.forEach((index, row) => {
      logits.set(rows.subarray(row * width, (row + 1) * width), index * width);
    });
  }
  return logits;
}

/** The task's metrics of logits. */
export function metricsOf(logits: Float32Array, examples: EncodedExamples, task: Task): Record<string, number> {
  const width = logits.length / examples.count;
  const names = METRIC_NAMES.filter((name) => (task.metrics as readonly string[]).includes(name));
  return { ...glueMetrics(names, predictionsOf(logits, width), examples.labels) } as Record<string, number>;
}

const RESAMPLES = 200;

/** What the main metric lost from one set of logits to another, and how far that depends on the examples. */
export interface LostScore {
  readonly lost: number;
  /** By a paired bootstrap, as the interval of 95 %. */
  readonly standardError: number;
  readonly low: number;
  readonly high: number;
}

/** What the main metric lost from `dense` to `logits`, both `[examples, C]`. */
export function lostScore(
  dense: Float32Array,
  logits: Float32Array,
  { labels, count }: EncodedExamples,
  task: Task,
): LostScore {
  const [name] = METRIC_NAMES.filter((of) => of === (task.mainMetric as string));
  if (name === undefined) throw new InternalError(`no metric ${task.mainMetric}`);
  const [before, after] = [dense, logits].map((of) => predictionsOf(of, of.length / count)) as [
    Float64Array,
    Float64Array,
  ];
  const random = randomStream(0, "lost score");
  const scoreOf = (predictions: Float64Array, indices: readonly number[]) => {
    const pick = (values: ArrayLike<number>) => Float64Array.from(indices, (i) => values[i]!);
    return glueMetrics([name], pick(predictions), pick(labels))[name]!;
  };
  const all = Array.from({ length: count }, (_, i) => i);
  const lostOn = (indices: readonly number[]) => scoreOf(before, indices) - scoreOf(after, indices);
  const differences = Array.from({ length: RESAMPLES }, () => lostOn(all.map(() => random.integer(count)))).filter(
    Number.isFinite,
  );
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / differences.length;
  const sorted = differences.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
  return { lost: lostOn(all), standardError: Math.sqrt(variance), low: at(0.025), high: at(0.975) };
}

/** Mean over examples of the squared distance between two sets of logits `[examples, C]`. */
export function divergenceOf(logits: Float32Array, from: Float32Array, examples: number): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += (logits[i]! - from[i]!) ** 2;
  return sum / examples;
}

/** What the neurons did on `examples`. Errors as `Backend.compile`. */
export async function calibrate(
  backend: Backend,
  { config, weights }: FrozenModel,
  examples: EncodedExamples,
): Promise<NeuronStatistics[]> {
  const tap = activationTap();
  const { inputs } = inferenceGraph(inferenceOf(config), { hooks: tap.hooks, firstOnly: false });
  const outputs = calibrationOutputs(tap.taps, inputs.attentionMask);
  const program = await backend.compile(outputs, { weights });
  const meter = new CalibrationMeter(tap.taps);
  try {
    for (const batch of inferenceBatches(examples))
      meter.add(await program.run(inferenceFeeds(batch)), batch.attendedTokens);
  } finally {
    await program.dispose();
  }
  return meter.statistics();
}

/** A model whose neurons are switched for each run: what a removal will do, without making it. */
export interface MaskedModel {
  /** Logits `[examples, C]` with only the kept neurons of each layer; null keeps all. */
  logits(examples: EncodedExamples, kept: readonly (readonly number[] | null)[]): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Compiles the switchable model; removed neurons stand at their calibration mean. Errors as `Backend.compile`. */
export async function openMasked(
  backend: Backend,
  { config, weights }: FrozenModel,
  facts: readonly LayerFacts[],
): Promise<MaskedModel> {
  const sites = facts.map(({ site }) => site);
  const { outputs } = inferenceGraph(inferenceOf(config), { hooks: fedMasks(sites), firstOnly: false });
  const program = await backend.compile(outputs, { weights, mapWeights: false });
  return {
    logits: (examples, kept) => logitsOf(program, examples, maskFeeds(facts, kept)),
    dispose: () => program.dispose(),
  };
}

function maskFeeds(facts: readonly LayerFacts[], kept: readonly (readonly number[] | null)[]): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  facts.forEach(({ site, statistics }, i) => {
    if (site.neurons === 0) return;
    const mask = new Float32Array(site.neurons).fill(kept[i] === null ? 1 : 0);
    for (const f of kept[i] ?? []) mask[f] = 1;
    const fill = Float32Array.from(mask, (on, f) => (on === 1 ? 0 : (statistics?.mean[f] ?? 0)));
    feeds[`neurons.${i}.mask`] = float32([site.neurons], mask);
    feeds[`neurons.${i}.fill`] = float32([site.neurons], fill);
  });
  return feeds;
}

/** Reads what the rules need of each MLP. */
export async function layerFacts(
  { weights }: FrozenModel,
  sites: readonly MlpSite[],
  statistics: readonly NeuronStatistics[],
): Promise<LayerFacts[]> {
  const read = async (name: string) => ((await weights.get(name)?.read())?.data as Float32Array | undefined) ?? null;
  return Promise.all(
    sites.map(async (site) => ({
      site,
      outWeight: (site.neurons === 0 ? null : await read(`${site.out}.weight`)) ?? new Float32Array(0),
      outBias: site.neurons === 0 ? null : await read(`${site.out}.bias`),
      statistics: statistics.find((of) => of.site === site.activation) ?? null,
    })),
  );
}
