// Folders that are there whole or not at all, whatever ends the process that writes or removes them.
import { type Files, joinPath } from "../tensor/index.ts";

const LEAVING = ".leaving-";

/** A folder that is there whole or not at all: `write` fills `partial`, which then takes the place of `folder`. */
export async function writeFolder(
  files: Files,
  partial: string,
  folder: string,
  write: (partial: string) => Promise<void>,
): Promise<void> {
  await files.remove(partial);
  try {
    await files.makeFolder(partial);
    await write(partial);
  } catch (error) {
    // room for whoever mends a full disk; the failure itself is what must be told
    await files.remove(partial).catch(() => {});
    throw error;
  }
  await removeFolder(files, folder);
  await files.rename(partial, folder);
}

/** Removes a folder: it is there whole, or gone. */
export async function removeFolder(files: Files, folder: string): Promise<void> {
  if ((await files.stat(folder)) === null) return;
  // a folder that is being removed is not whole: it goes by another name first
  const at = folder.lastIndexOf("/") + 1;
  const leaving = `${folder.slice(0, at)}${LEAVING}${folder.slice(at)}`;
  await files.remove(leaving);
  await files.rename(folder, leaving);
  await files.remove(leaving);
}

/**
 * Removes what a killed process left half written or half removed in `folder`: files and folders of passing names. With `idleMs` those
 * alone that nobody has added to for so long, where others may be writing: a place that keeps no times keeps them all.
 */
export async function removeLeftovers(files: Files, folder: string, idleMs = 0): Promise<void> {
  if ((await files.stat(folder)) === null) return;
  for (const name of await files.list(folder)) {
    const isPassing = name.startsWith(LEAVING) || (name.startsWith(".") && /\.(partial|tmp)$/.test(name));
    if (isPassing && (idleMs === 0 || (await isIdle(files, joinPath(folder, name), idleMs))))
      await files.remove(joinPath(folder, name));
  }
}

async function isIdle(files: Files, path: string, ms: number): Promise<boolean> {
  const modifiedMs = (await files.stat(path))?.modifiedMs;
  return modifiedMs !== undefined && Date.now() - modifiedMs > ms;
}
