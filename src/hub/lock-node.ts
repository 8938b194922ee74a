// Locks of folders between processes: a file that names its holder, made by the one who finds none there.
import { readFileSync } from "node:fs";
import { open, readFile, rmdir, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { FileError } from "../errors.ts";
import { type FileLock, type LockHolder, parseBoundedJson } from "../tensor/index.ts";

/** What the file of a lock says of its holder. */
interface Holder extends LockHolder {
  /** When the process began, in the system's own count; null where that is not told. With it another process of the same number is told apart. */
  readonly started: string | null;
}

/** A lock's file is written at once; one that has stayed empty for so long was left by a process that was killed. */
const WRITING_MS = 10_000;

const OURSELVES = "this process itself";

/** Locks of this process, by path: two callers in one process are two holders. */
const held = new Set<string>();

/**
 * Takes the lock `path`, whose folder is there; where it was `made` for the lock, it goes with it if nothing else is in it then. A lock whose
 * process is gone is taken over.
 * @throws {FileError} naming the holder, where it is held.
 */
export async function lockFile(path: string, made: boolean): Promise<FileLock> {
  if (held.has(path)) throw heldError(path, null, OURSELVES);
  held.add(path);
  try {
    const gone = await taken(path);
    return {
      takenFrom: gone,
      async release() {
        held.delete(path);
        await unlink(path).catch(ignored);
        // a folder that was made for the lock and holds nothing else says nothing
        if (made) await rmdir(dirname(path)).catch(ignored);
      },
    };
  } catch (error) {
    held.delete(path);
    throw error;
  }
}

/** @throws {FileError} naming the holder of the lock `path`, where it is held. */
export async function checkLock(path: string): Promise<void> {
  if (held.has(path)) throw heldError(path, null, OURSELVES);
  const found = await holderOf(path);
  if (await isHeld(path, found)) throw heldError(path, found);
}

/** Makes the lock's file; gives the holder that was gone, where there was one. */
async function taken(path: string): Promise<LockHolder | null> {
  if (await wrote(path)) return null;
  const found = await holderOf(path);
  if (await isHeld(path, found)) throw heldError(path, found);
  // of several who find it gone, the one who holds the turn looks again and takes it
  const turn = `${path}.turn`;
  if (!(await wrote(turn))) {
    const other = await holderOf(turn);
    if (await isHeld(turn, other)) throw heldError(path, other);
    await unlink(turn).catch(ignored);
    return taken(path);
  }
  try {
    const still = await holderOf(path);
    if (await isHeld(path, still)) throw heldError(path, still);
    await unlink(path).catch(ignored);
    if (await wrote(path)) return still ?? found;
    throw heldError(path, await holderOf(path));
  } finally {
    await unlink(turn).catch(ignored);
  }
}

/** Writes who holds it into a new file; false where there is one. */
async function wrote(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(`${JSON.stringify(thisProcess())}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "EEXIST") return false;
    throw new FileError(path, `cannot lock: expected a folder that one may write, got ${(cause as Error).message}`, {
      cause,
    });
  }
}

const thisProcess = (): Holder => ({
  pid: process.pid,
  host: hostname(),
  since: new Date().toISOString(),
  started: startOf(process.pid),
});

/** Null where the file is gone, or was left before it was written. */
async function holderOf(path: string): Promise<Holder | null> {
  try {
    const { pid, host, since, started } = parseBoundedJson(await readFile(path, "utf8")) as Partial<Holder>;
    if (typeof pid !== "number" || typeof host !== "string" || typeof since !== "string") return null;
    return { pid, host, since, started: typeof started === "string" ? started : null };
  } catch {
    return null;
  }
}

/** Whether a lock's file has a holder: one that says nothing has while its process may still be writing it. */
async function isHeld(path: string, holder: Holder | null): Promise<boolean> {
  if (holder !== null) return isThere(holder);
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => null,
  );
  return age !== null && age < WRITING_MS;
}

/** Whether the holder's process runs; of another machine's nothing is known, so it may. */
export function isThere({ pid, host, started }: Pick<Holder, "pid" | "host" | "started">): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (cause) {
    // another user's process can be seen, and not signalled
    return (cause as { code?: unknown }).code === "EPERM";
  }
  return started === null || startOf(pid) === started;
}

/** When a process began: the boot and the ticks since, of Linux's /proc; null elsewhere. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    // behind the command's name in parentheses, which may hold spaces: field 22 is the 20th from there
    const ticks = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19];
    return `${boot} ${ticks}`;
  } catch {
    return null;
  }
}

function heldError(path: string, holder: LockHolder | null, who?: string): FileError {
  const folder = dirname(path);
  const isHere = holder?.host === hostname();
  const name =
    who ??
    (holder === null
      ? "a process that is just beginning"
      : `process ${holder.pid} on ${holder.host}, since ${holder.since}`);
  const wait = "Wait until it has ended, or choose another folder.";
  const hint =
    who !== undefined || holder === null || isHere ? wait : `${wait} If that process is gone, remove ${path}.`;
  return new FileError(folder, `expected a folder that nobody else writes, got one held by ${name}`, { hint });
}

function ignored(): void {}
