// Which file holds which split of a data set.
import { ConfigError, FileError, nearest } from "../../errors.ts";
import { type Files, joinPath, parentFolder } from "../../tensor/index.ts";
import type { Task } from "../task.ts";
import { type GlueTask, isGlueTask } from "../tasks/glue.ts";
import { TABLE_FORMATS, type TableFormat, tableFormat } from "./table.ts";

/** A file and the split it holds; `ids` selects MRPC's dev rows in its original archive. */
export interface Source {
  readonly split: string;
  readonly file: string;
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
  const folder = glue === null ? path : await taskFolder(files, path, glue);
  const names = await files.list(folder);
  const known = [task.trainSplit, ...task.evalSplits, ...task.testSplits];
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

/** The error for a path at which there is nothing, with the nearest name beside it. */
export async function noSuchPath(files: Files, path: string): Promise<FileError> {
  const slash = path.replace(/\/+$/, "").lastIndexOf("/");
  const parent = parentFolder(path);
  const siblings = (await files.stat(parent))?.isFolder ? await files.list(parent) : [];
  const close = nearest(path.slice(slash + 1), siblings);
  const hint =
    close === undefined
      ? "Check the path given as data."
      : `Did you mean ${slash < 0 ? close : joinPath(parent, close)}?`;
  return new FileError(path, "expected a data file or folder, got nothing at this path", { hint });
}

/** The folder itself, or the task's own inside a folder of all GLUE tasks. */
async function taskFolder(files: Files, path: string, task: GlueTask): Promise<string> {
  const names = await files.list(path);
  const inner = names.find((name) => name === task.folder || name.toLowerCase() === task.name);
  const hasFiles = names.some((name) => splitOfName(name, [task.trainSplit, ...task.evalSplits], task) !== null);
  return hasFiles || inner === undefined ? path : joinPath(path, inner);
}

function splitOfName(name: string, splits: readonly string[], task: GlueTask): string | null {
  return splits.find((split) => findSplit("", [name], split, task) !== null) ?? null;
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

function findSplit(folder: string, names: readonly string[], split: string, task: Task): Source | null {
  for (const stem of splitAliases(split)) {
    const matches = names.filter((name) => matchesStem(name, stem) && formatFor(task, name) !== null);
    if (matches.length > 1) {
      const expected = `one file for the split ${split}`;
      throw new ConfigError([{ path: "data", expected, got: matches.join(", ") }], {
        hint: "Name the file itself, or leave one of them in the folder.",
      });
    }
    if (matches.length === 1) return fileSource(joinPath(folder, matches[0]!), split, task);
  }
  return task.name === "mrpc" ? originalMrpc(folder, names, split) : null;
}

/** `train.tsv`, and `train-00000-of-00001.parquet` as on the Hugging Face hub. */
function matchesStem(name: string, stem: string): boolean {
  const base = name.slice(0, name.lastIndexOf("."));
  return base === stem || (base.startsWith(`${stem}-0`) && /^-\d+-of-\d+$/.test(base.slice(stem.length)));
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
        hint: "Give the file the ending of its format.",
      },
    );
  }
  const headers = isGlueTask(task.name) ? (task as GlueTask).headerless : null;
  const headerless = format === "tsv" && split !== "test" ? headers : null;
  return { split, file, format, columns: headerless, ids: null };
}

/** MRPC as Microsoft ships it: dev_ids.tsv names the rows of the training file that GLUE holds out. */
function originalMrpc(folder: string, names: readonly string[], split: string): Source | null {
  const file = split === "test" ? "msr_paraphrase_test.txt" : "msr_paraphrase_train.txt";
  if (!names.includes(file) || (split === "dev" && !names.includes("dev_ids.tsv"))) return null;
  const ids = split === "test" || !names.includes("dev_ids.tsv") ? null : joinPath(folder, "dev_ids.tsv");
  return {
    split,
    file: joinPath(folder, file),
    format: "tsv",
    columns: null,
    ids: ids === null ? null : { file: ids, keep: split === "dev" },
  };
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
