// Files of the cache with their digests beside them: what is found there is what was written, or is made again.
import type { Files } from "../tensor/index.ts";
import { jsonText, readNotedObject } from "./json-file.ts";

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
  const json = await readNotedObject(files, path);
  if (typeof json?.sha256 !== "string") return null;
  return { sha256: json.sha256, stamp: typeof json.stamp === "string" ? json.stamp : null };
}
