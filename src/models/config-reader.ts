// Values of a config.json by their keys, with every mistake of the file at once.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";

/** Reads values of one config.json; a value that is missing or of the wrong kind is noted, and `finish` throws what was noted. */
export class ConfigReader {
  readonly source: Readonly<Record<string, unknown>>;
  readonly #file: string;
  readonly #issues: CheckpointIssue[] = [];

  constructor(json: unknown, file: string) {
    this.source = (typeof json === "object" && json !== null ? json : {}) as Readonly<Record<string, unknown>>;
    this.#file = file;
  }

  /** Notes that a value is not what was expected. */
  problem(name: string, expected: string, got: unknown): void {
    this.#issues.push({ name, expected, got: JSON.stringify(got) ?? "nothing" });
  }

  whole(key: string, fallback?: number, least = 1, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.source[key] ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `≥ ${least}`;
    this.problem(key, `a whole number ${range}`, this.source[key]);
    return least;
  }

  /** A probability in [0, 1). */
  rate(key: string, fallback: number): number {
    const value = this.source[key] ?? fallback;
    if (typeof value === "number" && value >= 0 && value < 1) return value;
    this.problem(key, "a probability in [0, 1)", this.source[key]);
    return 0;
  }

  positive(key: string, fallback: number): number {
    const value = this.source[key] ?? fallback;
    if (typeof value === "number" && value > 0) return value;
    this.problem(key, "a positive number", value);
    return fallback;
  }

  /** The name of an activation function. */
  activation(key: string, fallback: string): string {
    const value = this.source[key] ?? fallback;
    if (typeof value === "string") return value;
    this.problem(key, "the name of an activation", value);
    return "";
  }

  /** @throws {CheckpointError} naming every mistake that was noted. */
  finish(): void {
    if (this.#issues.length > 0) throw new CheckpointError(this.#file, this.#issues);
  }
}
