// What the sums of a step are divided by, counted over all its micro-batches.
import { lossCount, type ModelBatch, stackPositions } from "../tasks/index.ts";
import { densityScale, type ScalarFeed, type StepGraph } from "./step.ts";

/**
 * One over each count of the whole step: what the loss terms count, and the positions that the density loss counts in
 * each stack, and micro-batches, over which the price of gates is spread. A count of nothing gives 0, as its sum is.
 */
export function stepScales(
  { lossScales, numVirtualTokens }: Pick<StepGraph, "lossScales" | "numVirtualTokens">,
  batches: readonly ModelBatch[],
  positions: "attended" | "all",
): Partial<Record<ScalarFeed, number>> {
  const counts: Partial<Record<ScalarFeed, number>> = {};
  const count = (scale: ScalarFeed, things: number) => {
    counts[scale] = (counts[scale] ?? 0) + things;
  };
  for (const batch of batches) {
    count("microScale", 1);
    for (const scale of lossScales) count(scale, lossCount(scale, batch));
    const rows = batch.indices.length;
    const stacks = stackPositions(batch);
    for (const [stack, virtual] of Object.entries(numVirtualTokens) as [keyof typeof stacks, number][]) {
      const { length, attendedTokens } = stacks[stack]!;
      count(densityScale(stack), positions === "attended" ? attendedTokens : rows * (virtual + length));
    }
  }
  const scales: Partial<Record<ScalarFeed, number>> = {};
  for (const [scale, things] of Object.entries(counts) as [ScalarFeed, number][])
    scales[scale] = things === 0 ? 0 : 1 / things;
  return scales;
}
