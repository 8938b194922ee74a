// Parquet rows, one row group at a time.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import type { Cell, Table, TableRow } from "./row.ts";

/**
 * Opens a Parquet file; 64-bit integers become numbers, or text where a number cannot hold them, inside lists and records too. Class
 * names are those that Hugging Face's datasets writes into the file.
 */
export async function openParquet(files: Files, path: string): Promise<Table> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet/src/index.js");
  const { compressors } = await import("hyparquet-compressors");
  const stat = await files.stat(path);
  const file = {
    byteLength: stat?.sizeBytes ?? 0,
    async slice(start: number, end = stat?.sizeBytes ?? 0): Promise<ArrayBuffer> {
      const bytes = await files.readRange(path, start, end - start);
      // a copy with a buffer of its own
      return Uint8Array.from(bytes).buffer;
    },
  };
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw new DataError(path, { expected: "a Parquet file", got: (cause as Error).message, cause });
    }
  };
  const metadata = await explained(() => parquetMetadataAsync(file));
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  return {
    file: path,
    columns,
    classNames: classNames(metadata.key_value_metadata ?? []),
    async *rows(): AsyncGenerator<TableRow> {
      let row = 0;
      for (const group of metadata.row_groups) {
        const range = { rowStart: row, rowEnd: row + Number(group.num_rows) };
        const objects = await explained(() => parquetReadObjects({ file, metadata, compressors, ...range }));
        for (const object of objects) yield { line: ++row, cells: columns.map((column) => cellOf(object[column])) };
      }
    },
  };
}

function cellOf(value: unknown): Cell {
  return (plainValue(value) ?? null) as Cell;
}

/** A value without 64-bit integers, dates and typed arrays, which JSON has no form for. */
function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map(plainValue);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plainValue);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainValue(inner)]));
}

/** The names of each column that is a `ClassLabel`, or a list of them, by the file's own description of its features. */
function classNames(
  entries: readonly { readonly key: string; readonly value?: string | undefined }[],
): ReadonlyMap<string, readonly string[]> {
  const described = entries.find(({ key }) => key === "huggingface")?.value;
  const features = described === undefined ? undefined : featuresOf(described);
  return new Map(
    Object.entries(features ?? {}).flatMap(([column, feature]) => {
      const names = namesOf(feature);
      return names === null ? [] : [[column, names] as const];
    }),
  );
}

function featuresOf(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return (JSON.parse(json) as { info?: { features?: Readonly<Record<string, unknown>> } } | null)?.info?.features;
  } catch {
    // what cannot be read describes nothing
    return undefined;
  }
}

/** A feature's class names; null where it has none. Lists are `Sequence`, `List` or `LargeList` with a feature in them. */
function namesOf(feature: unknown): readonly string[] | null {
  if (typeof feature !== "object" || feature === null) return null;
  const { names, feature: inner } = feature as { names?: unknown; feature?: unknown };
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  return inner === undefined ? null : namesOf(inner);
}
