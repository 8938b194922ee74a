// Reverse-mode differentiation of a graph.
// Takes (loss, targets), gives gradients as new values of the same graph. Never: evaluates anything.
export { type BackwardOptions, backward } from "./backward.ts";
export { cheapToRecompute, lightToRecompute } from "./recompute.ts";
export { type Rule, rules } from "./rules.ts";
export { unbroadcast } from "./unbroadcast.ts";
