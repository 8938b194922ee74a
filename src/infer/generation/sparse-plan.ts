// Which MLPs of a decoder are read row by row: decided by how many neurons are active and by what this machine takes.
import type { Tap } from "../../density/index.ts";
import type { Value } from "../../graph/index.ts";
import { compose } from "../../nn/index.ts";
import type { Backend, Outputs } from "../../runtime/index.ts";
import type { ModelBatch } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { GenerationOptions } from "./decoding.ts";
import { expectedMs, type GatherShape, type GatherTimes, gatherTimes } from "./gather-times.ts";
import { type GeneratorOptions, openGenerator } from "./generator.ts";
import { type MlpShape, projectionTap, type SparseMlpLayer, type SparseMlpPlan } from "./sparse-mlp.ts";

/** A gathered MLP must be expected to take at most this much of a dense one's time. */
const WORTHWHILE = 0.9;
/** Bytes of transposed matrices that one program may hold: they lie inside the model, which protobuf bounds at 2 GB. */
const MOST_BYTES = 1.5e9;
const BINS_PER_OCTAVE = 8;
const [LEAST_LOG2, MOST_LOG2] = [-64, 32];

/** How large the activations of an MLP are, over the steps of a calibration: of each neuron the largest of a step's tokens. */
export class Magnitudes {
  /** Zeros first, then by ascending logarithm. */
  readonly #counts = new Float64Array(1 + (MOST_LOG2 - LEAST_LOG2) * BINS_PER_OCTAVE);
  #total = 0;

  /** Adds a step: activations `[tokens, neurons]`. */
  add(activations: Float32Array, neurons: number): void {
    for (let f = 0; f < neurons; f++) {
      let largest = 0;
      for (let at = f; at < activations.length; at += neurons) largest = Math.max(largest, Math.abs(activations[at]!));
      this.#counts[bin(largest)]!++;
    }
    this.#total += neurons;
  }

  /** The mean share of neurons that are active in a step: above `threshold` for one token or more. */
  active(threshold: number): number {
    if (this.#total === 0) return 0;
    const from = threshold === 0 ? 1 : bin(threshold) + 1;
    return this.#counts.subarray(from).reduce((sum, count) => sum + count, 0) / this.#total;
  }

  /** The least threshold, to an eighth of an octave, that leaves at most `share` of the neurons active; 0 where none is needed. */
  threshold(share: number): number {
    let left = this.#total - this.#counts[0]!;
    for (let i = 1; i <= this.#counts.length; i++) {
      if (left <= share * this.#total) return i === 1 ? 0 : Math.fround(2 ** (LEAST_LOG2 + (i - 1) / BINS_PER_OCTAVE));
      left -= this.#counts[i] ?? 0;
    }
    return 0;
  }
}

/** Bin i > 0 holds magnitudes in (2^((i−1)/8 − 64), 2^(i/8 − 64)]; what is smaller or larger still is in the outermost. */
function bin(magnitude: number): number {
  if (magnitude === 0) return 0;
  // float32 moves an edge by less than this
  const at = Math.ceil((Math.log2(magnitude) - LEAST_LOG2) * BINS_PER_OCTAVE - 1e-5);
  return Math.max(1, Math.min((MOST_LOG2 - LEAST_LOG2) * BINS_PER_OCTAVE, at));
}

/** What the decoder's MLPs did while texts were written by whole matrices. */
export interface SparseCalibration {
  /** Tokens of a step, at most: examples of a batch times their texts. */
  readonly rows: number;
  readonly steps: number;
  readonly layers: readonly (MlpShape & { readonly magnitudes: Magnitudes })[];
}

/** Writes the texts of some batches by whole matrices and watches. Errors as `openGenerator` and `Generator.generate`. */
export async function calibrateSparseMlp(
  options: Omit<GeneratorOptions, "sparseMlp" | "observe" | "density">,
  trained: ReadonlyMap<string, Tensor>,
  batches: Iterable<Pick<ModelBatch, "inputs">> | AsyncIterable<Pick<ModelBatch, "inputs">>,
  generation?: GenerationOptions,
): Promise<SparseCalibration> {
  const tap = projectionTap();
  const seen = new Map<string, Magnitudes>();
  let [rows, steps] = [0, 0];
  const observe = {
    outputs: (taps: readonly Tap[]): Record<string, Value> =>
      Object.fromEntries(taps.map(({ site, activation }) => [`activation.${site}`, activation])),
    step(outputs: Outputs, tokens: number) {
      rows = Math.max(rows, tokens);
      steps++;
      for (const [name, { data }] of Object.entries(outputs)) {
        if (!name.startsWith("activation.")) continue;
        const site = name.slice("activation.".length);
        const magnitudes = seen.get(site) ?? new Magnitudes();
        seen.set(site, magnitudes);
        magnitudes.add(data as Float32Array, data.length / tokens);
      }
    },
  };
  const method = { ...options.method, hooks: compose(options.method.hooks, tap.hooks) };
  const generator = await openGenerator({ ...options, method, observe });
  try {
    for await (const batch of batches) await generator.generate(trained, batch, generation);
  } finally {
    await generator.dispose();
  }
  const layers = [...seen].map(([site, magnitudes]) => ({ ...tap.shapes.get(site)!, magnitudes }));
  return { rows, steps, layers };
}

export interface PlanSparseMlpOptions {
  readonly backend: Backend;
  /** Thresholds such that at most this share of a layer's neurons is active; by default none. */
  readonly keepActive?: number;
  /** What this machine takes; by default measured, once for each shape. */
  readonly times?: (shape: GatherShape) => Promise<GatherTimes>;
}

/** Decides each layer: rows are read where the machine is expected to take at most nine tenths of the time. Errors as `Backend.compile`. */
export async function planSparseMlp(
  { rows, layers }: SparseCalibration,
  { backend, keepActive, times = (shape) => gatherTimes(backend, shape) }: PlanSparseMlpOptions,
): Promise<SparseMlpPlan> {
  const planned: SparseMlpLayer[] = [];
  let bytes = 0;
  for (const { site, hidden, neurons, isGated, obstacle, magnitudes } of layers) {
    const threshold = keepActive === undefined ? 0 : magnitudes.threshold(keepActive);
    const active = magnitudes.active(threshold);
    const table = obstacle === null ? await times({ hidden, neurons, isGated, rows }) : null;
    const [denseMs, gatheredMs] = [table?.denseMs ?? null, table && expectedMs(table, active)];
    const size = hidden * neurons * 4;
    const reason =
      obstacle ??
      slower(denseMs!, gatheredMs) ??
      (bytes + size > MOST_BYTES ? "the program holds all the transposed matrices it can" : null);
    const isGathered = reason === null;
    if (isGathered) bytes += size;
    const layer = { site, neurons, isGathered, denseMs, gatheredMs, reason };
    planned.push(
      isGathered ? { ...layer, threshold, active } : { ...layer, threshold: 0, active: magnitudes.active(0) },
    );
  }
  const isExact = planned.every(({ threshold }) => threshold === 0);
  return { rows, exactness: isExact ? "exact" : "calibrated", layers: planned };
}

function slower(denseMs: number, gatheredMs: number | null): string | null {
  if (gatheredMs === null) return "too many neurons are active";
  return gatheredMs <= WORTHWHILE * denseMs ? null : "whole matrices are as fast";
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

/** The plan with the fewest active neurons whose score falls by no more than the budget: thresholds rise until one does not hold. */
export async function chooseSparseMlp(
  calibration: SparseCalibration,
  { budget, score, shares = [0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05], ...options }: ChooseSparseMlpOptions,
): Promise<ChosenSparseMlp> {
  const dense = await score(null);
  const exact = await planSparseMlp(calibration, options);
  let chosen: ChosenSparseMlp = { plan: exact, score: { dense, sparse: dense }, keepActive: null };
  for (const keepActive of shares) {
    const plan = await planSparseMlp(calibration, { ...options, keepActive });
    // it reads no fewer rows than the plan without thresholds
    if (plan.exactness === "exact") continue;
    const sparse = await score(plan);
    if (!(dense - sparse <= budget)) break;
    chosen = { plan, score: { dense, sparse }, keepActive };
  }
  return chosen;
}
