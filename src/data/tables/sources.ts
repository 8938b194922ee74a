// Which file holds which split of a data set.
import { ConfigError, FileError, nearest } from "../../errors.ts";
import { type Files, joinPath, nearestPath } from "../../tensor/index.ts";
import type { Task } from "../task.ts";
import { type GlueTask, isGlueTask } from "../tasks/glue.ts";
import { withoutGzip } from "./gzip.ts";
import { MEMORY } from "./rows.ts";
import { shardsOf } from "./shards.ts";
import { TABLE_FORMATS, type TableFormat, tableFormat } from "./table.ts";

/** The files of a split; `ids` selects MRPC's dev rows in its original archive. */
export interface Source {
  readonly split: string;
  /** The file, or a name for all parts. */
  readonly file: string;
  /** The file itself, or its shards in order. */
  readonly parts: readonly string[];
  readonly format: TableFormat;
  /** Names of the columns where the file has no header line. */
  readonly columns: readonly string[] | null;
  readonly ids: { readonly file: string; readonly keep: boolean } | null;
}

/** What a path holds: a file for each split, or one file without splits. */
export type Located = { readonly splits: ReadonlyMap<string, Source> } | { readonly whole: Source };

/**
 * The files of a data set.
 * @throws {FileError} when the path, or a file that a wanted split needs, is not there.
 */
export async function locate(files: Files, path: string, task: Task, wanted: readonly string[]): Promise<Located> {
  const stat = await files.stat(path);
  if (stat === null) throw await noSuchPath(files, path);
  const glue = isGlueTask(task.name) ? (task as GlueTask) : null;
  if (!stat.isFolder) return { whole: fileSource(path, "train", task) };
  const known = [task.trainSplit, ...task.evalSplits, ...task.testSplits];
  const hasSplits = (names: readonly string[]) => names.some((name) => splitOfName(name, known, task) !== null);
  const folder = await splitFolder(files, glue === null ? path : await taskFolder(files, path, glue), hasSplits);
  const names = await files.list(folder);
  const splits = new Map<string, Source>();
  for (const split of known) {
    const source = findSplit(folder, names, split, task);
    if (source !== null) splits.set(split, source);
  }
  const train = splits.get(task.trainSplit);
  // a folder of the user's own may lack a dev file: it is then held out from the training data
  if (glue === null && train !== undefined && !splits.has("dev") && !wanted.includes("test")) return { whole: train };
  const lacking = wanted.filter((split) => !splits.has(split));
  if (lacking.length > 0) throw lackingFiles(folder, names, lacking, glue, known);
  return { splits };
}

/** The error for a path at which there is nothing, with the nearest path beside it. */
export async function noSuchPath(files: Files, path: string): Promise<FileError> {
  if (path.startsWith(MEMORY)) {
    return new FileError(path, "expected the rows that were given in memory, got nothing: they were not kept", {
      hint: "Give the data again: --data DIR|FILE.",
    });
  }
  const near = await nearestPath(files, path);
  const hint = near === null ? "Check the path given as data." : `Did you mean ${near}?`;
  return new FileError(path, "expected a data file or folder, got nothing at this path", { hint });
}

/**
 * The folder itself where it holds split files, else the one folder in it that does, `data` before others: so data sets lie on the
 * Hugging Face hub.
 */
export async function splitFolder(
  files: Files,
  path: string,
  hasSplits: (names: readonly string[]) => boolean,
): Promise<string> {
  const names = await files.list(path);
  if (hasSplits(names)) return path;
  const inner: string[] = [];
  for (const name of names) {
    const place = joinPath(path, name);
    if ((await files.stat(place))?.isFolder && hasSplits(await files.list(place))) inner.push(name);
  }
  const chosen = inner.includes("data") ? "data" : inner.length === 1 ? inner[0]! : null;
  return chosen === null ? path : joinPath(path, chosen);
}

/** The folder itself, or the task's own inside a folder of all GLUE tasks. */
async function taskFolder(files: Files, path: string, task: GlueTask): Promise<string> {
  const names = await files.list(path);
  const inner = names.find((name) => name === task.folder || name.toLowerCase() === task.name);
  const hasFiles = names.some((name) => splitOfName(name, [task.trainSplit, ...task.evalSplits], task) !== null);
  return hasFiles || inner === undefined ? path : joinPath(path, inner);
}

function splitOfName(name: string, splits: readonly string[], task: Task): string | null {
  const isOf = (split: string) =>
    splitAliases(split).some((stem) => stemOf(name) === stem || stemOf(name).startsWith(`${stem}-0`)) &&
    formatFor(task, name) !== null;
  return splits.find((split) => isOf(split) || (task.name === "mrpc" && isOriginalMrpc(name, split))) ?? null;
}

const ALIASES: { readonly [split: string]: readonly string[] } = {
  dev: ["dev", "validation", "valid", "val", "eval"],
  dev_matched: ["dev_matched", "validation_matched"],
  dev_mismatched: ["dev_mismatched", "validation_mismatched"],
};

/** The names a split's file may have. */
export function splitAliases(split: string): readonly string[] {
  return ALIASES[split] ?? [split];
}

/** The split of `known` that a name stands for: written with hyphens, or as the Hugging Face hub calls it; else the name itself. */
export function canonicalSplit(name: string, known: readonly string[]): string {
  const plain = name.toLowerCase().replaceAll("-", "_");
  return known.find((split) => split === name) ?? known.find((split) => splitAliases(split).includes(plain)) ?? name;
}

/** @throws {ConfigError} when several files may hold the split. */
function findSplit(folder: string, names: readonly string[], split: string, task: Task): Source | null {
  for (const stem of splitAliases(split)) {
    const single = names.filter((name) => stemOf(name) === stem && formatFor(task, name) !== null);
    const matches = [...single.map((name) => ({ name, parts: [name] })), ...shardsOf(folder, names, stem)];
    if (matches.length > 1)
      throw severalFiles(
        split,
        matches.map(({ name }) => name),
      );
    const [match] = matches;
    if (match === undefined) continue;
    const source = fileSource(joinPath(folder, match.parts[0]!), split, task);
    return { ...source, file: joinPath(folder, match.name), parts: match.parts.map((part) => joinPath(folder, part)) };
  }
  return task.name === "mrpc" ? originalMrpc(folder, names, split) : null;
}

/** The error for a split that several files may hold. */
export function severalFiles(split: string, names: readonly string[]): ConfigError {
  return new ConfigError([{ path: "data", expected: `one file for the split ${split}`, got: names.join(", ") }], {
    hint: "Name the file itself, or leave one of them in the folder.",
  });
}

/** A file's name without the endings of its format and of gzip. */
function stemOf(name: string): string {
  const plain = withoutGzip(name);
  return plain.slice(0, plain.lastIndexOf("."));
}

/** Texts given word by word come in CoNLL's form, whatever such a file is called. */
function formatFor({ lists }: Task, file: string): TableFormat | null {
  const format = tableFormat(file);
  return lists === "tags" && format === "tsv" ? "conll" : format;
}

function fileSource(file: string, split: string, task: Task): Source {
  const format = formatFor(task, file);
  if (format === null) {
    throw new FileError(
      file,
      `expected a data file (${TABLE_FORMATS.map((f) => `.${f}`).join(", ")}), got another kind`,
      {
        hint: "Give the file the ending of its format; csv, tsv and jsonl may be compressed by gzip (.csv.gz).",
      },
    );
  }
  const headers = isGlueTask(task.name) ? (task as GlueTask).headerless : null;
  const headerless = format === "tsv" && split !== "test" ? headers : null;
  return { split, file, parts: [file], format, columns: headerless, ids: null };
}

/** MRPC as Microsoft ships it: dev_ids.tsv names the rows of the training file that GLUE holds out. */
function originalMrpc(folder: string, names: readonly string[], split: string): Source | null {
  const file = originalMrpcFile(split);
  if (!names.includes(file) || (split === "dev" && !names.includes("dev_ids.tsv"))) return null;
  const ids = split === "test" || !names.includes("dev_ids.tsv") ? null : joinPath(folder, "dev_ids.tsv");
  const path = joinPath(folder, file);
  return {
    split,
    file: path,
    parts: [path],
    format: "tsv",
    columns: null,
    ids: ids === null ? null : { file: ids, keep: split === "dev" },
  };
}

function originalMrpcFile(split: string): string {
  return split === "test" ? "msr_paraphrase_test.txt" : "msr_paraphrase_train.txt";
}

function isOriginalMrpc(name: string, split: string): boolean {
  return name === originalMrpcFile(split);
}

function lackingFiles(
  folder: string,
  names: readonly string[],
  lacking: readonly string[],
  glue: GlueTask | null,
  known: readonly string[],
): FileError | ConfigError {
  const unknown = lacking.find((split) => !known.includes(split));
  if (unknown !== undefined) return unknownSplit(unknown, known);
  const wanted = lacking.map((split) => (glue === null ? `${split}.csv (or .tsv, .jsonl, .parquet)` : `${split}.tsv`));
  const found = names.length === 0 ? "an empty folder" : names.slice(0, 12).join(", ");
  return new FileError(folder, `expected ${wanted.join(" and ")}, got ${found}`, {
    hint:
      glue === null
        ? "Or name one data file: a part of it is then held out."
        : `This is the layout of GLUE's ${glue.folder} folder.`,
  });
}

/** The error for a split a data set does not have. */
export function unknownSplit(split: string, known: readonly string[]): ConfigError {
  const didYouMean = nearest(split, known);
  return new ConfigError([
    { path: "split", expected: known.join(", "), got: split, ...(didYouMean === undefined ? {} : { didYouMean }) },
  ]);
}
