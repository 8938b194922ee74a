// Random numbers with one independent stream per purpose, so that adding a consumer never shifts another.
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** A stream of random numbers, fixed by its seed and its key. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** A new array with the elements in random order. */
  shuffle<T>(items: readonly T[]): T[];
}

/** The stream for `key`: streams of different seeds or keys are independent. */
export function randomStream(seed: number, ...key: readonly (string | number)[]): Random {
  const rng = xoroshiro128plus(streamSeed(seed, ...key));
  const uniform = () => uniformFloat64(rng);
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    integer: (bound) => uniformInt(rng, 0, bound - 1),
    shuffle(items) {
      const out = [...items];
      for (let i = out.length - 1; i > 0; i--) {
        const j = uniformInt(rng, 0, i);
        [out[i], out[j]] = [out[j]!, out[i]!];
      }
      return out;
    },
  };
}

/** A 32-bit seed for `key`, by FNV-1a with a final mix. */
export function streamSeed(seed: number, ...key: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of JSON.stringify([seed, ...key])) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
