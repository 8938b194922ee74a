// Dropout whose masks are a hash of (seed, site, element): the same on every backend, after every resume, in every recomputation.
import {
  add,
  bitXor,
  cast,
  iota,
  lessEqual,
  mul,
  reshape,
  type Shape,
  shapeSize,
  shiftRight,
  type Value,
} from "../graph/index.ts";
import { streamSeed } from "../tensor/index.ts";
import type { Scope } from "./scope.ts";

/** What dropout draws from: a uint32 scalar fed at each run, derived from run seed, step and micro-step. */
export interface DropoutNoise {
  readonly seed: Value;
}

/**
 * Inverted dropout: an element is zeroed with probability `rate`, else scaled by `1 / (1 − rate)`.
 * The identity without noise (evaluation) or at rate 0. `name` tells several dropouts of one site apart.
 */
export function dropout(scope: Scope, x: Value, rate: number, name = "dropout"): Value {
  const { masked, scale } = dropoutMask(scope, x, rate, name);
  return mul(masked, scale);
}

/**
 * The same in two parts, `masked · scale`: a matrix product behind it takes the scale for nothing.
 *
 * Rows and columns are hashed apart and multiplied (`u_i · v_j mod 2³²`, both odd): one integer product an element
 * instead of a full hash. For fixed v the product runs through all odd words as u does, so each word is uniform.
 * @see Dietzfelbinger et al. 1997, multiply-shift hashing.
 */
export function dropoutMask(
  scope: Scope,
  x: Value,
  rate: number,
  name = "dropout",
): { readonly masked: Value; readonly scale: number } {
  const { noise } = scope;
  if (!noise || rate === 0) return { masked: x, scale: 1 };
  return scope.child(name).at(() => {
    const lead = x.shape.slice(0, -1);
    const salt = (part: string) => streamSeed(0, scope.path, name, part) >>> 0;
    const rows = reshape(oddWords(noise.seed, shapeSize(lead), salt("rows")), [...lead, 1]);
    const words = mul(rows, oddWords(noise.seed, x.shape.at(-1)!, salt("columns")));
    // Cast, not Where: ONNX Runtime's Where is not vectorised
    const kept = cast(lessEqual(x.graph.scalar(Math.round(rate * 2 ** 32), "uint32"), words), "float32");
    return { masked: mul(x, kept), scale: 1 / (1 - rate) };
  });
}

/** `[length]` odd uint32 words: MurmurHash3's finaliser of (index, seed, salt). */
function oddWords(seed: Value, length: Shape[number], salt: number): Value {
  const index = cast(iota(seed.graph, length), "uint32");
  let word = add(mul(index, 0x9e3779b1), bitXor(seed, salt));
  word = mul(bitXor(word, shiftRight(word, 16)), 0x85ebca6b);
  word = mul(bitXor(word, shiftRight(word, 13)), 0xc2b2ae35);
  word = bitXor(word, shiftRight(word, 16));
  return add(mul(word, 2), 1);
}
