// The gates that training left in a run's folder, for those who only read.
import { ConfigError, type ConfigIssue, shownValue } from "../errors.ts";
import { isJsonObject } from "../hub/index.ts";
import { readSidecar } from "../peft/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** One MLP's learned gate, by the path of its sublayer. */
export interface StoredGate {
  readonly site: string;
  /** In (0, 1). */
  readonly gate: number;
}

/**
 * The gates of a run, the encoder's first, by layer; null for runs without gates and for other folders.
 * @throws {ConfigError} when `adapter/deft.json` is damaged.
 */
export async function readGates(files: Files, folder: string): Promise<readonly StoredGate[] | null> {
  const values = (await readSidecar(files, joinPath(folder, "adapter")))?.gates?.values;
  if (!isJsonObject(values)) return null;
  const file = joinPath(folder, "adapter", "deft.json");
  const issues = Object.entries(values).flatMap(([site, gate]): ConfigIssue[] =>
    typeof gate === "number"
      ? []
      : [{ path: `${file}, gates.values.${site}`, expected: "a number", got: shownValue(gate) }],
  );
  if (issues.length > 0) throw new ConfigError(issues, { hint: "The file was changed or damaged." });
  const isDecoder = (site: string) => Number(/(^|\.)decoder\./.test(site));
  return Object.entries(values)
    .map(([site, gate]) => ({ site, gate: Number(gate) }))
    .sort((a, b) => isDecoder(a.site) - isDecoder(b.site) || a.site.localeCompare(b.site, "en", { numeric: true }));
}
