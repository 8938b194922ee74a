// What the sums and means of a step are scaled by, counted over all its micro-batches.
import type { StackName } from "../density/index.ts";
import { type ModelBatch, stackPositions } from "../tasks/index.ts";
import { densityScale, type StackTokens, type StepGraph, shareName } from "./step.ts";

/**
 * One over each count of the whole step: what the loss terms count, and the positions that the density loss counts in
 * each stack. A count of nothing gives 0, as its sum is.
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

/** Each micro-batch's share of a stack's attended positions in the whole step, which a mean over positions weighs it by; the shares add up to 1. */
export type StackShares = Readonly<Partial<Record<StackName, readonly number[]>>>;

/** The shares of micro-batches, by stack; equal ones where nothing is attended. */
export function stackShares(numVirtualTokens: StackTokens, batches: readonly ModelBatch[]): StackShares {
  const shares = ([stack, virtual]: [StackName, number]) => {
    const counts = batches.map(
      (batch) => batch.indices.length * virtual + stackPositions(batch)[stack]!.attendedTokens,
    );
    const total = counts.reduce((sum, count) => sum + count, 0);
    return [stack, counts.map((count) => (total === 0 ? 1 / batches.length : count / total))] as const;
  };
  return Object.fromEntries((Object.entries(numVirtualTokens) as [StackName, number][]).map(shares));
}

/** What one micro-batch is fed of them. */
export function shareScalars(shares: StackShares, micro: number): Record<string, number> {
  return Object.fromEntries(
    (Object.entries(shares) as [StackName, readonly number[]][]).map(([stack, of]) => [shareName(stack), of[micro]!]),
  );
}
