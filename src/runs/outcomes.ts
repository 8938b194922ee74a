// `predictions.jsonl` of a run: what it answered for each example it was evaluated on, so that two runs can be paired.
import { DataError } from "../errors.ts";
import type { Outcome } from "../tasks/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** Name of the file, in the run's folder. */
export const OUTCOMES_FILE = "predictions.jsonl";

/** Writes them, one JSON line an example, in the order of the split. */
export async function writeOutcomes(files: Files, folder: string, outcomes: readonly Outcome[]): Promise<void> {
  await files.write(
    joinPath(folder, OUTCOMES_FILE),
    outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(""),
  );
}

/**
 * What a run answered; null for one that kept none.
 * @throws {DataError} naming the line that is no outcome.
 */
export async function readOutcomes(files: Files, folder: string): Promise<readonly Outcome[] | null> {
  const path = joinPath(folder, OUTCOMES_FILE);
  if ((await files.stat(path)) === null) return null;
  const lines = (await files.readText(path)).split("\n").filter((line) => line !== "");
  return lines.map((line, i) => parseOutcome(path, line, i + 1));
}

function parseOutcome(path: string, text: string, line: number): Outcome {
  try {
    const value = JSON.parse(text) as Outcome | null;
    if (typeof value?.line === "number" && (value.score === null || typeof value.score === "number")) return value;
  } catch {
    // told below
  }
  throw new DataError(path, { line, expected: 'JSON with "line" and "score"', got: text.slice(0, 60) });
}
