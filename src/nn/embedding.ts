// Embedding tables.
import { equal, gather, isOp, reshape, stopGradient, type Value, where } from "../graph/index.ts";
import type { Scope } from "./scope.ts";

export interface EmbeddingOptions {
  /** The id whose row is never trained, as torch's `padding_idx`. */
  readonly paddingId?: number;
  /** Where hooks see the rows; the table's own place by default. */
  readonly site?: Scope;
}

/** Rows of the table `weight` `[size, D]` at `ids` `[…]`: `[…, D]`. */
export function embedding(
  scope: Scope,
  ids: Value,
  size: number,
  hiddenSize: number,
  { paddingId, site = scope }: EmbeddingOptions = {},
): Value {
  return scope.at(() => {
    const stored = scope.parameter("weight", [size, hiddenSize], "table");
    const looked = gather(scope.hooks.weight?.(scope, stored, "table") ?? stored, ids);
    // a frozen table needs no rule about its gradient
    const rows =
      paddingId === undefined || !isTrainable(stored)
        ? looked
        : where(reshape(equal(ids, paddingId), [...ids.shape, 1]), stopGradient(looked), looked);
    return scope.hooks.embedding?.(site, ids, rows, size) ?? rows;
  });
}

const isTrainable = ({ node }: Value): boolean => isOp(node, "parameter") && node.attributes.trainable;
