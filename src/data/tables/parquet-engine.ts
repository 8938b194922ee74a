// hyparquet behind two questions, so that it can be asked in this process or in one that can be stopped.
import type { AsyncBuffer, Compressors, FileMetaData } from "hyparquet";
import type { ByteSource } from "../../tensor/index.ts";

/** What a file is made of. */
export interface ParquetFacts {
  readonly columns: readonly string[];
  /** Rows of each row group. */
  readonly groups: readonly number[];
  /** Key-value pairs that writers leave, such as `huggingface`. */
  readonly notes: readonly (readonly [key: string, value: string])[];
}

/** An opened file. */
export interface ParquetEngine {
  readonly facts: ParquetFacts;
  /** Cells by column of the rows from `start` to `end`, exclusive. */
  rows(start: number, end: number): Promise<unknown[][]>;
}

/** A page that says to be larger, unpacked, is not unpacked. */
const MOST_BYTES = 2 ** 29;
/** Nothing real is packed so well beyond this size. */
const MOST_RATIO = 1024;
const SMALL_BYTES = 2 ** 26;
/** More rows than any file of a table has. */
const MOST_ROWS = 1e10;

/** Opens a file. @throws {Error} where it is no Parquet file, or a broken one. */
export async function openEngine({ sizeBytes, read }: ByteSource): Promise<ParquetEngine> {
  const { parquetMetadataAsync, parquetReadObjects, parquetSchema } = await import("hyparquet/src/index.js");
  const file: AsyncBuffer = {
    byteLength: sizeBytes,
    async slice(start: number, end = sizeBytes): Promise<ArrayBuffer> {
      // a copy with a buffer of its own
      return Uint8Array.from(await read(start, end - start)).buffer;
    },
  };
  const metadata = await parquetMetadataAsync(file);
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  const compressors = await boundedCompressors();
  return {
    facts: { columns, groups: groupsOf(metadata), notes: notesOf(metadata) },
    async rows(rowStart, rowEnd) {
      const objects = await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd });
      return objects.map((object) => columns.map((column) => object[column]));
    },
  };
}

function groupsOf({ row_groups: groups }: FileMetaData): number[] {
  return groups.map(({ num_rows: count }, group) => {
    const rows = Number(count);
    if (rows >= 0 && rows <= MOST_ROWS) return rows;
    throw new Error(`row group ${group} says to have ${rows} rows`);
  });
}

function notesOf({ key_value_metadata: entries = [] }: FileMetaData): (readonly [string, string])[] {
  return entries.map(({ key, value = "" }) => [key, value]);
}

/** Every codec, none of which is asked for more than a page can hold; Zstandard by its own library, which ends on any input. */
async function boundedCompressors(): Promise<Compressors> {
  const [{ compressors }, { ZSTDDecoder }] = await Promise.all([import("hyparquet-compressors"), import("zstddec")]);
  const zstd = new ZSTDDecoder();
  await zstd.init();
  const all: Compressors = { ...compressors, ZSTD: (packed, length) => zstd.decode(packed, length) };
  const bounded = Object.entries(all).map(([name, unpack]) => [
    name,
    (packed: Uint8Array, length: number) => {
      const most = Math.min(MOST_BYTES, Math.max(SMALL_BYTES, MOST_RATIO * packed.length));
      if (length >= 0 && length <= most) return unpack(packed, length);
      throw new Error(`a page of ${packed.length} bytes that says to have ${length} unpacked`);
    },
  ]);
  return Object.fromEntries(bounded) as Compressors;
}
