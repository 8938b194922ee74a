// What is asked of any method through its record: hooks for its settings, merged weights, the parameters that it adds.
import { UnsupportedError } from "../errors.ts";
import type { Tensor, Weights } from "../tensor/index.ts";
import type { StoredMethod } from "./method.ts";
import { type AnyMethod, type AnyRecord, MERGEABLE, METHOD_RECORDS, type MethodSettings, recordOf } from "./table.ts";

/**
 * The method that settings describe. `initTokenIds` are the tokens of a prompt's `initText`, for training.
 * Errors as the method's own.
 */
export function methodOf(settings: StoredMethod, initTokenIds?: readonly number[]): AnyMethod {
  return recordOf(settings).build(settings as MethodSettings, initTokenIds);
}

/** How many of a model's positions a method takes for itself. */
export function numVirtualTokens(settings: MethodSettings): number {
  return recordOf(settings).virtualTokens?.(settings) ?? 0;
}

/** Whether what was trained can be folded into the weights. */
export function isMergeable(settings: StoredMethod): boolean {
  return recordOf(settings).merge !== undefined;
}

/** Whether a method could make something else of a zero of the base. */
export function canFillZeros(record: AnyRecord): boolean {
  return record.trainsBase === true || "keepingZeros" in record;
}

/** Whether a parameter is one that a method adds to the model. */
export function isAdded(name: string): boolean {
  return METHOD_RECORDS.some(({ adds }) => adds?.test(name));
}

/**
 * The base with what was trained folded in; merged when it is read.
 * @throws {UnsupportedError} for methods whose part is no change of a weight (bottleneck adapters, prompts, prefixes).
 */
export function mergedWeights(
  weights: Weights,
  trained: ReadonlyMap<string, Tensor>,
  settings: MethodSettings,
): Weights {
  const record = recordOf(settings);
  if (record.merge) return record.merge(weights, trained, settings);
  const supported = MERGEABLE.map(({ kind }) => kind);
  throw new UnsupportedError(`merging method ${settings.kind} into the weights`, supported);
}

/** Settings and tensors as they are stored. */
export function foldedPart(
  settings: MethodSettings,
  tensors: ReadonlyMap<string, Tensor>,
): { readonly settings: MethodSettings; readonly tensors: ReadonlyMap<string, Tensor> } {
  return recordOf(settings).folded?.(settings, tensors) ?? { settings, tensors };
}
