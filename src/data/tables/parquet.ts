// Parquet rows, one row group at a time.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import type { Cell, Table, TableRow } from "./table.ts";

/** Opens a Parquet file; 64-bit integers become numbers, or text where a number cannot hold them. */
export async function openParquet(files: Files, path: string): Promise<Table> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet/src/index.js");
  const { compressors } = await import("hyparquet-compressors");
  const stat = await files.stat(path);
  const file = {
    byteLength: stat?.sizeBytes ?? 0,
    async slice(start: number, end = stat?.sizeBytes ?? 0): Promise<ArrayBuffer> {
      const bytes = await files.readRange(path, start, end - start);
      return bytes.slice().buffer as ArrayBuffer;
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
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  return (value ?? null) as Cell;
}
