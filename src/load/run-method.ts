// A method with what training may add to any of them: masks of neurons, gates of MLPs.
import { isGate, mlpGates } from "../density/index.ts";
import { type Model, topologyOf } from "../models/index.ts";
import { compose } from "../nn/index.ts";
import { type Method, type MethodSettings, methodOf, recordOf } from "../peft/index.ts";
import { compensationBiases, isCompensationBias, isNeuronMask, keepZeros, neuronMasks } from "../prune/index.ts";
import type { Settings } from "../settings/index.ts";
import type { BaseModel } from "./base-model.ts";

/** What a run adds to its method. */
export interface MethodExtras {
  /** Every MLP's activation times a mask of neurons. */
  readonly masks: boolean;
  /** To every MLP's output what masked neurons gave on average. */
  readonly shifts: boolean;
  /** Every MLP's output times a trained gate. */
  readonly gates: boolean;
}

/** What a run's settings add. MLPs without a bias have none that a shift could be folded into. */
export function runExtras({ removal, gates }: Pick<Settings, "removal" | "gates">, model: Model): MethodExtras {
  const shifts = removal !== null && haveBiases(model);
  return { masks: removal !== null, shifts, gates: gates?.kind === "sigmoid" };
}

function haveBiases(model: Model): boolean {
  const { linears, mlps } = topologyOf(model);
  const biased = new Set(linears.flatMap(({ path, hasBias }) => (hasBias ? [path] : [])));
  return mlps.every(({ out, neurons }) => neurons === 0 || biased.has(out));
}

/** Whether a tensor belongs to what training adds to any method. */
export function isExtra(name: string): boolean {
  return isNeuronMask(name) || isCompensationBias(name) || isGate(name);
}

/** What was added, by the names of the tensors that were stored. */
export function extrasOf(names: Iterable<string>): MethodExtras {
  const all = [...names];
  return { masks: all.some(isNeuronMask), shifts: all.some(isCompensationBias), gates: all.some(isGate) };
}

/** The method's hooks with those of the extras; shifts come first, as a bias that the method's own additions read. */
export function withExtras(method: Method, { masks, shifts, gates }: MethodExtras): Method {
  if (!masks && !shifts && !gates) return method;
  const before = shifts ? [compensationBiases()] : [];
  const behind = [...(masks ? [neuronMasks()] : []), ...(gates ? [mlpGates()] : [])];
  return { ...method, hooks: compose(...before, method.hooks, ...behind) };
}

/**
 * The method that settings describe; when it `keepsZeros`, one that fills no zero of the base. A method whose base is frozen is that
 * anyway. Errors as `methodOf`.
 */
export function methodOnBase(settings: MethodSettings, keepsZeros: boolean, initTokenIds?: readonly number[]): Method {
  const record = recordOf(settings);
  if (!keepsZeros) return methodOf(settings, initTokenIds);
  const method = methodOf(record.keepingZeros?.(settings) ?? settings, initTokenIds);
  return record.trainsBase ? { ...method, hooks: compose(method.hooks, keepZeros()) } : method;
}

/** The method with the layers that are usual for the model, where none were chosen. */
export function methodOnModel(method: MethodSettings, { model }: Pick<BaseModel, "model">): MethodSettings {
  return recordOf(method).onModel?.(method, model.facts) ?? method;
}
