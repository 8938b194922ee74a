// T5's attention: heads of their own width, unscaled scores, keys that may have been made before.
import {
  add,
  concat,
  type Dim,
  matmul,
  multiplyDims,
  reshape,
  softmax,
  transpose,
  type Value,
} from "../graph/index.ts";
import { dropoutMask, type KeyValue, linear, type Scope } from "../nn/index.ts";
import type { T5Config } from "./t5-config.ts";

/** Keys and values of tokens before, `[B, H, P, K]`. */
export interface CachedKeys {
  readonly key: Value;
  readonly value: Value;
}

/** `[B, S, H · K]` → `[B, H, S, K]`. */
function splitHeads({ numHeads, headDim }: T5Config, x: Value): Value {
  const [batch, length] = x.shape;
  return transpose(reshape(x, [batch!, length!, numHeads, headDim]), [0, 2, 1, 3]);
}

/** Keys and values of states `[B, S, D]`, behind those of tokens before; the hooks have not seen them. `scope` stands at the attention. */
export function keysOf(config: T5Config, scope: Scope, states: Value, past: CachedKeys | null = null): CachedKeys {
  const width = config.numHeads * config.headDim;
  const project = (name: string) =>
    scope.at(() => splitHeads(config, linear(scope.child(name), states, width, { bias: false })));
  const [key, value] = [project("k"), project("v")];
  if (past === null) return { key, value };
  return scope.at(() => ({ key: concat([past.key, key], 2), value: concat([past.value, value], 2) }));
}

/** Keys and values as they are attended to: what hooks make of them under the mask. */
export function hooked(scope: Scope, { key, value }: CachedKeys, mask: Value): KeyValue {
  const plain = { key, value, mask };
  return scope.hooks.keyValue?.(scope, plain) ?? plain;
}

/**
 * `o(softmax(q(x) · Kᵀ + mask) · V)`: x `[R, S, D]` → `[R, S, D]`. With `copies` N, R is B·N and N rows in turn share the
 * keys of one example.
 * @see transformers `T5Attention`: no 1/√K, which T5's initialisation holds.
 */
export function attend(
  config: T5Config,
  scope: Scope,
  x: Value,
  { key, value, mask }: KeyValue,
  copies: Dim = 1,
): Value {
  const { numHeads, headDim, hiddenSize } = config;
  const width = numHeads * headDim;
  const [rows, length] = x.shape as readonly [Dim, Dim];
  const projected = linear(scope.child("q"), x, width, { bias: false });
  const context = scope.at(() => {
    const [batch, together] = [key.shape[0]!, multiplyDims(copies, length)];
    const query = splitHeads(config, reshape(projected, [batch, together, width]));
    const scores = add(matmul(query, key, { transB: true }), mask);
    const { masked, scale } = dropoutMask(scope, softmax(scores), config.dropout);
    const mixed = transpose(matmul(masked, value, { alpha: scale }), [0, 2, 1, 3]);
    return reshape(mixed, [rows, length, width]);
  });
  return linear(scope.child("o"), context, hiddenSize, { bias: false });
}
