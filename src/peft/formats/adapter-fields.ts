// Settings of other people's adapter formats that change the result and are not built: listed, all at once.
import { ConfigError, type ConfigIssue, UnsupportedError } from "../../errors.ts";
import type { JsonObject } from "../../hub/index.ts";

/**
 * Checks fields that must keep the value under which they do nothing. A field that is in neither list must be empty:
 * it is from a newer version, and only then can it be read as "not used".
 * @throws {ConfigError} listing every field that is set.
 */
export function requireDefaults(
  file: string,
  config: JsonObject,
  { read, defaults }: { read: readonly string[]; defaults: JsonObject },
): void {
  const issues: ConfigIssue[] = [];
  for (const [field, value] of Object.entries(config)) {
    if (read.includes(field) || isUnused(value)) continue;
    const wanted = field in defaults ? defaults[field] : null;
    if (JSON.stringify(value) !== JSON.stringify(wanted)) {
      issues.push({ path: `${file}, ${field}`, expected: JSON.stringify(wanted), got: JSON.stringify(value) });
    }
  }
  // a default of `true` that is switched off is a setting too
  for (const [field, wanted] of Object.entries(defaults)) {
    if (wanted === true && config[field] === false) {
      issues.push({ path: `${file}, ${field}`, expected: "true", got: "false" });
    }
  }
  if (issues.length > 0) {
    throw new ConfigError(issues, { hint: "These settings change what the adapter computes and are not supported." });
  }
}

function isUnused(value: unknown): boolean {
  return (
    value === null ||
    value === false ||
    (typeof value === "object" && value !== null && Object.keys(value).length === 0)
  );
}

/** Reads typed fields of a configuration, remembering every one that has another type. */
export class FieldReader {
  readonly #file: string;
  readonly #config: JsonObject;
  readonly #issues: ConfigIssue[] = [];

  constructor(file: string, config: JsonObject) {
    this.#file = file;
    this.#config = config;
  }

  /** A number above zero (or from zero, when `orZero`). */
  number(field: string, fallback: number, { orZero = false } = {}): number {
    const value = this.#config[field] ?? fallback;
    if (typeof value === "number" && (value > 0 || (orZero && value === 0))) return value;
    return this.#wrong(field, orZero ? "a number from 0" : "a number above 0", value, fallback);
  }

  integer(field: string, fallback: number): number {
    const value = this.#config[field] ?? fallback;
    return Number.isSafeInteger(value) && (value as number) > 0
      ? (value as number)
      : this.#wrong(field, "a whole number above 0", value, fallback);
  }

  flag(field: string, fallback: boolean): boolean {
    const value = this.#config[field] ?? fallback;
    return typeof value === "boolean" ? value : this.#wrong(field, "true or false", value, fallback);
  }

  text(field: string, fallback: string): string {
    const value = this.#config[field] ?? fallback;
    return typeof value === "string" ? value : this.#wrong(field, "text", value, fallback);
  }

  textOrNull(field: string): string | null {
    const value = this.#config[field] ?? null;
    return value === null || typeof value === "string" ? value : this.#wrong(field, "text", value, null);
  }

  oneOf<const T extends string>(field: string, choices: readonly T[], fallback: T): T {
    const value = this.#config[field] ?? fallback;
    const found = choices.find((choice) => choice === value);
    return found ?? this.#wrong(field, choices.join(" or "), value, fallback);
  }

  texts(field: string): readonly string[] {
    const value = this.#config[field] ?? [];
    return Array.isArray(value) && value.every((item) => typeof item === "string")
      ? value
      : this.#wrong(field, "a list of names", value, []);
  }

  /** @throws {ConfigError} listing every field that had another type, and the `others`. */
  finish(others: readonly ConfigIssue[] = []): void {
    if (this.#issues.length + others.length > 0) throw new ConfigError([...this.#issues, ...others]);
  }

  #wrong<T>(field: string, expected: string, got: unknown, fallback: T): T {
    this.#issues.push({ path: `${this.#file}, ${field}`, expected, got: JSON.stringify(got) });
    return fallback;
  }
}

/** The error for an adapter of a kind that cannot be read. */
export function unsupportedKind(file: string, what: string, supported: readonly string[]): UnsupportedError {
  return new UnsupportedError(`${file}: ${what}`, supported);
}
