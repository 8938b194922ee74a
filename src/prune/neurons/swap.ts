// Another activation in a model's MLPs: its output matrix and bias fitted by least squares to what the MLP is to give, and two plans as one.
import { createPause } from "../../tensor/index.ts";
import { damped, pullOf } from "./least-squares.ts";
import { keepColumns, keepRows } from "./matrix.ts";
import type { LayerPlan } from "./plan.ts";

/** Sums over tokens of what one MLP's output matrix reads, `a` `[F]`, and of what the MLP is to give, `y` `[D]`. */
export interface SwapSums {
  readonly tokens: number;
  /** `Σ a`, `[F]`. */
  readonly sum: Float64Array;
  /** `Σ a aᵀ`, `[F, F]`, row-major. */
  readonly products: Float64Array;
  /** `Σ y aᵀ`, `[D, F]`, row-major. */
  readonly cross: Float64Array;
  /** `Σ y`, `[D]`. */
  readonly outSum: Float64Array;
}

/**
 * The matrix `[D, F]` and the bias `[D]` for which `out a + bias` is `y` with the least squared error:
 * `out = (C_ya + λ W)(C_aa + λ I)⁻¹` and `bias = μ_y − out μ_a`, with `C` the covariances and `W` the matrix before.
 */
export async function fitOutput(
  { tokens, sum, products, cross, outSum }: SwapSums,
  before: Float32Array,
): Promise<{ readonly out: Float32Array; readonly bias: Float32Array }> {
  const neurons = sum.length;
  const rows = outSum.length;
  const mean = sum.map((of) => of / tokens);
  const outMean = outSum.map((of) => of / tokens);
  const system = await covariance(products, mean, tokens);
  let variance = 0;
  for (let f = 0; f < neurons; f++) variance += Math.max(0, system[f * neurons + f]!);
  const pull = pullOf(variance, neurons);
  const fitted = new Float64Array(rows * neurons);
  for (let d = 0; d < rows; d++)
    for (let f = 0; f < neurons; f++) {
      const at = d * neurons + f;
      fitted[at] = cross[at]! / tokens - outMean[d]! * mean[f]! + pull * before[at]!;
    }
  const out = await damped(system, neurons, pull, fitted);
  const bias = Float32Array.from(outMean, (of, d) => {
    let rest = of;
    for (let f = 0; f < neurons; f++) rest -= out[d * neurons + f]! * mean[f]!;
    return rest;
  });
  return { out, bias };
}

async function covariance(products: Float64Array, mean: Float64Array, tokens: number): Promise<Float64Array> {
  const neurons = mean.length;
  const system = new Float64Array(neurons * neurons);
  const pause = createPause();
  for (let f = 0; f < neurons; f++) {
    await pause();
    for (let g = 0; g < neurons; g++) {
      const at = f * neurons + g;
      system[at] = products[at]! / tokens - mean[f]! * mean[g]!;
    }
  }
  return system;
}

/** One plan of a layer for two: `second` was made for the layer that `first` leaves. */
export function combinedLayer(first: LayerPlan, second: LayerPlan): LayerPlan {
  const { kept, gate, out } = second;
  if (kept?.length === 0) return second;
  const columns = kept ?? Array.from({ length: first.neurons }, (_, f) => f);
  const fitted = out ?? (first.out === undefined ? undefined : keepColumns(first.out, first.neurons, columns));
  const constant = summed(first.constant, gate, second.constant);
  return {
    ...second,
    constant,
    ...(fitted === undefined ? {} : { out: fitted }),
    ...(first.into === undefined ? {} : { into: keepRows(first.into, first.into.length / first.neurons, columns) }),
    ...(first.shift === undefined ? {} : { shift: Float32Array.from(columns, (f) => first.shift![f]!) }),
  };
}

function summed(
  first: readonly number[] | null,
  gate: number,
  second: readonly number[] | null,
): readonly number[] | null {
  if (first === null) return second;
  return first.map((value, d) => Math.fround(gate * value + (second?.[d] ?? 0)));
}
