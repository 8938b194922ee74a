// Which MLPs of a decoder are read row by row: decided by how many neurons are active and by what this machine takes.
import type { Value } from "../../graph/index.ts";
import { compose } from "../../nn/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { ModelBatch } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { GenerationOptions } from "./decoding.ts";
import { expectedMs, type GatherShape, type GatherTimes, gatherTimes } from "./gather-times.ts";
import { type GeneratorOptions, openGenerator, type StepObserver } from "./generator.ts";
import { Magnitudes } from "./magnitudes.ts";
import { Predictions } from "./predictions.ts";
import { type MlpShape, projectionTap, type SparseMlpLayer, type SparseMlpPlan, withPredictors } from "./sparse-mlp.ts";

/** A gathered MLP must be expected to take at most this much of a dense one's time. */
const WORTHWHILE = 0.9;
/** Bytes of transposed matrices that one program may hold: they lie inside the model, which protobuf bounds at 2 GB. */
const MOST_BYTES = 1.5e9;
/** Share of the active neurons that predictions find; those that are missed are the smallest, nearly all of them. */
const RECALL = 0.99;

/** One MLP, and what it did over the steps of a calibration. */
export interface CalibratedMlp extends MlpShape {
  readonly magnitudes: Magnitudes;
  readonly predictions: Predictions;
}

/** What the decoder's MLPs did while texts were written by whole matrices. */
export interface SparseCalibration {
  /** Tokens of a step, at most: examples of a batch times their texts. */
  readonly rows: number;
  readonly steps: number;
  readonly layers: readonly CalibratedMlp[];
}

export interface CalibrateOptions extends Omit<GeneratorOptions, "sparseMlp" | "observe" | "density"> {
  /** Compare the activations with what predictions say of them; by default not, which is faster. */
  readonly predicts?: boolean;
}

/** Writes the texts of some batches by whole matrices and watches. Errors as `openGenerator` and `Generator.generate`. */
export async function calibrateSparseMlp(
  { predicts = false, ...options }: CalibrateOptions,
  trained: ReadonlyMap<string, Tensor>,
  batches: Iterable<Pick<ModelBatch, "inputs">> | AsyncIterable<Pick<ModelBatch, "inputs">>,
  generation?: GenerationOptions,
): Promise<SparseCalibration> {
  const tap = projectionTap();
  const seen = new Map<string, Pick<CalibratedMlp, "magnitudes" | "predictions">>();
  let [rows, steps] = [0, 0];
  const observe: StepObserver = {
    wantsPacked: predicts,
    outputs: (taps) =>
      Object.fromEntries(
        taps.flatMap(({ site, activation }): (readonly [string, Value])[] => {
          const prediction = predicts ? tap.predictions.get(site) : undefined;
          const fetched = [[`activation.${site}`, activation]] as const;
          return prediction === undefined ? [...fetched] : [...fetched, [`prediction.${site}`, prediction]];
        }),
      ),
    step(outputs, tokens) {
      rows = Math.max(rows, tokens);
      steps++;
      for (const [name, { data }] of Object.entries(outputs)) {
        if (!name.startsWith("activation.")) continue;
        const site = name.slice("activation.".length);
        const of = seen.get(site) ?? { magnitudes: new Magnitudes(), predictions: new Predictions() };
        seen.set(site, of);
        const [activations, neurons] = [data as Float32Array, data.length / tokens];
        of.magnitudes.add(activations, neurons);
        const predicted = outputs[`prediction.${site}`];
        if (predicted) of.predictions.add(predicted.data as Float32Array, activations, neurons);
      }
    },
  };
  const method = { ...options.method, hooks: compose(options.method.hooks, tap.hooks) };
  const weights = predicts ? withPredictors(options.model, options.weights) : options.weights;
  const generator = await openGenerator({ ...options, method, weights, observe });
  try {
    for await (const batch of batches) await generator.generate(trained, batch, generation);
  } finally {
    await generator.dispose();
  }
  return { rows, steps, layers: [...seen].map(([site, of]) => ({ ...tap.shapes.get(site)!, ...of })) };
}

export interface PlanSparseMlpOptions {
  readonly backend: Backend;
  /** Thresholds such that at most this share of a layer's neurons is active; by default none. */
  readonly keepActive?: number;
  /** Whether rows of all matrices may be chosen by predictions, which miss some active neurons; by default not. */
  readonly predicts?: boolean;
  /** Share of the active neurons that predictions are to find. */
  readonly recall?: number;
  /** What this machine takes behind the nonlinearity; by default measured, once for each shape. */
  readonly times?: (shape: GatherShape) => Promise<GatherTimes>;
  /** What it takes for whole MLPs, with and without predictions; by default measured, once for each shape. */
  readonly wholeTimes?: (shape: GatherShape) => Promise<GatherTimes>;
}

/** Decides each layer: rows are read where the machine is expected to take at most nine tenths of the time. Errors as `Backend.compile`. */
export async function planSparseMlp(
  { rows, layers }: SparseCalibration,
  options: PlanSparseMlpOptions,
): Promise<SparseMlpPlan> {
  const planned: SparseMlpLayer[] = [];
  let room = MOST_BYTES;
  for (const layer of layers) {
    const decided = await plannedLayer(layer, rows, room, options);
    if (decided.isGathered) room -= bytesOf(layer, decided.prediction !== undefined);
    planned.push(decided);
  }
  const isExact = planned.every(({ threshold, prediction }) => threshold === 0 && prediction === undefined);
  return { rows, exactness: isExact ? "exact" : "calibrated", layers: planned };
}

/** Of the transposed matrix, and of the copy in four bits with a scale for 32 numbers. */
const bytesOf = ({ hidden, neurons }: MlpShape, isPredicted: boolean) =>
  hidden * neurons * (4 + (isPredicted ? 1 / 2 + 4 / 32 : 0));

async function plannedLayer(
  layer: CalibratedMlp,
  rows: number,
  room: number,
  {
    backend,
    keepActive,
    predicts = false,
    recall = RECALL,
    times = (of) => gatherTimes(backend, of),
  }: PlanSparseMlpOptions,
): Promise<SparseMlpLayer> {
  const { site, hidden, neurons, isGated, obstacle, predictionObstacle, magnitudes, predictions } = layer;
  const whole = { site, neurons, isGathered: false, threshold: 0, active: magnitudes.active(0) };
  if (obstacle !== null) return { ...whole, denseMs: null, gatheredMs: null, reason: obstacle };
  const threshold = keepActive === undefined ? 0 : magnitudes.threshold(keepActive);
  const active = magnitudes.active(threshold);
  const read = { site, neurons, isGathered: true, threshold, active, reason: null };
  const { denseMs, ...table } = await times({ hidden, neurons, isGated, rows });
  const gatheredMs = expectedMs(table.gathered, active);
  const lost = slower(denseMs, gatheredMs);
  const prediction = predicts && predictionObstacle === null ? predictions.floor(threshold, recall) : null;
  const predictedMs = prediction && expectedMs(table.predicted, prediction.selected);
  const best = lost === null ? gatheredMs! : denseMs;
  if (prediction !== null && slower(best, predictedMs) === null && bytesOf(layer, true) <= room)
    return { ...read, denseMs, gatheredMs: predictedMs, prediction };
  const reason = lost ?? (bytesOf(layer, false) > room ? "the program holds all the transposed matrices it can" : null);
  return reason === null ? { ...read, denseMs, gatheredMs } : { ...whole, denseMs, gatheredMs, reason };
}

/** Why a form is not worth it beside one that takes `ms`; null: it is. */
function slower(ms: number, otherMs: number | null): string | null {
  if (otherMs === null) return "too many neurons are active";
  return otherMs <= WORTHWHILE * ms ? null : "whole matrices are as fast";
}

/** A plan chosen under a budget, with what it was measured to lose. */
export interface ChosenSparseMlp {
  readonly plan: SparseMlpPlan;
  /** The score of whole matrices, and of the plan. */
  readonly score: { readonly dense: number; readonly sparse: number };
  readonly keepActive: number | null;
}

export interface ChooseSparseMlpOptions extends PlanSparseMlpOptions {
  /** How far the score may fall, in its own unit. */
  readonly budget: number;
  /** The score of texts written by a plan, on examples that it was not calibrated on; larger is better. */
  readonly score: (plan: SparseMlpPlan | null) => Promise<number>;
  /** Shares of active neurons that thresholds may leave, descending. */
  readonly shares?: readonly number[];
}

/**
 * The plan with the fewest active neurons whose score falls by no more than the budget: thresholds rise until one does not hold.
 * Predictions alone are tried first; where they cost too much, rows are chosen by what is computed.
 */
export async function chooseSparseMlp(
  calibration: SparseCalibration,
  { budget, score, shares = [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05], ...options }: ChooseSparseMlpOptions,
): Promise<ChosenSparseMlp> {
  const dense = await score(null);
  const exact = await planSparseMlp(calibration, { ...options, predicts: false });
  let { predicts = false } = options;
  let chosen: ChosenSparseMlp = { plan: exact, score: { dense, sparse: dense }, keepActive: null };
  for (const keepActive of [null, ...shares]) {
    const limit = keepActive === null ? {} : { keepActive };
    const plan = await planSparseMlp(calibration, { ...options, ...limit, predicts });
    // it reads no fewer rows than the plan without thresholds
    if (plan.exactness === "exact" || isSame(plan, chosen.plan)) continue;
    const sparse = await score(plan);
    const holds = dense - sparse <= budget;
    if (!holds && keepActive !== null) break;
    predicts = predicts && holds;
    if (!holds) continue;
    chosen = { plan, score: { dense, sparse }, keepActive };
  }
  return chosen;
}

const isSame = (a: SparseMlpPlan, b: SparseMlpPlan) => JSON.stringify(a) === JSON.stringify(b);
