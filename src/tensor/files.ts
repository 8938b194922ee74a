// The files a room may need, as an interface: rooms stay free of node:fs and run in a browser.
import { nearest } from "../errors.ts";

export interface FileStat {
  readonly sizeBytes: number;
  readonly isFolder: boolean;
  /** Another text whenever the content may be another: of size, times and inode. Absent where the place keeps no such facts. */
  readonly stamp?: string;
  /** When the content last changed, in milliseconds since 1970; absent where the place does not keep it. */
  readonly modifiedMs?: number;
}

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** A lock that is held. */
export interface FileLock {
  /** The holder that it was taken over from, whose process is gone; null: nobody held it. */
  readonly takenFrom: LockHolder | null;
  release(): Promise<void>;
}

/** Bytes of a file, by place. */
export interface ByteSource {
  readonly sizeBytes: number;
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
}

/** What one call of a reader may take. */
export interface ApartLimits {
  readonly ms: number;
  readonly memoryBytes: number;
}

/** A reader of an untrusted file that runs where it can be stopped; a call beyond the limits fails, and the reader is of no use then. */
export interface Apart {
  /** Opens the file; gives what the reader calls its facts. */
  open(): Promise<unknown>;
  rows(start: number, end: number): Promise<unknown>;
  end(): Promise<void>;
}

/** Byte and text access by path; `/` separates folders. Failures are `FileError`s that name the path and the mend. */
export interface Files {
  /** Null when nothing is there. */
  stat(path: string): Promise<FileStat | null>;
  /** Names in a folder, sorted. */
  list(folder: string): Promise<string[]>;
  read(path: string): Promise<Uint8Array>;
  /** `length` bytes from `offset`. */
  readRange(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** The whole file as UTF-8; throws a `DataError` with the line when it is not UTF-8. */
  readText(path: string): Promise<string>;
  /** The file in chunks, for streaming. */
  stream(path: string): AsyncIterable<Uint8Array>;
  /** SHA-256 of the whole file, or of up to `length` bytes from `offset`, in lower-case hexadecimal. */
  digest(path: string, offset?: number, length?: number): Promise<string>;
  /** Whole or not at all: written beside, flushed to disk, then renamed. Makes parent folders. */
  write(path: string, content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** Adds to the end; a line is on disk when this returns. */
  append(path: string, content: string | Uint8Array): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Moves a file or folder; atomic on one file system. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a whole folder; nothing happens when it is not there. */
  remove(path: string): Promise<void>;
  /** Flushes a file or folder entry to the disk. */
  sync(path: string): Promise<void>;
  /** The absolute path, symbolic links resolved. */
  realPath(path: string): Promise<string>;
  /**
   * Takes the lock whose file is `path`, against every other process and every other caller in this one; its folder is made.
   * @throws {FileError} naming the holder, where it is held.
   */
  lock(path: string): Promise<FileLock>;
  /** Runs a module's `openEngine` over a file's bytes in a process of its own; absent where none can be stopped. */
  apart?(module: URL, source: ByteSource, limits: ApartLimits): Apart;
  /** As `lock`, but takes nothing. @throws {FileError} naming the holder, where it is held. */
  checkLock(path: string): Promise<void>;
}

/** Joins path parts with `/`. */
export function joinPath(...parts: readonly string[]): string {
  return parts
    .filter((part) => part !== "")
    .join("/")
    .replace(/\/{2,}/g, "/");
}

/** The folder that a path lies in; `.` for a bare name. */
export function parentFolder(path: string): string {
  const real = path.replace(/\/+$/, "");
  const slash = real.lastIndexOf("/");
  return slash < 0 ? "." : real.slice(0, slash) || "/";
}

/**
 * The path that was meant, where a path leads nowhere: its first missing part replaced by the nearest name beside it, with the rest where
 * that exists. Null where no name is near, or folders cannot be listed.
 */
export async function nearestPath(files: Pick<Files, "stat" | "list">, path: string): Promise<string | null> {
  let place = path.replace(/\/+$/, "");
  let rest = "";
  while (parentFolder(place) !== place && !(await files.stat(parentFolder(place)))?.isFolder) {
    rest = joinPath(place.slice(place.lastIndexOf("/") + 1), rest);
    place = parentFolder(place);
  }
  const name = place.slice(place.lastIndexOf("/") + 1);
  const names = await files.list(parentFolder(place)).catch(() => []);
  const near = nearest(name, names);
  if (near === undefined) return null;
  const meant = `${place.slice(0, place.length - name.length)}${near}`;
  const whole = joinPath(meant, rest);
  return rest !== "" && (await files.stat(whole)) !== null ? whole : meant;
}
