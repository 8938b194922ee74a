// Rows of CSV, TSV, JSON Lines and Parquet files, streamed, each with its line.
import { DataError, FileError, UnsupportedError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import { openConll } from "./conll.ts";
import { csvRows } from "./csv.ts";
import { openParquet } from "./parquet.ts";
import { textLines } from "./text-blocks.ts";

export const TABLE_FORMATS = ["csv", "tsv", "jsonl", "parquet"] as const;

/** `conll` is a format of texts given word by word. */
export type TableFormat = (typeof TABLE_FORMATS)[number] | "conll";

/** A value of a table; an object where the file holds a list or a record. */
export type Cell = string | number | boolean | null | object;

/** One row. `line` is where it starts in the file, from 1 (Parquet: the row number). */
export interface TableRow {
  readonly line: number;
  /** One for each column, unless `fault` says why not. */
  readonly cells: readonly Cell[];
  /** Of a row that stands on several lines, a list's element on each: their numbers. */
  readonly lines?: readonly number[];
  /** What is wrong with the row as a row: its number of columns, its JSON. */
  readonly fault?: { readonly expected: string; readonly got: string };
}

export interface Table {
  readonly file: string;
  readonly columns: readonly string[];
  /** The rows from the start, as often as wanted. Throws a `DataError` where reading on makes no sense. */
  rows(): AsyncIterable<TableRow>;
}

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

/** The format a file's extension stands for; null when it stands for none. */
export function tableFormat(path: string): TableFormat | null {
  return EXTENSIONS[path.slice(path.lastIndexOf(".") + 1).toLowerCase()] ?? null;
}

/**
 * A table and its columns; the rows are read when asked for.
 *
 * CSV is RFC 4180 (quotes, newlines in quotes; `;` and tab are found from the header line); TSV is split at tabs, a
 * quote is a character like any other; JSON Lines takes the columns from its first object.
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
  if (format === "conll") return openConll(files, path);
  if (format === "jsonl") return openJsonLines(files, path);
  return openDelimited(files, path, format === "csv" ? csvRows : tabbedRows, options.columns);
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

/** A cell as text; empty for null. */
export function cellText(cell: Cell): string {
  if (cell === null) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

/** "1 column", "3 columns". */
export function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

async function* tabbedRows(files: Files, path: string): AsyncGenerator<TableRow> {
  for await (const { text, line } of textLines(files, path)) if (text !== "") yield { line, cells: text.split("\t") };
}

async function openJsonLines(files: Files, path: string): Promise<Table> {
  const columns = await jsonColumns(files, path);
  return {
    file: path,
    columns,
    async *rows() {
      for await (const { text, line } of textLines(files, path)) {
        if (text.trim() !== "") yield jsonRow(text, line, columns);
      }
    },
  };
}

async function jsonColumns(files: Files, path: string): Promise<readonly string[]> {
  for await (const { text, line } of textLines(files, path)) {
    if (text.trim() === "") continue;
    const row = parseObject(text);
    if ("fault" in row) {
      const hint = text.trimStart().startsWith("[") ? { hint: "Write one object on each line (JSON Lines)." } : {};
      throw new DataError(path, { line, ...row.fault, ...hint });
    }
    return Object.keys(row.object);
  }
  throw emptyFile(path);
}

function jsonRow(text: string, line: number, columns: readonly string[]): TableRow {
  const row = parseObject(text);
  if ("fault" in row) return { line, cells: [], fault: row.fault };
  return { line, cells: columns.map((column) => (row.object[column] ?? null) as Cell) };
}

type ParsedObject =
  | { readonly object: Readonly<Record<string, unknown>> }
  | { readonly fault: { readonly expected: string; readonly got: string } };

function parseObject(text: string): ParsedObject {
  try {
    const object: unknown = JSON.parse(text);
    if (typeof object === "object" && object !== null && !Array.isArray(object)) {
      return { object: object as Record<string, unknown> };
    }
    return { fault: { expected: "one JSON object", got: Array.isArray(object) ? "an array" : String(object) } };
  } catch (cause) {
    return { fault: { expected: "one JSON object", got: (cause as Error).message } };
  }
}
