// Weights that are mapped are read while they are used: this tells whether their files still hold what was opened.
import { FileError } from "../errors.ts";
import { cacheEntry, fingerprint } from "../hub/index.ts";
import { type Files, joinPath, type Weights } from "../tensor/index.ts";

/** What a base is made of: its weights as its own files have them, and their fingerprint. */
export interface WatchedBase {
  readonly stored: Weights;
  readonly fingerprint: string;
}

/** The stamps of files by path, as they stood at one time. */
export type Stamps = ReadonlyMap<string, string | undefined>;

/** Stamps of the files that weights lie in; taken before they are read, so that no change falls between. */
export async function stampsOf(files: Files, weights: Weights): Promise<Stamps> {
  const stamps = new Map<string, string | undefined>();
  for (const path of pathsOf(weights)) stamps.set(path, (await files.stat(path))?.stamp);
  return stamps;
}

function pathsOf(weights: Weights): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const { span, parts } of weights.values()) {
    if (span) paths.add(joinPath(span.folder, span.name));
    if (parts) for (const path of pathsOf(parts)) paths.add(path);
  }
  return paths;
}

/**
 * Gives a check that the files of `opened` hold what they held: cheap while their size, times and inode are the same, and by their content
 * where these are others.
 *
 * The check throws a {FileError} that names the file that holds other weights, or is gone.
 */
export function watchBase(
  files: Files,
  opened: Weights,
  before: Stamps,
  { stored, fingerprint: expected }: WatchedBase,
): () => Promise<void> {
  const known = new Map(before);
  const paths = [...pathsOf(opened)];
  const own = pathsOf(stored);
  // what is no file of the model is a copy in the cache
  const holdsTheSame = async (path: string) =>
    own.has(path) ? (await fingerprint(files, stored)) === expected : (await cacheEntry(files, path)) === "whole";
  return async () => {
    for (const path of paths) {
      const stat = await files.stat(path);
      if (stat === null) throw changed(path, "nothing there");
      if (known.has(path) && stat.stamp === known.get(path)) continue;
      const same = await holdsTheSame(path).catch((cause: unknown) => {
        if (cause instanceof FileError) return false;
        throw cause;
      });
      if (!same) throw changed(path, "others");
      known.set(path, stat.stamp);
    }
  };
}

function changed(path: string, got: string): FileError {
  return new FileError(path, `expected the weights that were there when the model was opened, got ${got}`, {
    hint: "Another program wrote to the model's files while they were in use. Put them back, and run the command again.",
  });
}
