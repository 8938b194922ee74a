// `deft.json`, beside an adapter: what the public formats have no place for.
import { ConfigError, type ConfigIssue, UnsupportedError } from "../../errors.ts";
import { isJsonObject, type JsonObject, jsonText, readJsonObject } from "../../hub/index.ts";
import { type Files, joinPath } from "../../tensor/index.ts";

/** Version of the layout below; raised when a reader of the old one would misread the new one. */
export const SIDECAR_VERSION = 1;

/** The content of `deft.json`; the rooms above decide what the open parts hold. */
export interface Sidecar {
  readonly schemaVersion: typeof SIDECAR_VERSION;
  /** `deft-tune` version that wrote it. */
  readonly toolVersion: string;
  /** The PEFT method and its options. */
  readonly method: JsonObject;
  /** The density loss and its options; null after plain PEFT. */
  readonly density: JsonObject | null;
  /** Which neurons were removed while training, and how; absent or null when all are there. */
  readonly removal?: JsonObject | null;
  /** ADA-DEFT's options, and in `values` each MLP's gate by its path; absent or null without gates. */
  readonly gates?: JsonObject | null;
  /** The density report measured at the end; null when none was. */
  readonly report: JsonObject | null;
  readonly base: {
    readonly model: string;
    readonly revision: string | null;
    readonly fingerprint: string;
    /** The format its matrices were stored in while training; null or absent: float32. */
    readonly quantization?: string | null;
  };
  readonly data: JsonObject | null;
  /** Class names in the order of logits; empty for regression. */
  readonly labels: readonly string[];
}

const NAME = "deft.json";

/** Writes `folder/deft.json`. */
export async function writeSidecar(files: Files, folder: string, sidecar: Sidecar): Promise<void> {
  await files.write(joinPath(folder, NAME), jsonText({ ...sidecar }));
}

/**
 * The sidecar of an adapter folder; null when it has none, as adapters made elsewhere.
 * @throws {UnsupportedError} when a newer version wrote it, {ConfigError} listing every field that does not fit.
 */
export async function readSidecar(files: Files, folder: string): Promise<Sidecar | null> {
  const path = joinPath(folder, NAME);
  if ((await files.stat(path)) === null) return null;
  const json = await readJsonObject(files, folder, NAME, "Copy the whole adapter folder again.");
  const version = json.schemaVersion;
  if (typeof version === "number" && version > SIDECAR_VERSION) {
    throw new UnsupportedError(`${path}: schemaVersion ${version}`, [`${SIDECAR_VERSION}`], {
      hint: "A newer deft wrote this adapter: npm i deft-tune@latest",
    });
  }
  const issues = sidecarIssues(path, json);
  if (issues.length > 0) throw new ConfigError(issues);
  return json as unknown as Sidecar;
}

function sidecarIssues(path: string, json: JsonObject): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const need = (field: string, value: unknown, fits: boolean, expected: string) => {
    if (!fits) issues.push({ path: `${path}, ${field}`, expected, got: JSON.stringify(value) ?? "nothing" });
  };
  const objectOrNull = (value: unknown) => value === null || isJsonObject(value);
  const base = isJsonObject(json.base) ? json.base : {};
  need("schemaVersion", json.schemaVersion, json.schemaVersion === SIDECAR_VERSION, `${SIDECAR_VERSION}`);
  need("toolVersion", json.toolVersion, typeof json.toolVersion === "string", "text");
  need("method", json.method, isJsonObject(json.method), "an object");
  for (const field of ["density", "report", "data"])
    need(field, json[field], objectOrNull(json[field]), "an object or null");
  for (const field of ["removal", "gates"])
    need(field, json[field], objectOrNull(json[field] ?? null), "an object or null");
  need("base.model", base.model, typeof base.model === "string", "text");
  need("base.revision", base.revision, base.revision === null || typeof base.revision === "string", "text or null");
  const { quantization = null } = base;
  const isFormat = quantization === null || ["nf4", "int8", "int4"].some((format) => format === quantization);
  need("base.quantization", quantization, isFormat, "nf4, int8, int4 or null");
  need("base.fingerprint", base.fingerprint, typeof base.fingerprint === "string", "text");
  const isLabels = Array.isArray(json.labels) && json.labels.every((label) => typeof label === "string");
  need("labels", json.labels, isLabels, "a list of names");
  return issues;
}
