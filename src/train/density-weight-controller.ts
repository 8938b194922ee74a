// The density weight by feedback: as much as the task can bear, measured against a run of plain PEFT.

/** What the controller holds itself to. */
export interface DensityWeightControllerOptions {
  /** Task loss of each step of the plain run, which met the same batches. */
  readonly reference: readonly number[];
  /** How far the smoothed task loss may lie above the plain run's: nats, or the task's own unit. */
  readonly margin: number;
  /** Density at which the weight no longer rises; null: as low as it gets. */
  readonly targetDensity: number | null;
  readonly totalSteps: number;
}

/** What a checkpoint holds of the controller. */
export interface DensityWeightControllerState {
  readonly weight: number;
  readonly excess: number;
  /** The same with a memory three times as long: what is above it is on its way up. */
  readonly slowExcess: number;
  /** Null before the first step, or without a target. */
  readonly density: number | null;
}

/** The first weight: small, so that its rise is the warm-up. */
export const FIRST_WEIGHT = 0.1;
const LEAST = 0.01;
const MOST = 100;
/** Share of a run in which the weight doubles when all the margin is free. */
const DOUBLING = 0.08;
/** Memory of the smoothed losses, as a share of a run: a quarter of a doubling, so that the controller sees what it does. */
const MEMORY = 0.02;
const SHORTEST_MEMORY = 8;
/** Steps that a doubling takes at least: in a short run the losses are too noisy for more. */
const SHORTEST_DOUBLING = 24;
/** The weight falls faster than it rises: past a point the task is lost at once, and comes back slowly. */
const FALL = 4;

/**
 * Integral control of the logarithm of the weight. With `excess` the running mean of the step-by-step difference to the
 * plain run, and as much again as it has lately risen, `u = excess / margin − 1` is −1 where nothing is lost and 0 at the
 * margin, and `weight ← weight · 2^(−u / max(24, 0.08 · steps))`, u clipped to [−1, 1]; above 0 it counts four times. With a
 * target density, `u` is at least `ln(target / density) · 4`: the weight falls again where there is less than was asked for.
 */
export class DensityWeightController {
  readonly #options: DensityWeightControllerOptions;
  #state: DensityWeightControllerState = { weight: FIRST_WEIGHT, excess: 0, slowExcess: 0, density: null };

  constructor(options: DensityWeightControllerOptions) {
    this.#options = options;
  }

  get weight(): number {
    return this.#state.weight;
  }

  get state(): DensityWeightControllerState {
    return this.#state;
  }

  restore(state: DensityWeightControllerState): void {
    this.#state = state;
  }

  /** Takes in what step `step`, counted from 1, gave; `density` is the share of active entries, where there is a target. */
  note(step: number, taskLoss: number, density: number | undefined): void {
    const { reference, margin, targetDensity, totalSteps } = this.#options;
    const pace = 1 / Math.max(SHORTEST_MEMORY, MEMORY * totalSteps);
    const before = this.#state;
    const difference = taskLoss - reference[step - 1]!;
    const excess = before.excess + pace * (difference - before.excess);
    const slowExcess = before.slowExcess + (pace / 3) * (difference - before.slowExcess);
    const expected = excess + Math.max(0, excess - slowExcess);
    const smoothed =
      density === undefined
        ? null
        : before.density === null
          ? density
          : before.density + pace * (density - before.density);
    const over = Math.max(
      expected / margin - 1,
      targetDensity === null || smoothed === null ? -1 : 4 * Math.log(targetDensity / smoothed),
    );
    const push = over > 0 ? FALL * Math.min(1, over) : Math.max(-1, over);
    const weight = before.weight * 2 ** (-push / Math.max(SHORTEST_DOUBLING, DOUBLING * totalSteps));
    this.#state = { weight: Math.min(MOST, Math.max(LEAST, weight)), excess, slowExcess, density: smoothed };
  }
}
