// What --memory means for a run's programs: how much of a batch a step takes at once, what it keeps, and which matrices are packed.
import type { PlannedBatches } from "../../evaluate/index.ts";
import { type Backend, isProcessor } from "../../runtime/index.ts";
import type { Settings } from "../../settings/index.ts";
import type { OpenOptions } from "../../train/index.ts";

/** Padded tokens that a step takes at once. Products with fewer rows are slower; with more, what a block works on leaves the processor's cache. */
const PART_TOKENS = { low: 128, balanced: 512, fast: 512 } as const;

/** The part of an optimiser's options that `--memory`, `--recompute` and `--staged` decide. */
export function stepMemory(
  { memory, recompute, staged }: Pick<Settings, "memory" | "recompute" | "staged">,
  { mostTokens }: Pick<PlannedBatches, "mostTokens">,
  backend: Pick<Backend, "name">,
): Pick<OpenOptions, "partTokens" | "recompute" | "staged" | "compile"> {
  const partTokens = PART_TOKENS[memory];
  const kept = recompute ?? { low: true, balanced: null, fast: false }[memory];
  return {
    ...(isProcessor(backend) && mostTokens > partTokens ? { partTokens } : {}),
    ...(kept === null ? {} : { recompute: kept }),
    ...(typeof staged === "boolean" ? { staged } : {}),
    ...(memory === "fast" ? { compile: { mapWeights: false } } : {}),
  };
}
