// The density loss: a smooth stand-in for the share of MLP activations, or of whole neurons, that are not silent.
import { ConfigError } from "../errors.ts";
import {
  add,
  cast,
  dimension,
  div,
  max,
  mul,
  multiplyDims,
  reciprocal,
  reduceMean,
  reduceSum,
  square,
  sub,
  type Value,
} from "../graph/index.ts";
import { meanOverStacks } from "./gates.ts";
import type { StackName } from "./report.ts";
import { attendedPositions, overAllNeurons, type StackMasks, sumOfSquares, type Tap } from "./tap.ts";

/** What is to fall silent: activations one by one, as in the paper, or neurons over all tokens, so that they can go. */
export type DensityLossKind = "activations" | "neurons";

export interface DensityLossOptions {
  /** ε of the surrogate: a scalar value, so that a schedule can feed it. */
  readonly epsilon: Value | number;
  /** Which positions count: attended text, or all, padding and virtual tokens too. */
  readonly positions: "attended" | "all";
  /** Factors of the MLPs, `[1]` in the order of the taps: each layer's loss counts as much as its MLP. */
  readonly gates?: readonly Value[];
  /** The paper's loss by default. */
  readonly loss?: DensityLossKind;
  /** The mask of every stack that was tapped. */
  readonly attended: StackMasks;
  /** One over the number of counted positions of the whole step, a scalar for each stack. */
  readonly scale: (stack: StackName) => Value;
}

/**
 * The mean over the taps of a stack of each one's loss; stacks are added (T5). Computed in float32.
 *
 * Each tap is `[B, P + S, F]`; the result is a scalar in [0, 1] for each stack, when `scale` is one over the count of this very
 * batch. `activations`: `mean(a² / (a² + ε))` over neurons and counted positions; with a step's count, micro-batches add up
 * to the step's loss. `neurons`: `mean_f(e_f / (e_f + ε))` with `e_f` the mean of `a_f²` over the counted positions; the
 * loss of a step is the mean of its micro-batches' losses, by their counted positions.
 * @throws {ConfigError} when no tap was recorded.
 * @see arXiv 2402.01911, the density loss; docs/explanation/density.md for `neurons`, which is ours.
 */
export function densityLoss(taps: readonly Tap[], options: DensityLossOptions): Value {
  const first = taps[0];
  if (!first) throw new ConfigError([{ path: "density", expected: "a model with MLP activations", got: "no tap" }]);
  const ofLayer = options.loss === "neurons" ? neuronLoss : activationLoss;
  const layers = taps.map((tap, i) =>
    tap.activation.graph.at(`${tap.site}/density`, () => {
      const loss = overAllNeurons(ofLayer(tap, options), tap);
      return options.gates ? mul(loss, reduceSum(options.gates[i]!)) : loss;
    }),
  );
  return meanOverStacks(taps, layers);
}

/** The mean of `s / (s + ε)` over `axes`, all by default: a smooth stand-in for the share of the squares `s` that are not 0. */
export function activeSurrogate(squares: Value, epsilon: Value | number, axes?: readonly number[]): Value {
  // s / (s + ε) = 1 − ε / (s + ε): one division fewer, and its gradient needs no second quotient
  const missing = reduceMean(reciprocal(add(squares, epsilon)), axes === undefined ? {} : { axes });
  return sub(1, mul(missing, epsilon));
}

function activationLoss(tap: Tap, { epsilon, positions, attended, scale }: DensityLossOptions): Value {
  const a = cast(tap.activation, "float32");
  const perToken = activeSurrogate(square(a), epsilon, [-1]);
  const counted = positions === "all" ? perToken : mul(perToken, attendedPositions(tap, attended));
  return mul(reduceSum(counted), scale(tap.stack));
}

function neuronLoss(tap: Tap, { epsilon, positions, attended, scale }: DensityLossOptions): Value {
  const { sums, count } = positions === "all" ? everywhere(tap) : sumOfSquares(tap, attendedPositions(tap, attended));
  const energy = div(sums, max(count, 1));
  const loud = activeSurrogate(energy, epsilon);
  return mul(loud, mul(count, scale(tap.stack)));
}

function everywhere({ activation }: Tap): { readonly sums: Value; readonly count: Value } {
  const [batch, length] = activation.shape;
  return {
    sums: reduceSum(square(cast(activation, "float32")), { axes: [0, 1] }),
    count: cast(dimension(activation.graph, multiplyDims(batch!, length!)), "float32"),
  };
}
