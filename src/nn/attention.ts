// Multi-head attention over given projections, and the additive mask every model needs.
import {
  abs,
  add,
  cast,
  type Dim,
  type Graph,
  iota,
  less,
  matmul,
  max,
  mul,
  reshape,
  sliceFrom,
  softmax,
  sub,
  subtractDims,
  transpose,
  type Value,
} from "../graph/index.ts";
import { dropoutMask } from "./dropout.ts";
import type { KeyValue } from "./hooks.ts";
import type { Scope } from "./scope.ts";

/** The most negative float32, as transformers masks with: its softmax is exactly 0 beside any attended score. */
const MASKED = -3.4028234663852886e38;

/** 0 where attended and the most negative float where not: `[B, T]` int64 → `[B, 1, 1, T]` float32. */
export function additiveMask(attentionMask: Value): Value {
  const [batch, length] = attentionMask.shape;
  return reshape(mul(sub(1, cast(attentionMask, "float32")), MASKED), [batch!, 1, 1, length!]);
}

/** 0 at keys up to the query's own position and the most negative float behind it: `[1, 1, queries, keys]`, the last query at the last key. */
export function causalMask(graph: Graph, queries: Dim, keys: Dim): Value {
  const first = subtractDims(keys, queries);
  const query = sliceFrom(iota(graph, keys), 0, first);
  const isLater = less(reshape(query, [queries, 1]), reshape(iota(graph, keys), [1, keys]));
  return reshape(mul(cast(isLater, "float32"), MASKED), [1, 1, queries, keys]);
}

/** 0 at keys no further than `reach` from the query and the most negative float beyond: `[1, 1, length, length]`. */
export function windowMask(graph: Graph, length: Dim, reach: number): Value {
  const places = iota(graph, length);
  const distance = abs(sub(reshape(places, [length, 1]), reshape(places, [1, length])));
  return reshape(mul(cast(less(reach, distance), "float32"), MASKED), [1, 1, length, length]);
}

/** Two additive masks as one: masked where either is, and by no more, so that a query without any key weighs all alike. */
export function bothMasks(a: Value, b: Value): Value {
  return max(add(a, b), MASKED);
}

/** `[B, S, D]` → `[B, H, S, K]`. */
export function splitHeads(x: Value, numHeads: number): Value {
  const [batch, length, hiddenSize] = x.shape;
  return transpose(reshape(x, [batch!, length!, numHeads, Number(hiddenSize) / numHeads]), [0, 2, 1, 3]);
}

/** `[B, H, S, K]` → `[B, S, D]`. */
export function mergeHeads(x: Value): Value {
  const [batch, numHeads, length, headDim] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [batch!, length!, Number(numHeads) * Number(headDim)]);
}

/**
 * `softmax(scale · Q Kᵀ + mask) V`: query `[B, H, S, K]` → `[B, H, S, K]`.
 * @see Vaswani et al. 2017, eq. 1.
 */
export function attention(
  scope: Scope,
  query: Value,
  { key, value, mask }: KeyValue,
  { scale, dropoutRate }: { readonly scale: number; readonly dropoutRate: number },
): Value {
  return scope.at(() => {
    const scores = add(matmul(query, key, { transB: true, alpha: scale }), mask);
    const { masked, scale: kept } = dropoutMask(scope, softmax(scores), dropoutRate);
    return matmul(masked, value, { alpha: kept });
  });
}
