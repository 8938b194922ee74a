// Digests of a folder's files, in the format of sha256sum(1): written once when the files are whole, and compared when they are read.
import { CheckpointError, type CheckpointIssue, DataError } from "../errors.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import { issueList } from "./issues.ts";
import { shellWord } from "./shell.ts";

/** The file's name; `sha256sum -c deft.sha256` in the folder checks it too. */
export const SUMS_FILE = "deft.sha256";

/**
 * Writes `deft.sha256` with the digest of every file below `folder`, or of those of its files that are in `names`. Names that begin with
 * a point are of files that pass, and left out.
 */
export async function writeSums(files: Files, folder: string, names?: readonly string[]): Promise<void> {
  const lines: string[] = [];
  for (const name of names ?? (await filesBelow(files, folder, "")))
    lines.push(`${await files.digest(joinPath(folder, name))}  ${name}\n`);
  await files.write(joinPath(folder, SUMS_FILE), lines.join(""));
}

async function filesBelow(files: Files, folder: string, inner: string): Promise<string[]> {
  const names: string[] = [];
  for (const name of await files.list(joinPath(folder, inner))) {
    if (name.startsWith(".") || (inner === "" && name === SUMS_FILE)) continue;
    const path = joinPath(inner, name);
    const isFolder = (await files.stat(joinPath(folder, path)))?.isFolder ?? false;
    names.push(...(isFolder ? await filesBelow(files, folder, path) : [path]));
  }
  return names;
}

/**
 * Compares files of a folder with its `deft.sha256`: all that it lists, or those in `names`. A folder without it was written by an older
 * version or by another program, and is taken as it is.
 * @throws {CheckpointError} naming every file that is another than the one that was written, or gone.
 * @throws {DataError} when `deft.sha256` itself is damaged.
 */
export async function checkSums(files: Files, folder: string, names?: readonly string[]): Promise<void> {
  const path = joinPath(folder, SUMS_FILE);
  if ((await files.stat(path)) === null) return;
  const sums = parseSums(path, await files.readText(path));
  const issues: CheckpointIssue[] = [];
  for (const name of names ?? sums.keys()) {
    const expected = sums.get(name);
    const isThere = (await files.stat(joinPath(folder, name))) !== null;
    const got = isThere ? await files.digest(joinPath(folder, name)) : null;
    if (expected === undefined && got !== null)
      issues.push({ name, expected: `its digest in ${SUMS_FILE}`, got: "no line of that name" });
    else if (expected !== undefined && expected !== got)
      issues.push({ name, expected: `SHA-256 ${expected}`, got: got ?? "no file" });
  }
  if (issues.length > 0) throw new CheckpointError(folder, issueList(issues), { hint: changedHint(path) });
}

function parseSums(path: string, text: string): Map<string, string> {
  const sums = new Map<string, string>();
  const lines = text.split("\n");
  if (lines.pop() !== "" || lines.length === 0) throw damaged(path, lines.length + 1, "the end of the file");
  for (const [index, line] of lines.entries()) {
    const [, digest, name] = /^([0-9a-f]{64}) {2}(\P{Cc}+)$/u.exec(line) ?? [];
    if (digest === undefined || name === undefined || sums.has(name)) throw damaged(path, index + 1, "other text");
    sums.set(name, digest);
  }
  return sums;
}

function damaged(path: string, line: number, got: string): DataError {
  const expected = "a line of a SHA-256 digest, two spaces and a file's name";
  return new DataError(path, { line, expected, got, hint: changedHint(path) });
}

const changedHint = (path: string) =>
  `The files are not those that were written. Bring them back from a copy, or make them again. Where somebody changed them on purpose, remove the digests: rm ${shellWord(path)}`;
