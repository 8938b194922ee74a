// A batch taken in parts: fewer results are kept at once, and they are more often still in the processor's cache.
import type { Tensor } from "../tensor/index.ts";
import { type ModelBatch, stackPositions } from "./model-batch.ts";

/** Padded tokens of one row of a batch, those of its answer counted in. */
export function tokensPerRow(batch: ModelBatch): number {
  return Object.values(stackPositions(batch)).reduce((sum, { length }) => sum + length, 0);
}

/**
 * The rows of a batch, in their order, in as few parts of nearly equal size as have `mostTokens` padded tokens or less; a part has one row
 * at least. What sums over examples computes over the parts is what it computes over the batch, but for dropout's noise.
 */
export function partsOf(batch: ModelBatch, mostTokens: number): readonly ModelBatch[] {
  const rows = batch.indices.length;
  const rowsPerPart = Math.max(1, Math.floor(mostTokens / tokensPerRow(batch)));
  const parts = Math.ceil(rows / rowsPerPart);
  if (parts <= 1) return [batch];
  const bounds = Array.from({ length: parts + 1 }, (_, part) => Math.round((part * rows) / parts));
  return bounds.slice(1).map((to, part) => rowsFrom(batch, bounds[part]!, to));
}

function rowsFrom({ inputs, indices }: ModelBatch, from: number, to: number): ModelBatch {
  const cut = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, cutRows(tensor, from, to)]));
  const attended = cut["attentionMask"]!.data as BigInt64Array;
  return {
    inputs: cut,
    indices: Array.from(indices).slice(from, to),
    attendedTokens: attended.reduce((sum, bit) => sum + Number(bit), 0),
  };
}

/** Rows of a tensor whose first axis is the batch's: a view. */
function cutRows(tensor: Tensor, from: number, to: number): Tensor {
  const [rows, ...rest] = tensor.shape;
  const width = tensor.data.length / rows!;
  return { ...tensor, shape: [to - from, ...rest], data: tensor.data.subarray(from * width, to * width) };
}
