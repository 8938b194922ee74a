// Normalisation layers with their parameters.
import { add, mul, layerNorm as normalize, reciprocal, reduceMean, sqrt, square, type Value } from "../graph/index.ts";
import { zeros } from "../tensor/index.ts";
import type { Scope } from "./scope.ts";

/**
 * Layer normalisation over the last axis with parameters `weight` and, unless it has none, `bias` `[D]`. With `init` a checkpoint may lack
 * them, and they begin as ones and zeros.
 */
export function layerNorm(
  scope: Scope,
  x: Value,
  epsilon: number,
  { bias = true, init }: { readonly bias?: boolean; readonly init?: boolean } = {},
): Value {
  return scope.at(() => {
    const size = Number(x.shape.at(-1));
    const gain = scope.parameter("weight", [size], "norm", init ? { kind: "ones" } : undefined);
    const shift = bias
      ? scope.parameter("bias", [size], "norm", init ? { kind: "zeros" } : undefined)
      : x.graph.constant(zeros("float32", [size]));
    return normalize(x, gain, shift, { epsilon }).y;
  });
}

/** `weight · x / √(mean(x²) + ε)` over the last axis, parameter `weight` `[D]`. @see Zhang & Sennrich 2019, eq. 4. */
export function rmsNorm(scope: Scope, x: Value, epsilon: number): Value {
  return scope.at(() => {
    const weight = scope.parameter("weight", [Number(x.shape.at(-1))], "norm");
    const invRms = reciprocal(sqrt(add(reduceMean(square(x), { axes: [-1], keepDims: true }), epsilon)));
    return mul(mul(x, invRms), weight);
  });
}
