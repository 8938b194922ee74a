// The gates that training left in a run's folder, for those who only read.
import { ConfigError, type ConfigIssue, shownValue } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../hub/index.ts";
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
  const adapter = joinPath(folder, "adapter");
  const gates = (await readSidecar(files, adapter))?.gates;
  return isJsonObject(gates?.values) ? storedGates(adapter, gates) : null;
}

/** The gates in the sidecar of an adapter's folder, in the same order. Errors as `readGates`. */
export function storedGates(adapter: string, { values }: JsonObject): readonly StoredGate[] {
  if (!isJsonObject(values)) return [];
  const file = joinPath(adapter, "deft.json");
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
