// Layer normalisation with its parameters.
import { layerNorm as normalize, type Value } from "../graph/index.ts";
import type { Scope } from "./scope.ts";

/** Layer normalisation over the last axis with parameters `weight` and `bias` `[D]`. */
export function layerNorm(scope: Scope, x: Value, epsilon: number): Value {
  return scope.at(() => {
    const size = Number(x.shape.at(-1));
    return normalize(x, scope.parameter("weight", [size]), scope.parameter("bias", [size]), { epsilon }).y;
  });
}
