// AdamW as values of a graph: parameters, gradients and state in, updated ones out.
import { add, div, mul, type Operand, sqrt, square, sub, type Value } from "../graph/index.ts";

/** Settings of AdamW; the rates that change from step to step are values. */
export interface AdamWOptions {
  readonly learningRate: Operand;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
  readonly weightDecay?: number;
  /** `1 − β₁ᵗ` at step t, counted from 1. */
  readonly correction1: Operand;
  /** `√(1 − β₂ᵗ)` at step t. */
  readonly correction2: Operand;
}

export interface AdamWState {
  /** Running mean of gradients, as its parameter. */
  readonly m: Value;
  /** Running mean of squared gradients, as its parameter. */
  readonly v: Value;
}

/**
 * One update: decay `θ·(1 − η λ)` first, then `θ − (η / (1 − β₁ᵗ)) · m / (√v / √(1 − β₂ᵗ) + ε)`.
 * @see Loshchilov & Hutter 2019; operation order as `torch.optim.AdamW`.
 */
export function adamw(
  parameter: Value,
  gradient: Value,
  { m, v }: AdamWState,
  { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, correction1, correction2 }: AdamWOptions,
): { readonly parameter: Value; readonly m: Value; readonly v: Value } {
  const { graph } = parameter;
  return graph.at("adamw", () => {
    const nextM = add(mul(m, beta1), mul(gradient, 1 - beta1));
    const nextV = add(mul(v, beta2), mul(square(gradient), 1 - beta2));
    const rate = typeof learningRate === "number" ? graph.scalar(learningRate) : learningRate;
    const decayed = weightDecay === 0 ? parameter : mul(parameter, sub(1, mul(rate, weightDecay)));
    const denominator = add(div(sqrt(nextV), correction2), epsilon);
    const update = mul(div(nextM, denominator), div(rate, correction1));
    return { parameter: sub(decayed, update), m: nextM, v: nextV };
  });
}

/** The bias corrections to feed at `step`, counted from 1. */
export function biasCorrections(
  step: number,
  { beta1 = 0.9, beta2 = 0.999 } = {},
): { readonly correction1: number; readonly correction2: number } {
  return { correction1: 1 - beta1 ** step, correction2: Math.sqrt(1 - beta2 ** step) };
}

/** Biases, relative ones too, and the weights of norms are not decayed, as in transformers' `get_decay_parameter_names`. */
export function isDecayed(name: string): boolean {
  return !/bias|layernorm|rmsnorm|(^|[._])norm(\.|$)/i.test(name);
}
