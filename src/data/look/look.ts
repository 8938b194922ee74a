// Looks at the first rows of a data file, or of the training file of a folder, and counts what stands in each column.
import type { Files } from "../../tensor/index.ts";
import { draftTask } from "../dataset.ts";
import { uncompressed, withoutGzip } from "../tables/gzip.ts";
import type { Table } from "../tables/row.ts";
import { openTables } from "../tables/shards.ts";
import { locate, noSuchPath } from "../tables/sources.ts";
import { openTable, type TableFormat, tableFormat } from "../tables/table.ts";
import { textLines } from "../tables/text-blocks.ts";
import { trainFile } from "../tasks/squad-splits.ts";
import { ColumnLook } from "./column-look.ts";

/** Rows that are looked at. */
export const LOOK_ROWS = 5000;

/** What was looked at, and what was seen. */
export interface Look {
  /** The file; of a folder its training file. */
  readonly file: string;
  readonly columns: readonly ColumnLook[];
  readonly rows: number;
  /** The file has no more rows. */
  readonly isWhole: boolean;
  /** Words with their tags, one a line. */
  readonly isConll: boolean;
}

/**
 * Looks at data: the first rows only, whatever the size of the file. `task` decides what a text file without an ending of its own is.
 * Errors as `openTable`; rows that are faulty are left out, and are told of where all are read.
 */
export async function lookAt(files: Files, path: string, task: string | undefined): Promise<Look> {
  const { table, isConll } = await openLook(files, path, task);
  const columns = table.columns.map((name) => new ColumnLook(name, table.classNames?.get(name) ?? null));
  let rows = 0;
  let isWhole = true;
  for await (const { cells, fault } of table.rows()) {
    if (rows === LOOK_ROWS) {
      isWhole = false;
      break;
    }
    if (fault !== undefined) continue;
    rows++;
    for (const [i, column] of columns.entries()) column.add(cells[i] ?? null);
  }
  return { file: table.file, columns, rows, isWhole, isConll };
}

/** The rows that a look goes over, as often as wanted: to count the tokens of what has been found. */
export async function* lookedRows(files: Files, path: string, task: string | undefined) {
  const { table } = await openLook(files, path, task);
  let rows = 0;
  for await (const row of table.rows()) {
    if (rows++ === LOOK_ROWS) return;
    if (row.fault === undefined) yield { columns: table.columns, cells: row.cells };
  }
}

async function openLook(
  files: Files,
  path: string,
  task: string | undefined,
): Promise<{ readonly table: Table; readonly isConll: boolean }> {
  const stat = await files.stat(path);
  if (stat === null) throw await noSuchPath(files, path);
  const source = stat.isFolder ? await trainSource(files, path) : { file: path, parts: [path] };
  const format = await formatOf(files, source.parts[0]!, task);
  const options = format === null ? {} : { format };
  const table =
    source.parts.length === 1
      ? await openTable(files, source.file, options)
      : await openTables(files, source.file, source.parts, options);
  return { table, isConll: format === "conll" };
}

async function trainSource(files: Files, folder: string): Promise<{ file: string; parts: readonly string[] }> {
  const found = await trainFile(files, folder);
  if (found !== null) return { file: found.name, parts: found.parts };
  const located = await locate(files, folder, draftTask("token-classification"), ["train"]);
  return "whole" in located ? located.whole : located.splits.get("train")!;
}

/** Null: openTable says what it takes. A `.txt` file without tabs in its first line holds a word and its tags on each line. */
async function formatOf(files: Files, file: string, task: string | undefined): Promise<TableFormat | null> {
  const format = tableFormat(file);
  if (format !== "tsv") return format;
  if (task === "token-classification") return "conll";
  if (!/\.txt$/i.test(withoutGzip(file))) return format;
  for await (const { text } of textLines(uncompressed(files), file)) return text.includes("\t") ? format : "conll";
  return format;
}
