// A trained method folded into the weights it adapts: a plain model again.
import { UnsupportedError } from "../errors.ts";
import { memoryWeight, type Tensor, tensor, type Weight, type Weights } from "../tensor/index.ts";
import type { MethodSettings } from "./method.ts";

const DOWN = ".lora_A.weight";
const UP = ".lora_B.weight";

/**
 * The base with what was trained laid over it, and `W + (α / r) · B · A` where a LoRA stood; merged when it is read.
 * @throws {UnsupportedError} for methods whose part is no change of a weight (bottleneck adapters, prompts, prefixes).
 */
export function mergedWeights(
  weights: Weights,
  trained: ReadonlyMap<string, Tensor>,
  settings: MethodSettings,
): Weights {
  if (settings.kind !== "lora" && settings.kind !== "head" && settings.kind !== "full")
    throw new UnsupportedError(`merging method ${settings.kind} into the weights`, ["lora", "head", "full"]);
  const merged = new Map(weights);
  for (const [name, value] of trained) {
    if (name.endsWith(UP)) continue;
    if (!name.endsWith(DOWN)) {
      merged.set(name, memoryWeight(value));
      continue;
    }
    if (settings.kind !== "lora") continue;
    const site = name.slice(0, -DOWN.length);
    const stored = merged.get(`${site}.weight`)!;
    const scale = settings.alpha / (settings.rslora ? Math.sqrt(settings.rank) : settings.rank);
    merged.set(`${site}.weight`, mergedWeight(stored, value, trained.get(`${site}${UP}`)!, scale));
  }
  return merged;
}

function mergedWeight(stored: Weight, down: Tensor, up: Tensor, scale: number): Weight {
  const read = async (): Promise<Tensor> => {
    const base = (await stored.read()).data as Float32Array;
    return tensor("float32", stored.shape, plusLowRank(base, down, up, scale));
  };
  return { dtype: "float32", shape: stored.shape, read };
}

/** `W + scale · up · down`: `[out, in]`, down `[R, in]`, up `[out, R]`; sums in float64, as one rounding at the end. */
function plusLowRank(base: Float32Array, down: Tensor, up: Tensor, scale: number): Float32Array {
  const [rank, width] = down.shape as readonly [number, number];
  const rows = up.shape[0]!;
  const [a, b] = [down.data as Float32Array, up.data as Float32Array];
  const out = new Float32Array(base.length);
  const row = new Float64Array(width);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < width; j++) row[j] = base[i * width + j]!;
    for (let r = 0; r < rank; r++) {
      const factor = scale * b[i * rank + r]!;
      for (let j = 0; j < width; j++) row[j]! += factor * a[r * width + j]!;
    }
    out.set(row, i * width);
  }
  return out;
}
