// ADA-DEFT's gates: what each MLP is worth to the task, as a trained factor with a price, or read off the gradient.
import { add, cast, mul, reduceSum, sigmoid, square, sub, type Value } from "../graph/index.ts";
import type { Hooks } from "../nn/index.ts";
import { attendedPositions, type StackMasks, sumOver, type Tap } from "./tap.ts";

const GATE = "mlp_gate";
/** σ(4) = 0.98: nearly open, and not yet where the sigmoid is flat. */
const FIRST = 4;

/** The name of a gate's θ `[1]` at an MLP's sublayer. */
export function gateName(sublayer: string): string {
  return `${sublayer}.${GATE}`;
}

/** Whether a parameter is a gate's θ. */
export function isGate(name: string): boolean {
  return name.endsWith(`.${GATE}`);
}

/**
 * `x + σ(θ) · MLP(x)` at every MLP, what other middleware adds to it included; θ is a trained parameter that begins at 4.
 * The norm behind a post-norm residual stays outside the gate.
 */
export function mlpGates(): Hooks {
  return {
    sublayer: (site, _x, h, _norm, kind) =>
      kind === "mlp" ? site.at(() => mul(h, sigmoid(site.added(GATE, [1], { kind: "constant", value: FIRST })))) : h,
  };
}

/** What an MLP's sublayer adds to the residual, `[B, P + S, D]`, and where. */
export interface AddedTap {
  readonly site: string;
  readonly added: Value;
}

/** A hook that only reads: records what every MLP's sublayer adds to the residual, in order; to be composed behind all others. */
export function addedByMlps(): { readonly hooks: Hooks; readonly taps: readonly AddedTap[] } {
  const taps: AddedTap[] = [];
  return {
    taps,
    hooks: {
      sublayer(site, _x, h, _norm, kind) {
        if (kind === "mlp") taps.push({ site: site.path, added: h });
        return h;
      },
    },
  };
}

/** The input that holds what an MLP's sublayer adds on average, `[D]`, by its path. */
export function centreName(site: string): string {
  return `centre.${site}`;
}

/**
 * `Σ_n s_n²` over a batch's examples, a scalar, with `s_n = Σ ∂L/∂h · (h − c)` over an example's tokens: the derivative of the loss along the
 * way from the MLP's output h `[B, P + S, D]` to its mean c, which is what a removal leaves, in example n. `gradient` is `∂L/∂h`.
 */
export function squaredSensitivity({ site, added }: AddedTap, gradient: Value): Value {
  const centre = added.graph.input(centreName(site), "float32", [added.shape.at(-1)!]);
  const product = mul(sub(cast(added, "float32"), centre), cast(gradient, "float32"));
  return reduceSum(square(reduceSum(product, { axes: [1, 2] })));
}

/** The sum of what an MLP's sublayer adds over its attended positions, `[D]`, and how many those are. `tap` is of the same MLP. */
export function addedSum(
  { added }: AddedTap,
  tap: Tap,
  attended: StackMasks,
): { readonly sum: Value; readonly count: Value } {
  const counted = attendedPositions(tap, attended);
  return { sum: sumOver(added, counted), count: reduceSum(counted) };
}

/** σ(θ) as a number: the factor of an MLP. */
export function gateOf(theta: number): number {
  return 1 / (1 + Math.exp(-theta));
}

/** The gates' mean over the taps of a stack, stacks added: a scalar. `gates` are the values σ(θ) in the order of the taps. */
export function meanGate(taps: readonly Tap[], gates: readonly Value[]): Value {
  return meanOverStacks(
    taps,
    gates.map((gate) => reduceSum(gate)),
  );
}

/** The mean over the taps of a stack, stacks added; one scalar for each tap. */
export function meanOverStacks(taps: readonly Tap[], scalars: readonly Value[]): Value {
  const stacks = [...new Set(taps.map(({ stack }) => stack))].map((stack) => {
    const own = scalars.filter((_, i) => taps[i]!.stack === stack);
    return mul(
      own.reduce((a, b) => add(a, b)),
      1 / own.length,
    );
  });
  return stacks.reduce((a, b) => add(a, b));
}
