// The committed records of real runs (scripts/golden/runs.ts), read without the code that the tests are about.
import { readFileSync } from "node:fs";
import type { CompressionReport, RunReport } from "../../src/report/index.ts";
import type { RunRecord } from "../../src/runs/index.ts";
import type { Outcome } from "../../src/tasks/index.ts";
import type { TrainEvent } from "../../src/train/index.ts";

const textOf = (path: string) => readFileSync(new URL(`../golden/runs/${path}`, import.meta.url), "utf8");
const linesOf = (path: string) => textOf(path).trim().split("\n");

/** Names of the runs, by what they answer or how they were trained. */
export const GOLDEN_RUNS = ["peft", "deft", "ada", "removal", "majority", "regression", "questions", "texts"] as const;

/** A run as a report takes it. */
export function runReport(name: string): RunReport {
  return {
    name,
    folder: `runs/${name}`,
    record: JSON.parse(textOf(`${name}/run.json`)) as RunRecord,
    events: linesOf(`${name}/events.jsonl`).map((line) => JSON.parse(line) as TrainEvent),
    outcomes: linesOf(`${name}/predictions.jsonl`).map((line) => JSON.parse(line) as Outcome),
  };
}

/** The model that was made smaller from the run `ada`. */
export function compressionReport(): CompressionReport {
  return {
    name: "small",
    record: JSON.parse(textOf("small/compression.json")) as CompressionReport["record"],
    gates: null,
  };
}
