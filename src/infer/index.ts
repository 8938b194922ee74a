// Inference: predictions, metrics and evaluations of a program.
// Takes a program and text, gives predictions and scores. Never: trains.
export type { Evaluation } from "./evaluation.ts";
