// Matrices of a frozen base in four or eight bits.
// Takes weights, gives quantised weights and hooks that read them. Never: runs a session, or knows a model.
export { quantizedHooks } from "./hooks.ts";
export { type MatrixLayout, type MatrixParts, quantizeMatrix, restoreMatrix } from "./matrix.ts";
export { openQuantized, type QuantizedWeights, quantizedCheckpoint } from "./storage.ts";
