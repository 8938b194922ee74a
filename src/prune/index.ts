// Pruning: which weights become exact zeros, and how they stay zeros.
// Takes `Weights`, norms of calibration inputs and a recipe; gives masks and weights with zeros, and a hook that trains around them.
// Never: runs a session, reads a file, knows a task.
export { keepZeros } from "./keep-zeros.ts";
export { blockOf, prunableWeights } from "./layers.ts";
export { globalMagnitudeMasks, magnitudeMask } from "./magnitude.ts";
export { type PrunePattern, type PruneRecipe, parsePruneRecipe, pruneRecipeText } from "./recipe.ts";
export { wandaMask } from "./wanda.ts";
export { maskedWeight, ZeroMask, zeroCount } from "./zero-mask.ts";
