// Files on disk through node:fs: writes are whole or absent, and every failure says how to mend it.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { DeftError, FileError, nearest } from "../errors.ts";
import type { FileStat, Files } from "../tensor/index.ts";
import { runApart } from "./apart-node.ts";
import { checkLock, lockFile } from "./lock-node.ts";
import { decodeUtf8 } from "./utf8.ts";

const READ_BYTES = 1 << 30;
const STREAM_BYTES = 1 << 20;

/** The disk of this machine. Paths may be relative to the working folder. */
export function nodeFiles(): Files {
  return {
    stat: statOrNull,
    list: (folder) => explained(folder, "list", async () => (await readdir(folder)).sort()),
    read: (path) => explained(path, "read", () => opened(path, "r", readWhole)),
    readRange: (path, offset, length) =>
      explained(path, "read", () => opened(path, "r", (file) => readAt(file, offset, length))),
    readText: async (path) => decodeUtf8(path, await explained(path, "read", () => opened(path, "r", readWhole))),
    stream: (path) => streamFile(path),
    digest: digestOf,
    write: (path, content) => explained(path, "write", () => writeWhole(path, content)),
    append: (path, content) => explained(path, "write", () => appendWhole(path, content)),
    makeFolder: (path) => explained(path, "write", () => makeFolders(path)),
    rename: async (from, to) => {
      const isThere = (await statOrNull(from)) !== null;
      await explained(isThere ? to : from, "write", async () => {
        await rename(from, to);
        await syncEntry(dirname(to));
      });
    },
    remove: (path) => explained(path, "remove", () => rm(path, { recursive: true, force: true })),
    sync: (path) => explained(path, "write", () => syncEntry(path)),
    apart: runApart,
    checkLock: async (path) => explained(path, "read", async () => checkLock(await realLockPath(path))),
    lock: (path) =>
      explained(path, "write", async () => {
        const folder = dirname(path);
        const made = (await statOrNull(folder)) === null;
        await makeFolders(folder);
        return lockFile(await realLockPath(path), made);
      }),
    realPath: (path) => explained(path, "read", async () => slashed(await realpath(path))),
  };
}

/** The lock's path by the folder's real one, so that a link to a folder has its lock. */
async function realLockPath(path: string): Promise<string> {
  const folder = dirname(path);
  const real = await realpath(folder).catch(() => resolve(folder));
  return join(real, basename(path));
}

async function statOrNull(path: string): Promise<FileStat | null> {
  try {
    const found = await stat(path, { bigint: true });
    const { size, mtimeNs, ctimeNs, ino } = found;
    const stamp = `${size} ${mtimeNs} ${ctimeNs} ${ino}`;
    return { sizeBytes: Number(size), isFolder: found.isDirectory(), stamp, modifiedMs: Number(mtimeNs) / 1e6 };
  } catch (cause) {
    if (codeOf(cause) === "ENOENT" || codeOf(cause) === "ENOTDIR") return null;
    throw await explain(path, "read", cause);
  }
}

async function opened<T>(path: string, flags: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function readWhole(file: FileHandle): Promise<Uint8Array> {
  return readAt(file, 0, (await file.stat()).size);
}

/** Up to `length` bytes from `offset`, fewer at the end of the file. */
async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, (await file.stat()).size - offset)));
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, READ_BYTES), offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done === bytes.length ? bytes : bytes.subarray(0, done);
}

async function* streamFile(path: string, range: { start?: number; end?: number } = {}): AsyncGenerator<Uint8Array> {
  try {
    const options = { highWaterMark: STREAM_BYTES, ...range };
    for await (const chunk of createReadStream(path, options)) yield chunk as Uint8Array;
  } catch (cause) {
    throw await explain(path, "read", cause);
  }
}

async function digestOf(path: string, offset = 0, length = Number.POSITIVE_INFINITY): Promise<string> {
  const hash = createHash("sha256");
  // an empty range has no name here: its end would lie before its start
  if (length > 0)
    for await (const chunk of streamFile(path, { start: offset, end: offset + length - 1 })) hash.update(chunk);
  return hash.digest("hex");
}

/** As `mkdir -p`; Node's own never returns where the file system answers ENOENT below a folder that is there (/proc). */
async function makeFolders(path: string): Promise<void> {
  if ((await statOrNull(path))?.isFolder) return;
  const parent = dirname(path);
  if (parent !== path && (await statOrNull(parent)) === null) await makeFolders(parent);
  try {
    await mkdir(path);
  } catch (cause) {
    // another process may have been faster
    if (codeOf(cause) !== "EEXIST" || !(await statOrNull(path))?.isFolder) throw cause;
  }
}

let writes = 0;

async function writeWhole(path: string, content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<void> {
  await makeFolders(dirname(path));
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}-${writes++}.tmp`);
  try {
    await opened(beside, "wx", async (file) => {
      if (typeof content === "string" || content instanceof Uint8Array) await file.writeFile(content);
      else for await (const chunk of content) await file.writeFile(chunk);
      await file.sync();
    });
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true });
    throw cause;
  }
  await syncEntry(dirname(path));
}

async function appendWhole(path: string, content: string | Uint8Array): Promise<void> {
  await makeFolders(dirname(path));
  await opened(path, "a", async (file) => {
    const { size } = await file.stat();
    try {
      await file.writeFile(content);
      await file.datasync();
    } catch (cause) {
      // half a line would spoil the file for every reader
      await file.truncate(size).catch(() => {});
      throw cause;
    }
  });
}

async function syncEntry(path: string): Promise<void> {
  // Windows cannot flush a folder
  if (process.platform === "win32" && (await stat(path)).isDirectory()) return;
  await opened(path, "r", (file) => file.sync());
}

type Purpose = "read" | "write" | "list" | "remove";

async function explained<T>(path: string, purpose: Purpose, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw await explain(path, purpose, cause);
  }
}

const REASONS: Readonly<Record<string, readonly [got: string, hint: string]>> = {
  EACCES: ["no permission", "Change its permissions (chmod, chown) or choose another place."],
  EPERM: ["no permission", "Change its permissions (chmod, chown) or choose another place."],
  EROFS: ["a read-only file system", "Choose a folder on a file system that can be written."],
  ENOSPC: ["a full disk", "Free some space or choose a folder on another disk; nothing half-written was left."],
  EDQUOT: [
    "a used-up disk quota",
    "Free some space or choose a folder on another disk; nothing half-written was left.",
  ],
  ENOTDIR: ["a file where a folder is needed", "One of the names before the last is a file; correct the path."],
  EISDIR: ["a folder", "Name a file inside it."],
  EEXIST: ["something already there", "Choose another name, or remove it first."],
  ENOTEMPTY: ["a folder that is not empty", "Choose another name, or empty it first."],
  EXDEV: ["a place on another file system", "Choose a place on the same file system."],
  ENAMETOOLONG: ["a name that is too long", "Choose a shorter one."],
  EMFILE: ["too many open files", "Raise the limit: ulimit -n 4096"],
  ENFILE: ["too many open files", "Raise the limit: ulimit -n 4096"],
  ELOOP: ["a symbolic link that leads back to itself", "Correct the link."],
};

async function explain(path: string, purpose: Purpose, cause: unknown): Promise<unknown> {
  const code = codeOf(cause);
  if (cause instanceof DeftError || code === undefined) return cause;
  const wanted = `cannot ${purpose}: expected ${purpose === "list" ? "a folder" : "a file or folder one may use"}`;
  if (code === "ENOENT")
    return new FileError(path, `${wanted}, got nothing there`, { hint: await missingHint(path), cause });
  const [got, hint] = REASONS[code] ?? [code, ""];
  return new FileError(path, `${wanted}, got ${got}`, hint === "" ? { cause } : { hint, cause });
}

/** A sentence that names the first part of a path that is missing, and the nearest name that is there. */
export async function missingHint(path: string): Promise<string> {
  let folder = dirname(resolve(path));
  let name = basename(resolve(path));
  let entries = await entriesOf(folder);
  while (entries === undefined && dirname(folder) !== folder) {
    [folder, name] = [dirname(folder), basename(folder)];
    entries = await entriesOf(folder);
  }
  const near = nearest(name, entries ?? []);
  return `There is no ${JSON.stringify(name)} in ${folder}${near ? `; did you mean ${JSON.stringify(near)}?` : "."}`;
}

async function entriesOf(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch {
    return undefined;
  }
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}

function slashed(path: string): string {
  return process.platform === "win32" ? path.replaceAll("\\", "/") : path;
}
