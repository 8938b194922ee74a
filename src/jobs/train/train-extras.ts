// What a run adds to plain fine-tuning, as the trainer takes it: removal of neurons, gates, a weight by feedback.
import { gateOf, isGate } from "../../density/index.ts";
import type { BaseModel } from "../../load/index.ts";
import type { Method } from "../../peft/index.ts";
import type { RemovalOptions } from "../../prune/index.ts";
import type { Settings } from "../../settings/index.ts";
import type { TrainingBundle } from "../../tasks/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { type CompactionOptions, compactionSteps, type DensityWeightControllerOptions } from "../../train/index.ts";

/** Masks change at every hundredth of the run: rarely enough to cost nothing, often enough to follow the cubic. */
const REMOVAL_INTERVAL = 0.01;

/**
 * When neurons go and how they are chosen; null where all stay. The bundle's method is the one that trains: on a pruned base its LoRA
 * leaves zeros alone, which the settings need not say.
 */
export function removalOptions(
  { removal }: Settings,
  { model, weights, method }: TrainingBundle,
  totalSteps: number,
): RemovalOptions | null {
  if (removal === null) return null;
  const startStep = Math.floor(removal.start * totalSteps);
  return {
    keep: removal.keep,
    startStep,
    endStep: Math.max(startStep + 1, Math.round(removal.end * totalSteps)),
    interval: Math.max(1, Math.round(REMOVAL_INTERVAL * totalSteps)),
    scope: removal.scope,
    sites: model.mlps,
    weights,
    method: method.settings,
  };
}

/** How removed neurons leave the step; null where none are removed, or matrices are stored in few bits, out of which no neuron can be taken. */
export function compactionOptions(
  removal: RemovalOptions | null,
  { base, settled }: { readonly base: Pick<BaseModel, "config" | "quantization">; readonly settled: Method },
): CompactionOptions | null {
  if (removal === null || base.quantization !== null) return null;
  return { config: base.config, settled, steps: compactionSteps(removal) };
}

/** What the density weight's controller holds itself to; null where the weight is given. `chanceLoss` is what guessing costs. */
export function weightControl(
  { density: { auto } }: Settings,
  totalSteps: number,
  chanceLoss: number,
  reference: readonly number[] | null,
): DensityWeightControllerOptions | null {
  if (!auto || !reference) return null;
  return { reference, margin: auto.margin * chanceLoss, targetDensity: auto.targetDensity, totalSteps };
}

/** Each MLP's gate by its sublayer's path. */
export function gateValues(trained: ReadonlyMap<string, Tensor>): Record<string, number> {
  const gates = [...trained].filter(([name]) => isGate(name));
  return Object.fromEntries(
    gates.map(([name, { data }]) => [name.slice(0, name.lastIndexOf(".")), gateOf(Number(data[0]))]),
  );
}
