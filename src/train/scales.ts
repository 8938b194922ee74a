// What the sums of a step are divided by, counted over all its micro-batches.
import { type ModelBatch, stackPositions } from "../tasks/index.ts";
import { densityScale, type StepGraph } from "./step.ts";

/**
 * One over each count of the whole step: what the loss terms count, and the positions that the density loss counts in
 * each stack, and micro-batches, over which the price of gates is spread. A count of nothing gives 0, as its sum is.
 */
export function stepScales(
  { lossScales, numVirtualTokens }: Pick<StepGraph, "lossScales" | "numVirtualTokens">,
  batches: readonly ModelBatch[],
  positions: "attended" | "all",
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const count = (scale: string, things: number) => {
    counts[scale] = (counts[scale] ?? 0) + things;
  };
  for (const batch of batches) {
    count("microScale", 1);
    for (const term of lossScales) count(term.scale, term.count(batch));
    const rows = batch.indices.length;
    const stacks = stackPositions(batch);
    for (const [stack, virtual] of Object.entries(numVirtualTokens) as [keyof typeof stacks, number][]) {
      const { length, attendedTokens } = stacks[stack]!;
      count(densityScale(stack), positions === "attended" ? attendedTokens : rows * (virtual + length));
    }
  }
  return Object.fromEntries(Object.entries(counts).map(([scale, things]) => [scale, things === 0 ? 0 : 1 / things]));
}
