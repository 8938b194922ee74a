// The run folder while it is written: run.json at both ends, one JSON line an event, the trained part at the end.
import { jsonText } from "../hub/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import type { TrainEvent } from "../train/index.ts";
import { effectiveEvents, parseEvents } from "./history.ts";
import type { RunRecord } from "./run-record.ts";

/** Writes a run's records into its folder. */
export class RunWriter {
  readonly folder: string;
  readonly #files: Files;
  #pending: string[] = [];

  private constructor(files: Files, folder: string) {
    this.#files = files;
    this.folder = folder;
  }

  /** Starts or reopens a run's folder. @throws {FileError} when it cannot be written. */
  static async open(files: Files, folder: string, record: RunRecord): Promise<RunWriter> {
    await files.makeFolder(folder);
    const writer = new RunWriter(files, folder);
    await writer.record(record);
    return writer;
  }

  get checkpoints(): string {
    return joinPath(this.folder, "checkpoints");
  }

  get adapter(): string {
    return joinPath(this.folder, "adapter");
  }

  /** Writes run.json, whole. */
  async record(record: RunRecord): Promise<void> {
    await this.#files.write(joinPath(this.folder, "run.json"), jsonText({ ...record }));
  }

  /**
   * Appends an event. Step events wait for the next other one, or for 20 of their kind: a killed process loses some, and
   * the resumed run writes them again.
   */
  async event(event: TrainEvent): Promise<void> {
    if (event.type === "start") await this.#cutTo(event.fromStep);
    this.#pending.push(`${JSON.stringify(event)}\n`);
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
  async #cutTo(step: number): Promise<void> {
    const path = joinPath(this.folder, "events.jsonl");
    if ((await this.#files.stat(path)) === null) return;
    const kept =
      step === 0
        ? []
        : (await this.history()).filter(
            (event) => event.type === "start" || (event.type !== "end" && event.step <= step),
          );
    await this.#files.write(path, kept.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }
}
