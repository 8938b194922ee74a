// What was trained folded into the weights it adapts: a plain model again.
import { memoryWeight, type Tensor, tensor, type Weight, type Weights } from "../tensor/index.ts";

/** A low-rank update of a stored matrix `[out, in]`: `scale · up · down`, with up `[out, R]` and down `[R, in]`. */
export interface LoraUpdate {
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly rank: number;
  readonly scale: number;
  /** Whether it changes only what is not zero. */
  readonly maskSafe: boolean;
}

const DOWN = ".lora_A.weight";
const UP = ".lora_B.weight";

/** The base with what was trained laid over it. */
export function laidOver(weights: Weights, trained: ReadonlyMap<string, Tensor>): Weights {
  return new Map([...weights, ...Array.from(trained, ([name, value]) => [name, memoryWeight(value)] as const)]);
}

/**
 * The base with what was trained laid over it, and `W + (α / r) · B · A` where a LoRA stood, a mask-safe one's only where W is not
 * zero; merged when it is read. `updateOf` gives the update of a matrix by its name.
 */
export function mergedUpdates(
  weights: Weights,
  trained: ReadonlyMap<string, Tensor>,
  updateOf: (name: string) => LoraUpdate | null,
): Weights {
  const merged = new Map(weights);
  for (const [name, value] of trained) {
    if (name.endsWith(UP)) continue;
    const target = `${name.slice(0, -DOWN.length)}.weight`;
    const update = name.endsWith(DOWN) ? updateOf(target) : null;
    if (update) merged.set(target, mergedWeight(merged.get(target)!, update));
    else merged.set(name, memoryWeight(value));
  }
  return merged;
}

function mergedWeight(stored: Weight, update: LoraUpdate): Weight {
  const read = async (): Promise<Tensor> => {
    const base = (await stored.read()).data as Float32Array;
    return tensor("float32", stored.shape, plusUpdate(base, stored.shape[1]!, update));
  };
  return { dtype: "float32", shape: stored.shape, read };
}

/** `W + scale · up · down` `[out, in]`; sums in float64, as one rounding at the end. */
function plusUpdate(base: Float32Array, width: number, { up, down, rank, scale, maskSafe }: LoraUpdate): Float32Array {
  const out = new Float32Array(base.length);
  const row = new Float64Array(width);
  for (let from = 0, i = 0; from < base.length; from += width, i++) {
    for (let j = 0; j < width; j++) row[j] = base[from + j]!;
    for (let r = 0; r < rank; r++) {
      const factor = scale * up[i * rank + r]!;
      for (let j = 0; j < width; j++) row[j]! += factor * down[r * width + j]!;
    }
    if (maskSafe) for (let j = 0; j < width; j++) if (base[from + j] === 0) row[j] = 0;
    out.set(row, from);
  }
  return out;
}
