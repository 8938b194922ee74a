// When the step of a run that removes neurons is compiled anew: by its settings alone, so that a resumed run does it where the whole one does.
import type { RemovalOptions } from "../../prune/index.ts";

/** Steps that compiling one takes as long as: measured, one half (MiniLM, 16 texts of 128 tokens) to five (short texts). */
const COMPILING_STEPS = 2;
/** Share of a step that neurons take: MiniLM's with LoRA. */
const NEURON_SHARE = 0.5;

/**
 * Steps after which it pays to compile the step anew: some while neurons go, as many as save more than they cost, and the one after which
 * the last has gone.
 *
 * Between two points a step costs what it did at the first of them. The share of neurons that are still to go falls as `x³` where `x` of the
 * way is left, so with the first point at `x` the cost over the way is `1 − x + x⁴ · A`, `A` being the least cost with one point fewer. It
 * is least at `x = (4A)^(−1/3)`: with 0 to 5 points 1, 0.53, 0.42, 0.37, 0.34 and 0.32 of what masks cost, and 0.25 with a point at every step.
 */
export function compactionSteps({
  keep,
  startStep,
  endStep,
}: Pick<RemovalOptions, "keep" | "startStep" | "endStep">): number[] {
  const way = endStep - startStep;
  const lefts: number[] = [];
  for (let cost = 1; ; ) {
    const left = (4 * cost) ** (-1 / 3);
    const next = 1 - left + left ** 4 * cost;
    if ((cost - next) * way * (1 - keep) * NEURON_SHARE < COMPILING_STEPS) break;
    lefts.unshift(left);
    cost = next;
  }
  let left = 1;
  const steps = lefts.map((part) => {
    left *= part;
    return startStep + Math.ceil((1 - left) * way);
  });
  return [...steps, endStep];
}
