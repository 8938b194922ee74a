// Rows that a program holds in memory, as the JSON Lines that a table is read from, and as messages name them.
import { DataError } from "../../errors.ts";
import { parseBoundedJson } from "../../tensor/index.ts";

/** One example: cells by their column. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows in an array, or read once from something that gives them one after the other. */
export type Rows = Iterable<Row> | AsyncIterable<Row>;

/** Rows of each split; without `dev`, a part of `train` is held out. */
export interface RowSplits {
  /** What is learned. */
  readonly train?: Rows;
  /** What is evaluated while training. */
  readonly dev?: Rows;
  /** What is kept for the end. */
  readonly test?: Rows;
}

/** Rows as files that are not written: where each lies below a folder, what messages call it, and its bytes. */
export interface RowFiles {
  /** The path that is given as data, below the folder. */
  readonly path: string;
  readonly files: readonly { readonly path: string; readonly name: string; readonly bytes: Uint8Array }[];
}

/** Below this, rows lie that are in no folder: nothing can be read there later. */
export const MEMORY = "memory:";

const SPLITS = ["train", "dev", "test"] as const;

/**
 * Reads all rows, once.
 * @throws {DataError} with every row that is no object or holds what JSON cannot, and where there are none.
 */
export async function rowFiles(given: Rows | RowSplits): Promise<RowFiles> {
  if (isRows(given)) {
    const path = "rows.jsonl";
    return { path, files: [{ path, name: "rows", bytes: await jsonLines("rows", given) }] };
  }
  const splits =
    typeof given === "object" && given !== null ? SPLITS.filter((split) => given[split] !== undefined) : [];
  if (splits.length === 0) throw noRows("rows", nameOf(given));
  const files = [];
  for (const split of splits) {
    const [name, rows] = [`rows.${split}`, given[split]];
    if (!isRows(rows)) throw noRows(name, nameOf(rows));
    files.push({ path: `rows/${split}.jsonl`, name, bytes: await jsonLines(name, rows) });
  }
  return { path: "rows", files };
}

/** Words a message that names files by the rows in them, `rows[17]` for line 18; `at` says where the files are taken to lie. */
export function rowNames({ path: whole, files }: RowFiles, at: (path: string) => string): (text: string) => string {
  const places = files.map(({ path, name }) => [at(path), name] as const);
  return (text) => {
    const named = places.reduce((said, [path, name]) => {
      const pattern = new RegExp(`${escaped(path)}(?::(\\d+))?`, "g");
      return said.replace(pattern, (_, line?: string) => (line === undefined ? name : `${name}[${Number(line) - 1}]`));
    }, text);
    return named.replaceAll(at(whole), "rows");
  };
}

function isRows(value: unknown): value is Rows {
  if (typeof value !== "object" || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

/** Faults that are listed; the others are counted. */
const LISTED = 20;

async function jsonLines(name: string, rows: Rows): Promise<Uint8Array> {
  const columns = new Set<string>();
  const lines: string[] = [];
  const faults: { readonly file: string; readonly expected: string; readonly got: string }[] = [];
  let count = 0;
  for await (const row of rows) {
    const line = lineOf(row);
    if (typeof line === "string") {
      lines.push(line);
      for (const column of Object.keys(row)) columns.add(column);
    } else faults.push({ file: `${name}[${count}]`, ...line });
    count++;
  }
  const [first, ...others] = faults;
  if (first !== undefined)
    throw new DataError(name, { ...first, others: others.slice(0, LISTED - 1), total: faults.length });
  if (count === 0) throw noRows(name, "none");
  return new TextEncoder().encode(`${[withColumns(lines[0]!, columns), ...lines.slice(1)].join("\n")}\n`);
}

/** The first row with a place for every column: a table has those of its first row. */
function withColumns(line: string, columns: ReadonlySet<string>): string {
  const row = parseBoundedJson(line) as Record<string, unknown>;
  const cells = [...columns].map((column) => [column, Object.hasOwn(row, column) ? row[column] : null] as const);
  return JSON.stringify(Object.fromEntries(cells));
}

function lineOf(row: unknown): string | { readonly expected: string; readonly got: string } {
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return { expected: "an object with a cell for each column", got: nameOf(row) };
  try {
    return JSON.stringify(row, cell);
  } catch (error) {
    return { expected: "cells that JSON can hold", got: (error as Error).message.split("\n")[0]! };
  }
}

/** Whole numbers beyond what a float holds stay exact, as text; what is no finite number is a missing cell. */
function cell(_: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

function noRows(name: string, got: string): DataError {
  const expected = name === "rows" ? "at least one row, or rows of splits: { train, dev }" : "at least one row";
  return new DataError(name, { expected, got });
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object"
    ? `an object with ${Object.keys(value).join(", ") || "nothing in it"}`
    : `a ${typeof value}`;
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
