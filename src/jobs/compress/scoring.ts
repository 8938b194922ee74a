// Scoring without rebuilding: one program whose neurons are switched by what it is fed, and plain models beside it.

import type { EncodedExamples } from "../../data/index.ts";
import type { DensityReport } from "../../density/index.ts";
import { divergenceOf, logitRows, logitsOf, scoreLogits, scoringBatches } from "../../evaluate/index.ts";
import { openScorer, requireFinite, type SparseMlpPlan } from "../../infer/index.ts";
import { compilePlain, type MergedModel } from "../../load/index.ts";
import { anyModel, type MlpSite } from "../../models/index.ts";
import { compose, none } from "../../nn/index.ts";
import { untrained } from "../../peft/index.ts";
import {
  addedTap,
  CalibrationMeter,
  calibrationOutputs,
  hasAdapter,
  type LayerFacts,
  type NeuronStatistics,
  neuronSwitches,
  outputReadTap,
  type PlainModel,
  switchFeeds,
} from "../../prune/index.ts";
import type { Backend } from "../../runtime/index.ts";
import { SCORING_BATCH } from "../../settings/index.ts";
import { buildTaskGraph, type HeadKind, type TaskScore } from "../../tasks/index.ts";
import type { CompressData } from "./data.ts";
import { exampleCount } from "./examples.ts";
import { openDivergence, openWriting, plainWriting, writtenDifference } from "./writing.ts";

/**
 * What the neurons did on `examples`; a decoder's while it is told what to write. With `moments` also what every two of a layer did
 * together, F² numbers each. Errors as `Backend.compile`.
 */
export async function calibrate(
  backend: Backend,
  { opened, model, weights, beside }: MergedModel,
  examples: EncodedExamples,
  { moments = false } = {},
): Promise<NeuronStatistics[]> {
  const sites = model.mlps;
  const [output, whole] = [outputReadTap(sites), addedTap(sites.filter((site) => hasAdapter(weights, site)))];
  const method = { ...untrained(), hooks: compose(beside?.method.hooks ?? none, output.hooks, whole.hooks) };
  const { taps, attended } = buildTaskGraph({ model, method, head: opened.head });
  const outputs = calibrationOutputs(taps, { read: output.read, added: whole.added, moments }, attended);
  const program = await backend.compile(outputs, { weights });
  const fed = Object.fromEntries(beside?.tensors ?? []);
  const meter = new CalibrationMeter(taps);
  try {
    for (const { inputs } of scoringBatches(examples, opened.head, "longest", SCORING_BATCH))
      meter.add(await program.run({ ...fed, ...inputs }));
  } finally {
    await program.dispose();
  }
  const statistics = meter.statistics();
  for (const { site, energy } of statistics) requireFinite(`activations at ${site}`, energy);
  return statistics;
}

/** Neurons that each layer keeps; null keeps all. */
export type KeptNeurons = readonly (readonly number[] | null)[];

/** A model whose neurons are switched for each run: what a removal will do, without making it. */
export interface MaskedModel {
  said(examples: EncodedExamples, kept: KeptNeurons): Promise<TaskScore>;
  /**
   * How far what it says moves from what it says with all neurons: mean over examples of the squared distance of the logits, or over the tokens
   * that are to be written of Kullback and Leibler's divergence.
   */
  divergence(examples: EncodedExamples, kept: KeptNeurons): Promise<number>;
  dispose(): Promise<void>;
}

/** Compiles the switchable model; what stands for removed neurons is as a plan with `refit` has it. Errors as `Backend.compile`. */
export function openMasked(
  backend: Backend,
  frozen: MergedModel,
  facts: readonly LayerFacts[],
  data: CompressData,
): Promise<MaskedModel> {
  const hooks = neuronSwitches(facts);
  return frozen.model.writes
    ? maskedGenerator(backend, frozen, hooks, facts, data)
    : maskedEncoder(backend, frozen, hooks, facts, data);
}

type Switches = ReturnType<typeof neuronSwitches>;

async function maskedEncoder(
  backend: Backend,
  { model, weights, opened, beside }: MergedModel,
  switches: Switches,
  facts: readonly LayerFacts[],
  data: CompressData,
): Promise<MaskedModel> {
  const method = { ...untrained(), hooks: compose(beside?.method.hooks ?? none, switches) };
  const { head } = opened;
  const scorer = await openScorer({ model, method, head, weights, backend, density: false, packed: true });
  const logits = async (examples: EncodedExamples, kept: KeptNeurons) => {
    const scored = scoringBatches(examples, head, "longest", SCORING_BATCH);
    const fed = new Map([...(beside?.tensors ?? []), ...(await switchFeeds(facts, kept))]);
    const rows = logitRows(head, examples);
    for (const batch of scored) rows.add(await scorer.run(fed, batch), batch.indices);
    return rows.logits.all;
  };
  const dense = new WeakMap<EncodedExamples, Float32Array>();
  return {
    said: async (examples, kept) => scoreLogits(await logits(examples, kept), examples, data),
    async divergence(examples, kept) {
      const from = dense.get(examples) ?? (await logits(examples, noneSwitched(facts)));
      dense.set(examples, from);
      return divergenceOf(await logits(examples, kept), from, examples);
    },
    dispose: () => scorer.dispose(),
  };
}

async function maskedGenerator(
  backend: Backend,
  frozen: MergedModel,
  hooks: Switches,
  facts: readonly LayerFacts[],
  data: CompressData,
): Promise<MaskedModel> {
  const written = plainWriting(frozen, hooks);
  const writing = await openWriting(backend, written, frozen, data);
  const teacher = await openDivergence(backend, written);
  const dense = await switchFeeds(facts, noneSwitched(facts));
  return {
    said: async (examples, kept) => writing.said(examples, await switchFeeds(facts, kept)),
    divergence: async (examples, kept) => teacher.divergence(examples, await switchFeeds(facts, kept), dense),
    async dispose() {
      await writing.dispose();
      await teacher.dispose();
    },
  };
}

/** Keeps every neuron. */
export const noneSwitched = (facts: readonly LayerFacts[]): KeptNeurons => facts.map(() => null);

/** What two models said of the same examples, and how far apart their logits are at most. */
export interface StatedScores {
  readonly before: TaskScore;
  readonly after: TaskScore;
  readonly logitsDifference: number;
}

/** Scores the model as it was and the smaller one, which may decode by rows, on the examples that no choice has seen. Errors as `Backend.compile`. */
export async function statedScores(
  backend: Backend,
  frozen: MergedModel,
  smaller: PlainModel,
  data: CompressData,
  decoding: SparseMlpPlan | null = null,
): Promise<StatedScores> {
  const { heldOut: stated } = data;
  if (frozen.model.writes) {
    const models = [plainWriting(frozen), { ...plainWriting(smaller), decoding }] as const;
    const said = (which: 0 | 1) => writtenScore(backend, models[which], frozen, data, stated);
    const [before, after] = [await said(0), await said(1)];
    return { before, after, logitsDifference: await writtenDifference(backend, models, stated) };
  }
  const logits = (model: PlainModel) => plainLogits(backend, model, data.head, stated);
  const [first, second] = [await logits(frozen), await logits(smaller)];
  return {
    before: scoreLogits(first, stated, data),
    after: scoreLogits(second, stated, data),
    logitsDifference: first.reduce((most, value, i) => Math.max(most, Math.abs(value - second[i]!)), 0),
  };
}

/** The score of a plain model that was made of `frozen`, on some examples. Errors as `Backend.compile`. */
export async function plainScore(
  backend: Backend,
  frozen: MergedModel,
  model: PlainModel,
  data: CompressData,
  examples: EncodedExamples,
): Promise<TaskScore> {
  if (frozen.model.writes) return writtenScore(backend, plainWriting(model), frozen, data, examples);
  return scoreLogits(await plainLogits(backend, model, data.head, examples), examples, data);
}

async function writtenScore(
  backend: Backend,
  written: Parameters<typeof openWriting>[1],
  frozen: MergedModel,
  data: CompressData,
  examples: EncodedExamples,
): Promise<TaskScore> {
  const writing = await openWriting(backend, written, frozen, data);
  return writing.said(examples).finally(() => writing.dispose());
}

async function plainLogits(
  backend: Backend,
  model: PlainModel,
  head: HeadKind,
  examples: EncodedExamples,
): Promise<Float32Array> {
  const program = await compilePlain(backend, model);
  return logitsOf(program, head, examples).finally(() => program.dispose());
}

/** How often a plain model's activations are zero on `examples`; a decoder's while it is told what to write. Errors as `Backend.compile`. */
export async function densityOn(
  backend: Backend,
  { config, weights }: PlainModel,
  head: HeadKind,
  examples: EncodedExamples,
): Promise<DensityReport> {
  const model = anyModel(config, undefined, weights);
  const scorer = await openScorer({ model, method: untrained(), head, weights, backend, density: true });
  try {
    const scored = scoringBatches(examples, head, "longest", SCORING_BATCH);
    return (await scorer.score(new Map(), scored, exampleCount(examples))).density!;
  } finally {
    await scorer.dispose();
  }
}

/** Reads what the rules need of each MLP. */
export async function layerFacts(
  { weights }: MergedModel,
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
