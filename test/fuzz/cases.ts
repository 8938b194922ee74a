// One damaged file read: how it ended.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { DeftError, InternalError } from "../../src/errors.ts";
import { runApart } from "../../src/hub/apart-node.ts";
import { memoryFiles } from "../../src/hub/files-memory.ts";
import { SUMS_FILE } from "../../src/hub/index.ts";
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
    // as on a disk, engines that may not end run in a process
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

/**
 * Every file below a folder, by its path there. Digests stay away but for those that are read for themselves: beside them every damage of
 * another file would be refused before its reader sees it.
 */
export function filesOf(folder: string): Map<string, Uint8Array> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  const wanted = paths.filter((path) => !path.endsWith(`/${SUMS_FILE}`) || path === SUMS);
  return new Map(wanted.map((path) => [path, new Uint8Array(readFileSync(join(folder, path)))]));
}

/** The digests that have a reader of their own. */
export const SUMS = `sums/${SUMS_FILE}`;
