// `deft compress --prune`: a model with exact zeros, chosen by magnitude or Wanda.

import { ConfigError, type ConfigIssue } from "../../errors.ts";
import { COMPRESS_KEYS, PRUNE_CALIBRATION_EXAMPLES } from "../../jobs/index.ts";
import { parsePruneRecipe } from "../../prune/index.ts";
import { percent, renderTable, shellLine, toJson } from "../../report/index.ts";
import type { Body } from "../command.ts";
import { collected } from "../own-flags.ts";
import { readTarget } from "../target.ts";
import { openWorkflow } from "../workflow.ts";

const OWN = ["prune", "prune-scope", "calibration-examples", "output"] as const;

export const run: Body = async ({ args, flags, terminal, json }) => {
  const { prune, output, "prune-scope": scope, "calibration-examples": count, ...rest } = flags;
  const issues = [...foreign(rest), ...outputIssues(output), ...countIssues(count)];
  const { recipe, opened } = collected(issues, {
    recipe: () => recipeOf(prune, scope),
    opened: () => readTarget({ args, flags: rest }),
  });
  const { target, overrides } = opened;
  const options = { recipe, output: String(output), calibrationExamples: Number(count ?? PRUNE_CALIBRATION_EXAMPLES) };
  const { pruning } = await (await openWorkflow(terminal)).prune(target, options, overrides);
  if (json) {
    terminal.print(JSON.stringify(toJson({ output, ...pruning })));
    return 0;
  }
  const rows = pruning.layers.map(({ name, zeros, size }) => [name, percent(zeros / size)]);
  terminal.print(
    renderTable({ head: [pruning.recipe, "zeros"], rows: [...rows, ["all", percent(pruning.sparsity)]] }, (text) =>
      terminal.style("bold", text, "out"),
    ).join("\n"),
  );
  terminal.note(`\nNext:\n  ${shellLine(["deft", "train", "--model", options.output, "--output", "RUN"])}`);
  return 0;
};

function recipeOf(prune: unknown, scope: unknown) {
  if (typeof prune === "string") return parsePruneRecipe(prune, typeof scope === "string" ? scope : undefined);
  throw new ConfigError([{ path: "--prune-scope", expected: "--prune beside it", got: "--prune-scope alone" }]);
}

/** Rules of removal, which have no place beside `--prune`. */
function foreign(flags: Readonly<Record<string, unknown>>): ConfigIssue[] {
  const others = (COMPRESS_KEYS as readonly string[]).filter((key) => !(OWN as readonly string[]).includes(key));
  return others
    .filter((key) => flags[key] !== undefined)
    .map((key) => ({ path: `--${key}`, expected: "one way to compress at a time", got: `--prune and --${key}` }));
}

function outputIssues(output: unknown): ConfigIssue[] {
  if (typeof output === "string" && output !== "") return [];
  return [{ path: "--output", expected: "a new folder for the model", got: "nothing" }];
}

function countIssues(count: unknown): ConfigIssue[] {
  if (count === undefined || (Number.isInteger(count) && Number(count) > 0)) return [];
  return [{ path: "--calibration-examples", expected: "a whole number ≥ 1", got: JSON.stringify(count) }];
}
