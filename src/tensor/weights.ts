// Weights by checkpoint name, either in memory or still in the file they came from.
import type { DType } from "./dtype.ts";
import { elementCount, type Tensor } from "./tensor.ts";

/** Where a tensor's bytes lie in a file: `folder/name`, from `byteOffset`, little endian, row-major. */
export interface FileSpan {
  readonly folder: string;
  readonly name: string;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/**
 * One stored tensor. `span` is present when the bytes lie in a file that a runtime can map without a copy;
 * `read` gives the numbers in any case.
 */
export interface Weight {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly span?: FileSpan;
  /** What a matrix in few bits is stored as, by part: `<name>.<part>` is what a graph asks for. */
  readonly parts?: Weights;
  read(): Promise<Tensor>;
}

/** A checkpoint's tensors by their checkpoint name. */
export type Weights = ReadonlyMap<string, Weight>;

/** The weight called `name`, or the part of one stored in parts. */
export function findWeight(weights: Weights, name: string): Weight | undefined {
  const dot = name.lastIndexOf(".");
  return weights.get(name) ?? weights.get(name.slice(0, Math.max(0, dot)))?.parts?.get(name.slice(dot + 1));
}

/** A weight whose numbers are already in memory. */
export function memoryWeight(t: Tensor): Weight {
  return { dtype: t.dtype, shape: t.shape, read: () => Promise.resolve(t) };
}

/** Weights over tensors in memory. */
export function memoryWeights(tensors: Iterable<readonly [string, Tensor]>): Weights {
  return new Map(Array.from(tensors, ([name, t]) => [name, memoryWeight(t)]));
}

/** Number of elements over all tensors. */
export function parameterCount(weights: Weights): number {
  let count = 0;
  for (const weight of weights.values()) count += elementCount(weight.shape);
  return count;
}
