// The run folder while it is written: run.json at both ends, one JSON line an event, the trained part at the end.
import { ConfigError } from "../errors.ts";
import { jsonText, removeLeftovers, SUMS_FILE, writeFolder, writeSums } from "../hub/index.ts";
import { type FileLock, type Files, joinPath } from "../tensor/index.ts";
import { checkpointFolder, type StartEvent, type TrainEvent } from "../train/index.ts";
import type { Environment } from "./environment.ts";
import { checkFingerprints } from "./fingerprints.ts";
import { lockFolder } from "./folder-lock.ts";
import { effectiveEvents, isUpTo, parseEvents } from "./history.ts";
import { eventLine } from "./job-event.ts";
import { checkHoldsNoRun } from "./output.ts";
import { readRun } from "./run-folder.ts";
import { OWN_METRIC, type RunRecord } from "./run-record.ts";

/** What a later job reads of a run, besides `adapter/` and its checkpoints, which have digests of their own. */
const RECORDS: readonly string[] = ["events.jsonl", "predictions.jsonl", "run.json"];

/** Writes a run's records into its folder. */
export class RunWriter {
  readonly folder: string;
  readonly #files: Files;
  readonly #lock: FileLock;
  #pending: string[] = [];
  /** When a resumed run began. */
  #createdAt: string | null = null;

  private constructor(files: Files, folder: string, lock: FileLock) {
    this.#files = files;
    this.folder = folder;
    this.#lock = lock;
  }

  /**
   * Starts a run's folder with `record`, or with `record.settings.resume` reopens it as it is; it is locked until `close`.
   * @throws {ConfigError} when it holds a run that is not to be resumed, or one of another model or other data.
   * @throws {FileError} when it cannot be written, or another process writes it.
   */
  static async open(
    environment: Pick<Environment, "files" | "note">,
    folder: string,
    record: RunRecord,
  ): Promise<RunWriter> {
    const lock = await lockFolder(environment, folder);
    try {
      return await RunWriter.#begun(environment.files, folder, record, lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  static async #begun(files: Files, folder: string, record: RunRecord, lock: FileLock): Promise<RunWriter> {
    const writer = new RunWriter(files, folder, lock);
    const isThere = (await files.stat(joinPath(folder, "run.json"))) !== null;
    if (record.settings.resume && isThere) {
      const { record: stored } = await readRun(files, folder);
      checkSame(stored, record);
      // what follows writes the records on: they have digests again when the run has ended
      await files.remove(joinPath(folder, SUMS_FILE));
      writer.#createdAt = stored.createdAt;
      for (const part of ["", "figures", "tensorboard"]) await removeLeftovers(files, joinPath(folder, part));
    } else {
      await checkHoldsNoRun(files, folder);
      await files.makeFolder(folder);
      await writer.record(record);
    }
    return writer;
  }

  /** Writes what still waits, as far as the disk takes it, and gives the folder free. */
  async close(): Promise<void> {
    await this.flush().catch(() => {});
    await this.#lock.release();
  }

  get checkpoints(): string {
    return joinPath(this.folder, "checkpoints");
  }

  get adapter(): string {
    return joinPath(this.folder, "adapter");
  }

  /** Writes run.json, whole. */
  async record(record: RunRecord): Promise<void> {
    const createdAt = this.#createdAt ?? record.createdAt;
    await this.#files.write(joinPath(this.folder, "run.json"), jsonText({ ...record, createdAt }));
  }

  /** Writes the digests of the run's records, which nobody adds to any more. */
  async seal(): Promise<void> {
    await this.flush();
    const names = await this.#files.list(this.folder);
    const records = RECORDS.filter((name) => names.includes(name));
    await writeSums(this.#files, this.folder, records);
  }

  /** Fills `adapter/` by `write`: there whole or not at all; gives what `write` gave. */
  async trained<T>(write: (folder: string) => Promise<T>): Promise<T> {
    let written: { readonly value: T } | null = null;
    await writeFolder(this.#files, joinPath(this.folder, ".adapter.partial"), this.adapter, async (folder) => {
      written = { value: await write(folder) };
      await writeSums(this.#files, folder);
    });
    return written!.value;
  }

  /**
   * Appends an event. Step events wait for the next other one, or for 20 of their kind: a killed process loses some, and
   * the resumed run writes them again. What was said before the run's first start, `before`, comes first.
   */
  async event(event: TrainEvent, before: readonly TrainEvent[] = []): Promise<void> {
    if (event.type === "start") await this.#cutTo(event);
    for (const one of [...before, event]) this.#pending.push(eventLine("train", one));
    if (event.type !== "step" || this.#pending.length >= 20) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    await this.#files.append(joinPath(this.folder, "events.jsonl"), this.#pending.join(""));
    this.#pending = [];
  }

  /** Events so far, what a resume did over again taken out. */
  async history(): Promise<readonly TrainEvent[]> {
    const path = joinPath(this.folder, "events.jsonl");
    if ((await this.#files.stat(path)) === null) return [];
    return effectiveEvents(parseEvents(path, await this.#files.readText(path)));
  }

  /** Drops what came after the checkpoint that a resumed run starts from, a torn last line included. */
  async #cutTo({ fromStep, time }: StartEvent): Promise<void> {
    const path = joinPath(this.folder, "events.jsonl");
    if ((await this.#files.stat(path)) === null) return;
    const past = fromStep === 0 ? [] : await this.history();
    const kept = past.filter((event) => isUpTo(event, fromStep));
    // the process may have been killed between a checkpoint and the event that tells of it
    if (fromStep > 0 && !kept.some((event) => event.type === "checkpoint" && event.step === fromStep)) {
      kept.push({ type: "checkpoint", time, step: fromStep, folder: checkpointFolder(this.checkpoints, fromStep) });
    }
    await this.#files.write(path, kept.map((one) => eventLine("train", one)).join(""));
  }
}

function checkSame(stored: RunRecord, record: RunRecord): void {
  const metrics = [stored.metricName, record.metricName];
  if (metrics[0] !== metrics[1] && metrics.some((name) => name.startsWith(OWN_METRIC))) throw otherMetric(metrics);
  const { model, data, distillation } = record.settings;
  checkFingerprints(stored.fingerprints, record.fingerprints, {
    paths: { base: `--model ${model}`, data: `--data ${data.path}`, teacher: `--teacher ${distillation?.teacher}` },
    expected: "the content the run was started with",
    hint: "Files were changed since. Bring the old ones back, or start a new run.",
  });
}

/** Functions are not stored: who goes on with a run by one gives it again. */
function otherMetric([before, now]: readonly string[]): ConfigError {
  const named = (name = "") =>
    name.startsWith(OWN_METRIC) ? `the metric function ${name.slice(OWN_METRIC.length)}` : name;
  return new ConfigError([{ path: "metric", expected: `${named(before)}, as the run was started`, got: named(now) }], {
    hint: "A run holds no functions: resume it from TypeScript by fineTune with the same metric and metricName.",
  });
}
