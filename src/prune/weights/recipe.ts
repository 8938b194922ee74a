// What is to be pruned and how much: a recipe, and its text as `--prune` takes it.
import { ConfigError, nearest } from "../../errors.ts";

/** How many weights go: a share of them, or all but `kept` of every `of` inputs in a row. */
export type PrunePattern =
  | { readonly kind: "ratio"; readonly ratio: number }
  | { readonly kind: "n-of-m"; readonly kept: number; readonly of: number };

/** A way to choose the weights that become zero. */
export interface PruneRecipe {
  /** |W|, or |W| · ‖X‖₂ (Sun et al. 2023). */
  readonly criterion: "magnitude" | "wanda";
  readonly pattern: PrunePattern;
  /** Every layer loses the same share, or the smallest weights of all layers go. */
  readonly scope: "layer" | "global";
}

const CRITERIA = ["magnitude", "wanda"] as const;

/**
 * A recipe from its text: `wanda:0.5`, `magnitude:0.5`, `wanda:2:4` (two of every four inputs stay).
 * @throws {ConfigError} naming `--prune` or `--prune-scope`.
 */
export function parsePruneRecipe(text: string, scope: string = "layer"): PruneRecipe {
  const [name = "", ...numbers] = text.split(":");
  const criterion = CRITERIA.find((known) => known === name);
  const pattern = parsePattern(numbers);
  const near = nearest(name, CRITERIA);
  const expected = "wanda or magnitude with a share in (0, 1) or N:M, such as wanda:0.5 or wanda:2:4";
  const got = JSON.stringify(text);
  const issues = [];
  if (criterion === undefined)
    issues.push({ path: "--prune", expected, got, ...(near && near !== name ? { didYouMean: near } : {}) });
  else if (pattern === null) issues.push({ path: "--prune", expected, got });
  if (scope !== "layer" && scope !== "global") {
    issues.push({ path: "--prune-scope", expected: "layer or global", got: JSON.stringify(scope) });
  } else if (scope === "global" && criterion === "wanda") {
    issues.push({
      path: "--prune-scope",
      expected: "layer with wanda, which compares the inputs of one output",
      got: scope,
    });
  } else if (scope === "global" && pattern?.kind === "n-of-m") {
    issues.push({ path: "--prune-scope", expected: "layer with N:M, which every group keeps", got: scope });
  }
  if (issues.length > 0 || criterion === undefined || pattern === null) throw new ConfigError(issues);
  return { criterion, pattern, scope: scope as PruneRecipe["scope"] };
}

function parsePattern(numbers: readonly string[]): PrunePattern | null {
  if (numbers.some((text) => text.trim() === "")) return null;
  const [first = Number.NaN, second] = numbers.map(Number);
  if (numbers.length === 1) return first > 0 && first < 1 ? { kind: "ratio", ratio: first } : null;
  if (numbers.length !== 2 || second === undefined) return null;
  const fits = Number.isInteger(first) && Number.isInteger(second) && first >= 1 && first < second;
  return fits ? { kind: "n-of-m", kept: first, of: second } : null;
}

/** A recipe as `--prune` takes it. */
export function pruneRecipeText({ criterion, pattern }: PruneRecipe): string {
  return pattern.kind === "ratio" ? `${criterion}:${pattern.ratio}` : `${criterion}:${pattern.kept}:${pattern.of}`;
}
