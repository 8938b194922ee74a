// T5's relative position bias: each head adds a trained number that depends on the distance in tokens, in buckets.
import {
  add,
  addDims,
  type Dim,
  gather,
  iota,
  max,
  min,
  reshape,
  sliceFrom,
  sub,
  transpose,
  type Value,
} from "../graph/index.ts";
import { embedding, type Scope } from "../nn/index.ts";
import { int64 } from "../tensor/index.ts";
import type { T5Config } from "./t5-config.ts";

export interface BiasRange {
  /** Earlier and later keys have buckets of their own (encoder), or only earlier ones (decoder). */
  readonly bidirectional: boolean;
  readonly queries: Dim;
  readonly keys: Dim;
  /** Position of the first query among the keys. */
  readonly firstQuery: Dim;
}

/**
 * What a stack's blocks add to their scores, `[1, H, queries, keys]`; `scope` stands at the `SelfAttention` that holds
 * `relative_attention_bias` `[buckets, H]`, which is the first block's; in MPNet at the encoder.
 * @see transformers `T5Attention.compute_bias`
 */
export function relativeBias(
  { numBuckets, maxDistance, numHeads }: Pick<T5Config, "numBuckets" | "maxDistance" | "numHeads">,
  scope: Scope,
  { bidirectional, queries, keys, firstQuery }: BiasRange,
): Value {
  const site = scope.child("relative_attention_bias");
  const buckets = site.at(() => {
    const { graph } = scope;
    const query = sliceFrom(iota(graph, addDims(firstQuery, queries)), 0, firstQuery);
    const offset = sub(reshape(iota(graph, keys), [1, keys]), reshape(query, [queries, 1]));
    // distances from the largest on share a bucket, so a table over fewer serves every length
    const place = add(max(min(offset, maxDistance), -maxDistance), maxDistance);
    const table = bucketTable({ bidirectional, numBuckets, maxDistance });
    return gather(graph.constant(int64([table.length], table)), place);
  });
  const values = embedding(site, buckets, numBuckets, numHeads); // [queries, keys, H]
  return site.at(() => reshape(transpose(values, [2, 0, 1]), [1, numHeads, queries, keys]));
}

/** The bucket of each offset key − query from −maxDistance to maxDistance. @see transformers `_relative_position_bucket`. */
export function bucketTable({
  bidirectional,
  numBuckets,
  maxDistance,
}: Pick<T5Config, "numBuckets" | "maxDistance"> & { readonly bidirectional: boolean }): number[] {
  const buckets = bidirectional ? Math.floor(numBuckets / 2) : numBuckets;
  const exact = Math.floor(buckets / 2);
  const f = Math.fround;
  const ofDistance = (distance: number) => {
    if (distance < exact) return distance;
    // in float32 step by step, as the reference rounds
    const logarithm = f(f(f(Math.log(f(distance / exact))) / f(Math.log(maxDistance / exact))) * (buckets - exact));
    return Math.min(exact + Math.trunc(logarithm), buckets - 1);
  };
  return Array.from({ length: 2 * maxDistance + 1 }, (_, i) => {
    const offset = i - maxDistance;
    if (bidirectional) return ofDistance(Math.abs(offset)) + (offset > 0 ? buckets : 0);
    return ofDistance(Math.max(0, -offset));
  });
}
