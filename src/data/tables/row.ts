// What a table is: its columns, its rows, and the cells in them, and how a message names them.
import type { DataIssue } from "../../errors.ts";

/** A value of a table; an object where the file holds a list or a record. */
export type Cell = string | number | boolean | null | object;

/** One row. `line` is where it starts in the file, from 1 (Parquet: the row number). */
export interface TableRow {
  /** Of a table in several files: behind all lines of the files before it. */
  readonly line: number;
  /** The file and the line in it, where the table has several files. */
  readonly place?: { readonly file: string; readonly line: number };
  /** One for each column, unless `fault` says why not. */
  readonly cells: readonly Cell[];
  /** Of a row that stands on several lines, a list's element on each: their numbers in the row's file. */
  readonly lines?: readonly number[];
  /** What is wrong with the row as a row: its number of columns, its JSON. */
  readonly fault?: { readonly expected: string; readonly got: string };
}

export interface Table {
  readonly file: string;
  readonly columns: readonly string[];
  /** Columns whose whole numbers, also in lists, stand for these names by index (`ClassLabel` of Hugging Face's datasets). */
  readonly classNames?: ReadonlyMap<string, readonly string[]>;
  /** The rows from the start, as often as wanted. Throws a `DataError` where reading on makes no sense. */
  rows(): AsyncIterable<TableRow>;
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

/** Why a cell is not what a column needs. */
export interface CellFault {
  readonly expected: string;
  readonly got: string;
  /** The cell says that its value is missing: no fault where none is needed. */
  readonly isMissing?: boolean;
}

/** Where a row stands, for a message. */
export function placeOf({ line, place }: TableRow): Pick<DataIssue, "file" | "line"> {
  return place ?? { line };
}

/** Where an element of a list stands in a row, for a message. */
export function placeOfElement(row: TableRow, index: number): Pick<DataIssue, "file" | "line"> {
  const place = placeOf(row);
  const line = row.lines?.[index] ?? place.line;
  return line === undefined ? place : { ...place, line };
}

/** A text cut short and quoted, for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
