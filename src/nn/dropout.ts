// Dropout whose masks are a hash of (seed, site, element): the same on every backend, after every resume, in every recomputation.
import {
  add,
  bitXor,
  cast,
  type Dim,
  iota,
  lessEqual,
  mul,
  reshape,
  shapeSize,
  shiftRight,
  type Value,
} from "../graph/index.ts";
import { streamSeed, tensor } from "../tensor/index.ts";
import type { Scope } from "./scope.ts";

/** Columns of a last axis that others have left. */
export interface KeptColumns {
  /** Where the columns that are there stood before, ascending. */
  readonly kept: readonly number[];
  /** How many there were. */
  readonly of: number;
}

/** What dropout draws from: a uint32 scalar fed at each run, derived from run seed, step and micro-step. */
export interface DropoutNoise {
  readonly seed: Value;
  /** By the path of a site whose values have columns left: each keeps the mask that it had among all. */
  readonly columns?: ReadonlyMap<string, KeptColumns>;
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
    const counted = (length: Dim) => cast(iota(x.graph, length), "uint32");
    const kept = noise.columns?.get(scope.path)?.kept;
    const rows = reshape(oddWords(noise.seed, counted(shapeSize(lead)), salt("rows")), [...lead, 1]);
    const columns = kept
      ? x.graph.constant(tensor("uint32", [kept.length], Uint32Array.from(kept)))
      : counted(x.shape.at(-1)!);
    const words = mul(rows, oddWords(noise.seed, columns, salt("columns")));
    // Cast, not Where: ONNX Runtime's Where is not vectorised
    const spared = cast(lessEqual(x.graph.scalar(Math.round(rate * 2 ** 32), "uint32"), words), "float32");
    return { masked: mul(x, spared), scale: 1 / (1 - rate) };
  });
}

/** An odd uint32 word for each index `[N]`: MurmurHash3's finaliser of (index, seed, salt). */
function oddWords(seed: Value, index: Value, salt: number): Value {
  let word = add(mul(index, 0x9e3779b1), bitXor(seed, salt));
  word = mul(bitXor(word, shiftRight(word, 16)), 0x85ebca6b);
  word = mul(bitXor(word, shiftRight(word, 13)), 0xc2b2ae35);
  word = bitXor(word, shiftRight(word, 16));
  return add(mul(word, 2), 1);
}
