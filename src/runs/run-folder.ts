// A run's folder read back: `run.json` and `events.jsonl`, as reports and comparisons take them.
import { FileError, shownValue } from "../errors.ts";
import { checkSums, damaged, requireShape, wrongFolder } from "../hub/index.ts";
import { completed, type Settings, storedIssues } from "../settings/index.ts";
import { type Files, joinPath, nearestPath, parseBoundedJson } from "../tensor/index.ts";
import type { TrainEvent } from "../train/index.ts";
import { parseEvents } from "./history.ts";
import { modelOfRun } from "./run-base.ts";
import type { RunRecord } from "./run-record.ts";
import { RUN_RECORD } from "./stored-schema.ts";

/** A run as it lies on disk. */
export interface StoredRun {
  /** The folder's own name. */
  readonly name: string;
  readonly folder: string;
  readonly record: RunRecord;
  /** As written, with what a resume did over again; see `effectiveEvents`. */
  readonly events: readonly TrainEvent[];
}

/**
 * The run in a folder; its events are none when it was stopped before the first.
 *
 * @throws {FileError} when there is no folder, or it holds no run this version can read.
 * @throws {CheckpointError} when a record of a run that has ended is not as it was written.
 * @throws {DataError} when `events.jsonl` is damaged in the middle.
 */
export async function readRun(files: Files, folder: string): Promise<StoredRun> {
  const path = joinPath(folder, "run.json");
  if ((await files.stat(folder)) === null) {
    const near = await nearestPath(files, folder);
    const meant = near === null ? "" : `Did you mean ${near}? `;
    throw new FileError(folder, "expected a run's folder, got nothing there", {
      hint: `${meant}deft train makes one, in the folder of its --output.`,
    });
  }
  if ((await files.stat(path)) === null) {
    const wrong = await wrongFolder(files, folder, "run");
    const got = wrong === null ? "one without run.json" : `one without run.json: ${wrong.got}`;
    throw new FileError(folder, `expected a run's folder, got ${got}`, {
      hint: wrong?.hint ?? "Give the folder that was `--output` of deft train.",
    });
  }
  await checkSums(files, folder);
  const eventsPath = joinPath(folder, "events.jsonl");
  const text = (await files.stat(eventsPath)) === null ? "" : await files.readText(eventsPath);
  const name = (await files.realPath(folder)).split(/[\\/]/).at(-1) ?? folder;
  const record = await whereItLies(files, folder, parseRecord(path, await files.readText(path)));
  return { name, folder, record, events: parseEvents(eventsPath, text) };
}

/** A record whose model is the run's own, where the run was moved or is asked from elsewhere. */
async function whereItLies(files: Files, folder: string, record: RunRecord): Promise<RunRecord> {
  const model = await modelOfRun(files, folder, record.settings.model);
  return { ...record, settings: { ...record.settings, model } };
}

/** Settings of a record, checked, with what a later version added. @throws {DataError} with every value that is none. */
export function checkedSettings(file: string, settings: Settings): Settings {
  const issues = storedIssues(settings);
  if (issues.length > 0) throw damaged(file, issues);
  return completed(settings);
}

function parseRecord(path: string, text: string): RunRecord {
  let value: Partial<RunRecord> | null;
  try {
    value = parseBoundedJson(text) as Partial<RunRecord> | null;
  } catch (cause) {
    throw new FileError(path, "expected JSON, got a file that is not", { cause });
  }
  if (typeof value !== "object" || value === null || typeof value.settings !== "object" || value.settings === null) {
    throw new FileError(path, "expected the record of a run, got other JSON");
  }
  if (value.schema !== 1) {
    throw new FileError(path, `expected schema 1, got ${shownValue(value.schema)}`, {
      hint: "It was written by another version of deft.",
    });
  }
  requireShape(path, RUN_RECORD, value);
  return { ...(value as RunRecord), settings: checkedSettings(path, (value as RunRecord).settings) };
}
