// Files of the cache with their digests beside them: what is found there is what was written, or is made again.
import { type Files, joinPath, parseBoundedJson } from "../tensor/index.ts";
import { isJsonObject, jsonText } from "./json-file.ts";

/** What of a cached file was noted when it was whole. */
interface Noted {
  readonly sha256: string;
  /** The file's stamp when it had this digest; null where its place keeps none. */
  readonly stamp: string | null;
}

const noteOf = (file: string) => `${file}.digest.json`;

/** How a file of the cache is found. It is read whole only where its size, times or inode are others than when it was last compared. */
export async function cacheEntry(files: Files, file: string): Promise<"whole" | "absent" | "damaged"> {
  const stat = await files.stat(file);
  if (stat === null) return "absent";
  // a process may have been killed before the note was written
  if ((await files.stat(noteOf(file))) === null) return "absent";
  const noted = await readNote(files, noteOf(file));
  if (noted === null) return "damaged";
  if (stat.stamp !== undefined && stat.stamp === noted.stamp) return "whole";
  if ((await files.digest(file)) !== noted.sha256) return "damaged";
  await noteDigest(files, file, noted.sha256);
  return "whole";
}

/** Notes that a file has this digest as it lies there. */
export async function noteDigest(files: Files, file: string, sha256: string): Promise<void> {
  const stamp = (await files.stat(file))?.stamp ?? null;
  await files.write(noteOf(file), jsonText({ sha256, stamp }));
}

async function readNote(files: Files, path: string): Promise<Noted | null> {
  try {
    const json = parseBoundedJson(new TextDecoder().decode(await files.read(path)));
    if (!isJsonObject(json) || typeof json.sha256 !== "string") return null;
    return { sha256: json.sha256, stamp: typeof json.stamp === "string" ? json.stamp : null };
  } catch {
    // a note that cannot be read is none
    return null;
  }
}

/** Nobody writes a file for so long without adding to it. */
const OLD_MS = 3_600_000;

/** Removes what processes that were killed left half written in a folder, once nothing was added for an hour. */
export async function removeOldTemporaries(files: Files, folder: string): Promise<void> {
  if ((await files.stat(folder)) === null) return;
  for (const name of await files.list(folder)) {
    if (!/^\..*\.tmp$/.test(name)) continue;
    const modifiedMs = (await files.stat(joinPath(folder, name)))?.modifiedMs;
    if (modifiedMs !== undefined && Date.now() - modifiedMs > OLD_MS) await files.remove(joinPath(folder, name));
  }
}
