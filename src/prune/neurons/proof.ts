// Proof that a neuron says nothing, whatever the input: the only ground on which a plan may claim to be exact.

import type { MlpSite } from "../../models/index.ts";
import { entryOf } from "../../tensor/index.ts";

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
 * with P taking the mean away (Cauchy–Schwarz). T5's RMS norm has no shift and takes no mean away: `√D · ‖w ∘ γ‖ + b`.
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

/** Activation functions that give 0 at 0; with `SILENT_BELOW`'s, which all do. */
const ZERO_AT_ZERO = new Set(["silu", "swish", "tanh", ...Object.keys(SILENT_BELOW)]);

/**
 * Neurons that stay silent on every input: their pre-activation cannot reach what their activation function lets through,
 * or nothing reads them (a zero column of the output). `[F]` of 0 and 1.
 *
 * A gated MLP gives `act(a) · b`, and `factor` bounds b: it is silent where either factor is 0 for every input. Behind a norm and
 * linear layers without shifts, as T5's are, no pre-activation is bounded below 0, and only rows of zeros prove it.
 */
export function provenInactive(
  site: MlpSite,
  hiddenAct: string,
  { bounds, factor = null }: { readonly bounds: NeuronBounds; readonly factor?: NeuronBounds | null },
  outColumns: Float64Array,
): Uint8Array {
  const limit = entryOf(SILENT_BELOW, hiddenAct);
  const peaks = largestPreactivations(bounds);
  const isGated = site.into.length > 1;
  // a bound says that act(a) is small beside a hidden state, not that it stays so times a factor: there it must be 0
  const isSilent = (peak: number) => limit !== undefined && peak <= limit && (!isGated || limit === 0);
  const zero = ZERO_AT_ZERO.has(hiddenAct) ? zeroRows(bounds) : null;
  const zeroFactor = factor && zeroRows(factor);
  return Uint8Array.from(peaks, (peak, f) =>
    Number(outColumns[f] === 0 || isSilent(peak) || zero?.[f] === 1 || zeroFactor?.[f] === 1),
  );
}

/** Where a linear layer behind a norm gives 0 for every input: `[F]` of 0 and 1. */
function zeroRows({ gain, shift, weight, bias }: NeuronBounds): Uint8Array {
  const size = gain.length;
  return Uint8Array.from({ length: size === 0 ? 0 : weight.length / size }, (_, f) => {
    if ((bias?.[f] ?? 0) !== 0) return 0;
    for (let d = 0; d < size; d++) {
      const w = weight[f * size + d]!;
      if (w * gain[d]! !== 0 || w * (shift?.[d] ?? 0) !== 0) return 0;
    }
    return 1;
  });
}
