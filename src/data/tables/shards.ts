// Several files as one table: the shards that a data set was written in, read one after the other.
import { DataError, FileError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import type { Table, TableRow } from "./row.ts";
import { openTable, type TableOptions, tableFormat } from "./table.ts";

/** A name such as `train-00000-of-00003.parquet`; datasets once put a hash behind it. */
const SHARD = /^(.+)-(\d+)-of-(\d+)(?:-[0-9a-f]+)?((?:\.\w+)+)$/i;

/** Whether a file's name says that it is one of several. */
export function isShard(name: string): boolean {
  return SHARD.test(name);
}

/** Files that are parts of one, in order. */
export interface Shards {
  /** A name for all: the file's own where there is one, else `train-*-of-00003.parquet`. */
  readonly name: string;
  readonly parts: readonly string[];
}

/**
 * The shards of `stem` among the names of a folder, grouped by their number and kind; each group in order.
 * @throws {FileError} when shards of a group are missing.
 */
export function shardsOf(folder: string, names: readonly string[], stem: string): Shards[] {
  const groups = new Map<string, Map<number, string>>();
  for (const name of names) {
    const [, base, index, count, ending] = SHARD.exec(name) ?? [];
    if (base !== stem || tableFormat(name) === null) continue;
    const key = `${stem}-*-of-${count}${ending}`;
    const group = groups.get(key) ?? new Map<number, string>();
    groups.set(key, group.set(Number(index), name));
  }
  return [...groups].map(([key, group]) => {
    const count = Number(SHARD.exec([...group.values()][0]!)![3]);
    const parts: string[] = [];
    const missing: string[] = [];
    // the count is what a name says: no more is looked for than a message shows
    for (let i = 0; i < count && missing.length <= MOST_MISSING; i++) {
      const part = group.get(i);
      if (part === undefined) missing.push(String(i).padStart(5, "0"));
      else parts.push(part);
    }
    if (missing.length > 0) throw missingShards(folder, key, count, missing);
    return { name: count === 1 ? parts[0]! : key, parts };
  });
}

/** Missing shards that a message shows. */
const MOST_MISSING = 8;

function missingShards(folder: string, key: string, count: number, missing: readonly string[]): FileError {
  const shown = missing.slice(0, MOST_MISSING).join(", ");
  const more = missing.length > MOST_MISSING ? ", …" : "";
  return new FileError(folder, `expected all ${count} files ${key}, got all but number ${shown}${more}`, {
    hint: "Fetch the missing files, or name one file: it is then read alone.",
  });
}

/**
 * One table over files that are its parts; the columns are those of the first.
 * @throws {DataError} when another has other columns; errors as `openTable`.
 */
export async function openTables(
  files: Files,
  name: string,
  parts: readonly string[],
  options: TableOptions,
): Promise<Table> {
  const tables: Table[] = [];
  for (const part of parts) tables.push(await openTable(files, part, options));
  const [first, ...rest] = tables;
  if (rest.length === 0) return first!;
  const { columns, classNames } = first!;
  const orders = tables.map((table) => columns.map((column) => table.columns.indexOf(column)));
  const odd = tables.findIndex(
    (table, i) => table.columns.length !== columns.length || orders[i]!.some((at) => at < 0),
  );
  if (odd >= 0) {
    const expected = `the columns of ${first!.file}: ${columns.join(", ")}`;
    throw new DataError(tables[odd]!.file, { expected, got: tables[odd]!.columns.join(", ") });
  }
  return {
    file: name,
    columns,
    ...(classNames === undefined ? {} : { classNames }),
    async *rows() {
      let before = 0;
      for (const [i, table] of tables.entries()) {
        let last = 0;
        for await (const row of table.rows()) {
          last = row.line;
          yield placed(row, table.file, before, orders[i]!);
        }
        before += last;
      }
    },
  };
}

function placed(
  { line, cells, lines, fault }: TableRow,
  file: string,
  before: number,
  order: readonly number[],
): TableRow {
  const place = { file, line };
  if (fault !== undefined) return { line: before + line, place, cells, fault };
  const own = lines === undefined ? {} : { lines };
  return { line: before + line, place, cells: order.map((at) => cells[at] ?? null), ...own };
}
