// What a compression came to: sizes, scores of quantised weights, latency, and whether a budget holds.

import { logitsOf, scoreDrop, scoreLogits } from "../../evaluate/index.ts";
import { type MergedModel, openDeployed } from "../../load/index.ts";
import { keptCount, type LayerPlan, type PlainModel, type WeightQuantization } from "../../prune/index.ts";
import type { BudgetOutcome, Compression, ModelSize, StoredDecoding } from "../../runs/index.ts";
import type { Backend } from "../../runtime/index.ts";
import type { TaskScore } from "../../tasks/index.ts";
import { parameterCount } from "../../tensor/index.ts";
import { fewBits } from "../export/quantized-backend.ts";
import { calibrateActivations, staticRanges } from "./calibrate.ts";
import type { CompressData } from "./data.ts";
import { openLatency } from "./latency-budget.ts";
import type { CompressOptions } from "./options.ts";
import { densityOn, plainScore } from "./scoring.ts";

/** What was decided about decoding by rows. */
export function decodingFacts({
  plan: { exactness, layers },
  lost,
  keepActive,
}: StoredDecoding): NonNullable<Compression["decoding"]> {
  const gathered = layers.filter(({ isGathered }) => isGathered).length;
  const predicted = layers.filter(({ prediction }) => prediction !== undefined).length;
  return { exactness, gathered, predicted, of: layers.length, lost, keepActive };
}

/** A compressed model to be measured in fewer bits. */
export interface Quantizing {
  readonly frozen: MergedModel;
  readonly smaller: PlainModel;
  readonly data: CompressData;
  readonly precision: Exclude<WeightQuantization, "none">;
}

/** The metrics of what an export in these weights will be. */
export async function quantizedMetrics(backend: Backend, quantizing: Quantizing): Promise<Record<string, number>> {
  const { frozen, smaller, data, precision } = quantizing;
  const { heldOut: stated } = data;
  if (precision !== "qdq" && frozen.model.writes) {
    const said = await plainScore(fewBits(backend, precision), frozen, smaller, data, stated);
    return { ...said.metrics };
  }
  const ranges =
    precision === "qdq" ? staticRanges(await calibrateActivations(backend, smaller, data.calibration)) : undefined;
  const program = await openDeployed(backend, smaller, precision, { ranges });
  try {
    return { ...scoreLogits(await logitsOf(program, data.head, stated), stated, data).metrics };
  } finally {
    await program.dispose();
  }
}

/** Another activation, and how dense activations were and are on examples that no choice has seen: exact non-zeros, by stack. */
export async function activationFacts(
  backend: Backend,
  { frozen, smaller, data, name }: Pick<Quantizing, "frozen" | "smaller" | "data"> & { readonly name: string },
): Promise<NonNullable<Compression["activation"]>> {
  const of = async (model: PlainModel) => {
    const { encoder, decoder } = await densityOn(backend, model, data.head, data.heldOut);
    return { encoder: encoder.exact, ...(decoder === undefined ? {} : { decoder: decoder.exact }) };
  };
  const before = { name: frozen.model.config.hiddenAct, density: await of(frozen) };
  return { before, after: { name, density: await of(smaller) } };
}

/** Neurons, MLPs and parameters of a model that the plan of its layers describes. */
export function modelSize({ weights }: PlainModel, layers: readonly LayerPlan[]): ModelSize {
  const sizes = layers.map(keptCount);
  return {
    neurons: sizes.reduce((sum, size) => sum + size, 0),
    mlps: sizes.filter((size) => size > 0).length,
    parameters: parameterCount(weights),
  };
}

/** The share of the dense model's time on texts that no choice was timed on. */
export async function statedLatency(
  backend: Backend,
  frozen: MergedModel,
  smaller: PlainModel,
  { heldOut: stated }: CompressData,
): Promise<number> {
  const meter = await openLatency(backend, frozen, stated);
  try {
    return (await meter.share(smaller)).latency;
  } finally {
    await meter.dispose();
  }
}

/** Whether the budget holds on the examples that no choice has seen; null without one. */
export function budgetOutcome(
  { rule, activation }: CompressOptions,
  latency: number | null,
  before: TaskScore,
  after: TaskScore,
): BudgetOutcome | null {
  const asked = rule.kind === "score" ? rule.budget : (activation?.scoreBudget ?? null);
  if (asked !== null) {
    const { lost, low, high } = scoreDrop(before, after);
    return { kind: "score", asked, reached: lost, met: lost <= asked + 1e-12, interval: { low, high } };
  }
  if (rule.kind !== "latency" || latency === null) return null;
  return { kind: "latency", asked: rule.budget, reached: latency, met: latency <= rule.budget };
}

/** What a report and later commands know of the run behind the model. */
export function runFacts({ opened: { settings, labels } }: MergedModel, { task }: CompressData): Compression["run"] {
  return settings === null ? null : { settings, labels, metricName: task.mainMetric };
}
