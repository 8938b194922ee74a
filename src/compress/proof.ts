// Proof that a neuron says nothing, whatever the input: the only ground on which a plan may claim to be exact.
import type { MlpSite } from "../models/index.ts";

/** What bounds a neuron's pre-activation: the norm before it and its own row. */
export interface NeuronBounds {
  /** Gain of the norm `[D]`. */
  readonly gain: Float32Array;
  /** Shift of the norm `[D]`; null for a norm without one. */
  readonly shift: Float32Array | null;
  /** `[F, D]` */
  readonly weight: Float32Array;
  /** `[F]`; null without. */
  readonly bias: Float32Array | null;
}

/**
 * The largest pre-activation that any input can give each neuron, `[F]`.
 *
 * A layer norm gives `γ ∘ z + β` with `Σ z = 0` and `‖z‖ ≤ √D`, so `w·(γ ∘ z) + w·β + b ≤ √D · ‖P(w ∘ γ)‖ + w·β + b`,
 * with P taking the mean away (Cauchy–Schwarz). A norm without shift (T5's) does not take it away either.
 */
export function largestPreactivations({ gain, shift, weight, bias }: NeuronBounds): Float64Array {
  const size = gain.length;
  const out = new Float64Array(size === 0 ? 0 : weight.length / size);
  for (let f = 0; f < out.length; f++) {
    let sum = 0;
    let squares = 0;
    let offset = bias?.[f] ?? 0;
    for (let d = 0; d < size; d++) {
      const w = weight[f * size + d]!;
      const scaled = w * gain[d]!;
      sum += scaled;
      squares += scaled * scaled;
      offset += w * (shift?.[d] ?? 0);
    }
    const spread = shift === null ? squares : Math.max(0, squares - (sum * sum) / size);
    out[f] = Math.sqrt(size * spread) + offset;
  }
  return out;
}

/** Below this pre-activation a neuron's output is nothing in float32 beside a hidden state; absent: no bound proves it. */
const SILENT_BELOW: Readonly<Record<string, number>> = {
  relu: 0,
  relu2: 0,
  relu6: 0,
  // |gelu(x)| < 4e-11 from here down
  gelu: -7,
  gelu_new: -7,
  gelu_fast: -7,
  gelu_pytorch_tanh: -7,
};

/**
 * Neurons that stay silent on every input: their pre-activation cannot reach what their activation function lets through,
 * or nothing reads them (a zero column of the output). `[F]` of 0 and 1. A gated MLP's activation bounds no product, so
 * only the column counts there.
 */
export function provenSilent(
  site: MlpSite,
  hiddenAct: string,
  bounds: NeuronBounds,
  outColumns: Float64Array,
): Uint8Array {
  const limit = SILENT_BELOW[hiddenAct];
  const peaks = largestPreactivations(bounds);
  const isGated = site.into.length > 1;
  return Uint8Array.from(peaks, (peak, f) =>
    Number(outColumns[f] === 0 || (!isGated && limit !== undefined && peak <= limit)),
  );
}
