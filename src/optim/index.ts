// Optimisation inside the graph.
// Takes (parameters, gradients, state), gives updated ones as values; schedules as functions of the step. Never: loops.
export { type AdamWOptions, type AdamWState, adamw, biasCorrections, isDecayed } from "./adamw.ts";
export { clipByGlobalNorm, globalNorm } from "./clip.ts";
export { annealedAt, keptShareAt, learningRateAt, rampAt, type Schedule, type ScheduleName } from "./schedule.ts";
