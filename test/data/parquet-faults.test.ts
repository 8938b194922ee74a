// Damaged Parquet files end in rows or in one error that names the file, in a bounded time, whatever byte is damaged.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openTable } from "../../src/data/index.ts";
import { DataError } from "../../src/errors.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { type Files, randomStream } from "../../src/tensor/index.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-parquet-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How the rows of a file with one byte changed are read: how many there are, or the error. */
async function readChanged(name: string, offset: number, value: number): Promise<number | DataError> {
  const bytes = Uint8Array.from(readFileSync(`test/golden/data/${name}.parquet`));
  bytes[offset < 0 ? bytes.length + offset : offset] = value;
  const path = join(folder, `${name}.parquet`);
  writeFileSync(path, bytes);
  try {
    let rows = 0;
    for await (const row of (await openTable(nodeFiles(), path)).rows()) rows += row.cells.length > 0 ? 1 : 0;
    return rows;
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
}

test("a byte for which another Zstandard decoder never ends", async () => {
  const started = performance.now();
  const error = await readChanged("zstd", 37, 0xff);
  expect(String(error)).toMatch(/zstd\.parquet: expected a Parquet file, got .*page/);
  expect(performance.now() - started).toBeLessThan(15_000);
});

const random = randomStream(14, "parquet");
const changes = (["zstd", "snappy", "features"] as const).flatMap((name) =>
  Array.from({ length: 12 }, (_, i) => {
    // every third in the footer, which says what the file holds
    const offset = i % 3 === 0 ? -9 - random.integer(900) : 4 + random.integer(1200);
    return [name, offset, random.integer(256)] as const;
  }),
);

test.each(changes)("%s with byte %i set to %i", { timeout: 120_000 }, async (name, offset, value) => {
  const outcome = await readChanged(name, offset, value);
  if (outcome instanceof DataError) expect(outcome.message).toContain(`${name}.parquet`);
  else expect(outcome).toBeLessThanOrEqual(300);
});

test("the thread that told the columns gives the first rows; a later call has one of its own", async () => {
  const files = nodeFiles();
  let started = 0;
  const counted: Files = {
    ...files,
    apart: (...given) => {
      started++;
      return files.apart!(...given);
    },
  };
  const table = await openTable(counted, "test/golden/data/snappy.parquet");
  const read = async () => {
    let rows = 0;
    for await (const { cells } of table.rows()) rows += cells.length > 0 ? 1 : 0;
    return rows;
  };
  const rows = await read();
  expect(rows).toBeGreaterThan(0);
  expect(started).toBe(1);
  expect(await read()).toBe(rows);
  expect(started).toBe(2);
});
