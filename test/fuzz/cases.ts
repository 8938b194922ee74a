// One damaged file read: how it ended.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { DeftError, InternalError } from "../../src/errors.ts";
import { runApart } from "../../src/hub/apart-node.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { type Files, randomStream } from "../../src/tensor/index.ts";
import { mutate } from "./mutate.ts";
import type { Reader } from "./readers.ts";

/** How a case ended: read, refused as it should be, or with an error that is no refusal. */
export interface Ending {
  readonly kind: "read" | "refused" | "fault";
  /** Of a refusal or fault. */
  readonly message?: string;
}

/** The damaged file of a case. */
export function damaged(
  seeds: ReadonlyMap<string, Uint8Array>,
  { file }: Reader,
  seed: number,
  number: number,
): Uint8Array {
  return mutate(seeds.get(file)!, randomStream(seed, file, number));
}

/** Reads files of which one is replaced for each reading. */
export class Bench {
  readonly #files: Files;
  readonly #seeds: ReadonlyMap<string, Uint8Array>;

  constructor(seeds: ReadonlyMap<string, Uint8Array>) {
    this.#seeds = seeds;
    // as on a disk, engines that may not end run in a thread
    this.#files = { ...memoryFiles(seeds), apart: runApart };
  }

  /** How a reader ends with `bytes` in place of its file. */
  async read({ file, read }: Reader, bytes: Uint8Array): Promise<Ending> {
    await this.#files.write(file, bytes);
    try {
      await read(this.#files, file);
      return { kind: "read" };
    } catch (error) {
      if (error instanceof DeftError && !(error instanceof InternalError))
        return { kind: "refused", message: error.message };
      return { kind: "fault", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    } finally {
      await this.#files.write(file, this.#seeds.get(file)!);
    }
  }
}

/** Every file below a folder, by its path there. */
export function filesOf(folder: string): Map<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(folder, path), new Uint8Array(readFileSync(path))];
    }),
  );
}
