// Normalisation layers with their parameters.
import { add, mul, layerNorm as normalize, reciprocal, reduceMean, sqrt, square, type Value } from "../graph/index.ts";
import type { Scope } from "./scope.ts";

/** Layer normalisation over the last axis with parameters `weight` and `bias` `[D]`. */
export function layerNorm(scope: Scope, x: Value, epsilon: number): Value {
  return scope.at(() => {
    const size = Number(x.shape.at(-1));
    return normalize(x, scope.parameter("weight", [size], "norm"), scope.parameter("bias", [size], "norm"), { epsilon })
      .y;
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
