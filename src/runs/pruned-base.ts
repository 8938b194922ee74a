// `deft-pruning.json`, beside a pruned checkpoint: how its zeros came about, and that training is to keep them.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { isJsonObject, type JsonObject, jsonText, readJsonObject } from "../hub/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** Name of the file. */
export const PRUNING_FILE = "deft-pruning.json";

/** Zeros of one matrix. */
export interface PrunedLayer {
  readonly name: string;
  readonly zeros: number;
  readonly size: number;
}

/** The content of `deft-pruning.json`. */
export interface Pruning {
  readonly schemaVersion: 1;
  readonly toolVersion: string;
  /** As `--prune` takes it: `wanda:0.5`. */
  readonly recipe: string;
  readonly scope: "layer" | "global";
  /** What the norms of inputs were measured on; null for magnitudes. */
  readonly calibration: JsonObject | null;
  readonly base: { readonly model: string; readonly revision: string | null; readonly fingerprint: string };
  /** Zeros of the pruned matrices over their size, in [0, 1]. */
  readonly sparsity: number;
  readonly layers: readonly PrunedLayer[];
}

/** The file's text. */
export function pruningText(pruning: Pruning): string {
  return jsonText({ ...pruning });
}

/**
 * How a model was pruned; null for a model without the file.
 * @throws {ConfigError} listing the fields that do not fit, {DataError} when it is not JSON.
 */
export async function readPruning(files: Files, folder: string): Promise<Pruning | null> {
  const path = joinPath(folder, PRUNING_FILE);
  if ((await files.stat(path)) === null) return null;
  const json = await readJsonObject(files, folder, PRUNING_FILE, HINT);
  const issues: ConfigIssue[] = [];
  const need = (field: string, fits: boolean, expected: string) => {
    if (!fits) issues.push({ path: `${path}, ${field}`, expected, got: JSON.stringify(json[field]) ?? "nothing" });
  };
  need("schemaVersion", json.schemaVersion === 1, "1");
  need("recipe", typeof json.recipe === "string", "text");
  need("layers", Array.isArray(json.layers) && json.layers.every(isLayer), "a list of name, zeros and size");
  if (issues.length > 0) throw new ConfigError(issues, { hint: HINT });
  return json as unknown as Pruning;
}

const HINT = "Prune the model again with deft compress --prune, or remove the file to treat it as any other model.";

function isLayer(value: unknown): value is PrunedLayer {
  return isJsonObject(value) && typeof value.name === "string" && Number.isInteger(value.zeros);
}
