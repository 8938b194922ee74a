// Rotary positions: queries and keys turned by angles that grow with their place, so that scores depend on distances.
import { add, cast, concat, cos, iota, mul, reshape, sin, slice, sub, type Value } from "../graph/index.ts";
import { float32 } from "../tensor/index.ts";
import type { Scope } from "./scope.ts";

/**
 * `[x₁ cos φ − x₂ sin φ; x₂ cos φ + x₁ sin φ]` with x₁ and x₂ the halves of x `[B, H, S, K]`, at place s and element i of K/2
 * `φ = s · θ^(−2i/K)`.
 * @see Su et al. 2021, RoFormer, eq. 34; the halves as in transformers `rotate_half`.
 */
export function rotated(scope: Scope, x: Value, theta: number): Value {
  const [, , length, headDim] = x.shape;
  const half = Number(headDim) / 2;
  return scope.at(() => {
    const { graph } = x;
    const places = reshape(cast(iota(graph, length!), "float32"), [length!, 1]);
    const angles = mul(places, graph.constant(float32([1, half], frequencies(half, theta))));
    const [turn, rise] = [cos(angles), sin(angles)];
    const [first, second] = [slice(x, 3, 0, half), slice(x, 3, half, half)];
    return concat([sub(mul(first, turn), mul(second, rise)), add(mul(second, turn), mul(first, rise))], 3);
  });
}

/** `θ^(−2i/K)`, rounded to float32 step by step as the reference does. */
function frequencies(half: number, theta: number): number[] {
  const f = Math.fround;
  return Array.from({ length: half }, (_, i) => f(1 / f(theta ** f(i / half))));
}
