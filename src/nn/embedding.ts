// Embedding tables.
import { gather, type Value } from "../graph/index.ts";
import type { Scope } from "./scope.ts";

/** Rows of the table `weight` `[size, D]` at `ids` `[…]`: `[…, D]`. */
export function embedding(scope: Scope, ids: Value, size: number, hiddenSize: number): Value {
  return scope.at(() => {
    const stored = scope.parameter("weight", [size, hiddenSize]);
    return gather(scope.hooks.weight?.(scope, stored) ?? stored, ids);
  });
}
