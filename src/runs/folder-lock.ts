// One writer a folder: who trains or compresses into one holds its lock until the end.
import { type FileLock, type Files, joinPath } from "../tensor/index.ts";
import type { Environment } from "./environment.ts";

/** A lock's file in a run's folder. */
export const LOCK_FILE = ".lock";

/** @throws {FileError} naming who writes a folder, where somebody does. */
export async function checkUnlocked(files: Files, folder: string): Promise<void> {
  await files.checkLock(joinPath(folder, LOCK_FILE));
}

/**
 * Takes the lock of a folder, which is made where there is none; says so where it is taken over from a process that is gone.
 * @throws {FileError} naming the holder, where it is held.
 */
export async function lockFolder(environment: Pick<Environment, "files" | "note">, folder: string): Promise<FileLock> {
  const lock = await environment.files.lock(joinPath(folder, LOCK_FILE));
  const { takenFrom: gone } = lock;
  if (gone !== null)
    environment.note?.(
      `${folder}: process ${gone.pid}, which wrote here since ${gone.since}, is gone; going on in its place`,
    );
  return lock;
}
