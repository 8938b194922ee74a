// Folders that are filled at the end of a job which has left its own files in them before: whole, or known as unfinished.
import { writeSums } from "../hub/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** Where the files are while not all of them are written. */
const PARTIAL = ".partial";

/**
 * Fills a folder: `write` gets a folder inside it, and then what it wrote moves up with its digests, `last` last. Readers take the folder for whole by
 * `last`, and `isUnfinished` says so until all has moved.
 */
export async function fillFolder(
  files: Files,
  folder: string,
  last: string,
  write: (inner: string) => Promise<void>,
): Promise<void> {
  const inner = joinPath(folder, PARTIAL);
  await files.remove(inner);
  await write(inner);
  await writeSums(files, inner);
  const names = (await files.list(inner)).filter((name) => name !== last);
  for (const name of [...names, last]) await files.rename(joinPath(inner, name), joinPath(folder, name));
  await files.remove(inner);
}

/** Whether a folder was being filled when its process ended. */
export async function isUnfinished(files: Files, folder: string): Promise<boolean> {
  return (await files.stat(joinPath(folder, PARTIAL))) !== null;
}

/** Removes what such a process left, but for the names to keep. */
export async function clearUnfinished(files: Files, folder: string, keep: readonly string[]): Promise<void> {
  // its mark goes last: a process that ends here leaves it
  const names = (await files.list(folder)).filter((name) => name !== PARTIAL && !keep.includes(name));
  for (const name of [...names, PARTIAL]) await files.remove(joinPath(folder, name));
}
