// Parquet rows, one row group at a time.
import { DataError } from "../../errors.ts";
import { type ByteSource, type Files, parseBoundedJson } from "../../tensor/index.ts";
import { openEngine, type ParquetEngine } from "./parquet-engine.ts";
import type { Cell, Table, TableRow } from "./row.ts";

/**
 * Opens a Parquet file; 64-bit integers become numbers, or text where a number cannot hold them, inside lists and records too. Class
 * names are those that Hugging Face's datasets writes into the file.
 */
export async function openParquet(files: Files, path: string): Promise<Table> {
  const sizeBytes = (await files.stat(path))?.sizeBytes ?? 0;
  const source = { sizeBytes, read: (offset: number, length: number) => files.readRange(path, offset, length) };
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw new DataError(path, { expected: "a Parquet file", got: (cause as Error).message, cause });
    }
  };
  const first = await explained(() => startReader(files, source));
  const takeFirst = keptFor(first, KEPT_MS);
  const { columns, groups, notes } = first.facts;
  return {
    file: path,
    columns,
    classNames: classNames(notes),
    async *rows(): AsyncGenerator<TableRow> {
      const reader = takeFirst() ?? (await explained(() => startReader(files, source)));
      let row = 0;
      try {
        for (const count of groups) {
          const start = row;
          for (const cells of await explained(() => reader.rows(start, start + count)))
            yield { line: ++row, cells: cells.map(cellOf) };
        }
      } finally {
        await reader.end();
      }
    },
  };
}

/** How long the reader that gave the facts waits for a call that takes rows. */
const KEPT_MS = 5000;

/** Gives the reader once; null to later calls, and when it was ended because none came in time. */
function keptFor(reader: Reader, ms: number): () => Reader | null {
  let kept: Reader | null = reader;
  const take = () => {
    const taken = kept;
    kept = null;
    clearTimeout(timer);
    return taken;
  };
  const timer: ReturnType<typeof setTimeout> & { unref?: () => void } = setTimeout(() => void take()?.end(), ms);
  // in Node, a process does not stay for it
  timer.unref?.();
  return take;
}

interface Reader extends ParquetEngine {
  end(): Promise<void>;
}

/** A real file takes a small part of it, on a busy machine too; most of it is for what grows with the file. */
const LIMIT_MS = 1500;
const MS_PER_BYTE = 10_000 / 2 ** 20;
const LEAST_MEMORY = 2 ** 27;
const MEMORY_PER_BYTE = 64;

/** The engine in a process that can be stopped, or where the platform has none in this one. */
async function startReader(files: Files, source: ByteSource): Promise<Reader> {
  if (files.apart === undefined) return { ...(await openEngine(source)), end: async () => {} };
  const { sizeBytes } = source;
  const limits = {
    ms: LIMIT_MS + MS_PER_BYTE * sizeBytes,
    memoryBytes: LEAST_MEMORY + MEMORY_PER_BYTE * Math.min(sizeBytes, 2 ** 27),
  };
  const apart = files.apart(ENGINE, source, limits);
  try {
    const facts = (await apart.open()) as ParquetEngine["facts"];
    return {
      facts,
      rows: async (start, end) => (await apart.rows(start, end)) as unknown[][],
      end: () => apart.end(),
    };
  } catch (error) {
    await apart.end();
    throw error;
  }
}

const ENGINE = new URL(import.meta.url.replace(/parquet\.(ts|js)$/, "parquet-engine.$1"));

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
function classNames(notes: ParquetEngine["facts"]["notes"]): ReadonlyMap<string, readonly string[]> {
  const described = notes.find(([key]) => key === "huggingface")?.[1];
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
    return (parseBoundedJson(json) as { info?: { features?: Readonly<Record<string, unknown>> } } | null)?.info
      ?.features;
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
