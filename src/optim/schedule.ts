// What changes from step to step, as pure functions of the step.

export type ScheduleName = "linear" | "cosine" | "constant";

/** A learning-rate schedule: steps count from 0. */
export interface Schedule {
  readonly name: ScheduleName;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * The learning rate of `step`: a linear rise over the warm-up, then constant, or linear or half-cosine to 0.
 * @see transformers `get_linear_schedule_with_warmup`, `get_cosine_schedule_with_warmup`, `get_constant_schedule_with_warmup`.
 */
export function learningRateAt({ name, learningRate, warmupSteps, totalSteps }: Schedule, step: number): number {
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps);
  if (name === "constant") return learningRate;
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  if (name === "linear") return learningRate * Math.max(0, 1 - progress);
  return learningRate * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress))));
}

/** A factor that rises linearly from 0 to 1 over `steps` steps. */
export function rampAt(step: number, steps: number): number {
  return steps <= 0 ? 1 : Math.min(1, step / steps);
}

/** Geometric interpolation from `from` to `to` over the run; the end value is kept. */
export function annealedAt(from: number, to: number, step: number, steps: number): number {
  return from * (to / from) ** rampAt(step, steps);
}

/**
 * Share kept at `step`: 1 until `start`, then falling as a cubic to `keep` at `end`: fast at first, when there is most to spare.
 * @see Zhu & Gupta 2017, eq. 1.
 */
export function keptShareAt(keep: number, start: number, end: number, step: number): number {
  if (step <= start) return 1;
  const left = step >= end ? 0 : (end - step) / (end - start);
  return keep + (1 - keep) * left ** 3;
}
