// The density loss: a smooth stand-in for the share of non-zero MLP activations.
import { ConfigError } from "../errors.ts";
import {
  add,
  cast,
  mul,
  pad,
  reciprocal,
  reduceMean,
  reduceSum,
  square,
  sub,
  subtractDims,
  type Value,
} from "../graph/index.ts";
import type { Hooks, Site } from "../nn/index.ts";
import type { StackName } from "./report.ts";

/** One MLP's activations as they passed by. */
export interface Tap {
  readonly site: string;
  readonly stack: StackName;
  readonly layer: number;
  /** After the nonlinearity, `[B, P + S, F]`: P virtual tokens stand before the text. */
  readonly activation: Value;
}

/** A hook that only reads: records the activations of every MLP in order. */
export function activationTap(): { readonly hooks: Hooks; readonly taps: readonly Tap[] } {
  const taps: Tap[] = [];
  return {
    taps,
    hooks: {
      activation(site: Site, a: Value) {
        const stack = /(^|\.)decoder\./.test(site.path) ? "decoder" : "encoder";
        taps.push({ site: site.path, stack, layer: taps.filter((tap) => tap.stack === stack).length, activation: a });
        return a;
      },
    },
  };
}

/** Which text positions of a stack count as attended: 1 there, `[B, S]` int64. A decoder counts those with a label. */
export type StackMasks = Readonly<Partial<Record<StackName, Value>>>;

/** How many virtual tokens stand before the text in a tap: by how much it is longer than its stack's mask. */
export function numVirtualTokens({ activation, stack }: Tap, attended: StackMasks): number {
  return Number(subtractDims(activation.shape[1]!, attended[stack]!.shape[1]!));
}

/** 1 where a tap's position is attended text, `[B, P + S]` float32: 0 at padding and virtual tokens. */
export function attendedPositions(tap: Tap, attended: StackMasks): Value {
  return pad(cast(attended[tap.stack]!, "float32"), 1, numVirtualTokens(tap, attended), 0);
}

export interface DensityLossOptions {
  /** ε of the surrogate: a scalar value, so that a schedule can feed it. */
  readonly epsilon: Value | number;
  /** Which positions count: attended text, or all, padding and virtual tokens too. */
  readonly positions: "attended" | "all";
  /** The mask of every stack that was tapped. */
  readonly attended: StackMasks;
  /** One over the number of counted positions of the whole step, a scalar for each stack. */
  readonly scale: (stack: StackName) => Value;
}

/**
 * `mean(a² / (a² + ε))` over neurons and counted positions of each tap, then over the taps of a stack; stacks are added (T5).
 *
 * Each tap is `[B, P + S, F]`; the result is a scalar in [0, 1] for each stack, when `scale` is one over the count of this very
 * batch; with a step's count, micro-batches add up to the step's loss. Computed in float32.
 * @throws {ConfigError} when no tap was recorded.
 * @see arXiv 2402.01911, the density loss.
 */
export function densityLoss(taps: readonly Tap[], options: DensityLossOptions): Value {
  const first = taps[0];
  if (!first) throw new ConfigError([{ path: "density", expected: "a model with MLP activations", got: "no tap" }]);
  const stacks = [...new Set(taps.map((tap) => tap.stack))].map((stack) => {
    const layers = taps.filter((tap) => tap.stack === stack).map((tap) => layerLoss(tap, options));
    return mul(
      layers.reduce((a, b) => add(a, b)),
      1 / layers.length,
    );
  });
  return stacks.reduce((a, b) => add(a, b));
}

function layerLoss(tap: Tap, { epsilon, positions, attended, scale }: DensityLossOptions): Value {
  const { graph } = tap.activation;
  return graph.at(`${tap.site}/density`, () => {
    const a = cast(tap.activation, "float32");
    // a² / (a² + ε) = 1 − ε / (a² + ε): one division fewer, and its gradient needs no second quotient
    const missing = reduceMean(reciprocal(add(square(a), epsilon)), { axes: [-1] });
    const perToken = sub(1, mul(missing, epsilon));
    const counted = positions === "all" ? perToken : mul(perToken, attendedPositions(tap, attended));
    return mul(reduceSum(counted), scale(tap.stack));
  });
}
