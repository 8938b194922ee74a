// Rows of CSV, TSV, JSON and Parquet files, streamed, each with its line; of several files as one table.
import { DataError, FileError, UnsupportedError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import { openConll } from "./conll.ts";
import { csvRows } from "./csv.ts";
import { isGzip, uncompressed, withoutGzip } from "./gzip.ts";
import { openJson } from "./json-table.ts";
import { openParquet } from "./parquet.ts";
import { cellText, plural, type Table, type TableRow } from "./row.ts";
import { textLines } from "./text-blocks.ts";

export const TABLE_FORMATS = ["csv", "tsv", "jsonl", "parquet"] as const;

/** `conll` is a format of texts given word by word. */
export type TableFormat = (typeof TABLE_FORMATS)[number] | "conll";

export interface TableOptions {
  /** Default: by the file's extension. */
  readonly format?: TableFormat;
  /** Names of the columns of a TSV or CSV file that has no header line. */
  readonly columns?: readonly string[];
}

const EXTENSIONS: { readonly [extension: string]: TableFormat } = {
  csv: "csv",
  tsv: "tsv",
  txt: "tsv",
  jsonl: "jsonl",
  ndjson: "jsonl",
  json: "jsonl",
  parquet: "parquet",
  conll: "conll",
  bio: "conll",
  iob: "conll",
  iob2: "conll",
};

/** The format a file's extension stands for, a `.gz` behind it set aside; null when it stands for none. */
export function tableFormat(path: string): TableFormat | null {
  const name = withoutGzip(path);
  const format = EXTENSIONS[name.slice(name.lastIndexOf(".") + 1).toLowerCase()] ?? null;
  // Parquet is compressed inside, and read from its end
  return format === "parquet" && isGzip(path) ? null : format;
}

/**
 * A table and its columns; the rows are read when asked for.
 *
 * CSV is RFC 4180 (quotes, newlines in quotes; `;` and tab are found from the header line); TSV is split at tabs, a
 * quote is a character like any other; JSON is one object a line, an array of objects, or `{"data": [objects]}`, and takes the columns
 * from its first object; CoNLL has a word and its tags on each line. All but Parquet may be compressed by gzip (`.gz`).
 * @throws {FileError} when there is no such file.
 * @throws {DataError} when the file is empty or is not of its format.
 * @throws {UnsupportedError} when the extension is unknown.
 */
export async function openTable(files: Files, path: string, options: TableOptions = {}): Promise<Table> {
  const format = options.format ?? tableFormat(path);
  if (format === null) {
    throw new UnsupportedError(
      `data file ${path}`,
      TABLE_FORMATS.map((f) => `.${f}`),
    );
  }
  const stat = await files.stat(path);
  if (stat === null) throw new FileError(path, "expected a data file, got nothing at this path");
  if (stat.isFolder) throw new FileError(path, "expected a data file, got a folder");
  if (stat.sizeBytes === 0) throw emptyFile(path);
  if (format === "parquet") return openParquet(files, path);
  const plain = uncompressed(files);
  if (format === "conll") return openConll(plain, path);
  if (format === "jsonl") return openJson(plain, path);
  return openDelimited(plain, path, format === "csv" ? csvRows : tabbedRows, options.columns);
}

function emptyFile(path: string): DataError {
  return new DataError(path, { expected: "at least one row", got: "an empty file" });
}

type SplitRows = (files: Files, path: string) => AsyncIterable<TableRow>;

async function openDelimited(
  files: Files,
  path: string,
  split: SplitRows,
  given: readonly string[] | undefined,
): Promise<Table> {
  const columns = given ?? (await headerOf(files, path, split));
  return {
    file: path,
    columns,
    async *rows() {
      let first = given === undefined;
      for await (const row of split(files, path)) {
        if (first) first = false;
        else yield withColumns(row, columns.length);
      }
    },
  };
}

async function headerOf(files: Files, path: string, split: SplitRows): Promise<readonly string[]> {
  for await (const row of split(files, path)) return row.cells.map((cell) => cellText(cell).trim());
  throw emptyFile(path);
}

function withColumns(row: TableRow, count: number): TableRow {
  if (row.fault !== undefined || row.cells.length === count) return row;
  return { ...row, fault: { expected: plural(count, "column"), got: plural(row.cells.length, "column") } };
}

async function* tabbedRows(files: Files, path: string): AsyncGenerator<TableRow> {
  for await (const { text, line } of textLines(files, path)) if (text !== "") yield { line, cells: text.split("\t") };
}
