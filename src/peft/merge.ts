// What was trained folded into the weights it adapts: a plain model again.
import { UnsupportedError } from "../errors.ts";
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

/** Names of a LoRA's matrices behind their site's: of a linear layer, and of a table. */
const LORA_PART = /\.(lora_[AB]\.weight|lora_embedding_[AB])$/;

/** The base with what was trained laid over it. */
export function laidOver(weights: Weights, trained: ReadonlyMap<string, Tensor>): Weights {
  return new Map([...weights, ...Array.from(trained, ([name, value]) => [name, memoryWeight(value)] as const)]);
}

/**
 * The base with what was trained laid over it, and `W + (α / r) · B · A` where a LoRA stood, of a table `W + (α / r) · Aᵀ · Bᵀ`, a
 * mask-safe one's only where W is not zero; merged when it is read. `updateOf` gives the update of a matrix or table by its name.
 * @throws {UnsupportedError} when the model has no such matrix of its own.
 */
export function mergedUpdates(
  weights: Weights,
  trained: ReadonlyMap<string, Tensor>,
  updateOf: (name: string) => LoraUpdate | null,
): Weights {
  const merged = new Map(weights);
  const adapted = new Set<string>();
  for (const [name, value] of trained) {
    const part = LORA_PART.exec(name)?.[0];
    if (part === undefined) merged.set(name, memoryWeight(value));
    else adapted.add(`${name.slice(0, -part.length)}.weight`);
  }
  // a matrix that was stored whole takes its update in too
  for (const name of adapted) {
    const update = updateOf(name);
    const stored = merged.get(name);
    if (update && stored) merged.set(name, mergedWeight(stored, update));
    else
      throw new UnsupportedError(`merging a LoRA on ${name}, which the model has under another name`, MERGED_SITES, {
        hint: "An adapter folder says it: deft export --format peft.",
      });
  }
  return merged;
}

const MERGED_SITES = ["linear layers", "tables that no other part of the model reads"];

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
