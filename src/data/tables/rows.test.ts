// Rows in memory: the lines they become, how they are named, and what is refused.
import { expect, test } from "vitest";
import { DataError } from "../../errors.ts";
import { memoryFiles } from "../../hub/index.ts";
import { MEMORY, type RowSplits, type Rows, rowFiles, rowNames } from "./rows.ts";
import { noSuchPath } from "./sources.ts";

const linesOf = async (rows: Rows) =>
  new TextDecoder()
    .decode((await rowFiles(rows)).files[0]!.bytes)
    .trimEnd()
    .split("\n");

test("each row is a line; the first has every column", async () => {
  const day = new Date(0);
  expect(await linesOf([{ text: "a" }, { text: "b\n", label: 2n, day }, { text: "c", label: 2n ** 60n }])).toEqual([
    '{"text":"a","label":null,"day":null}',
    '{"text":"b\\n","label":2,"day":"1970-01-01T00:00:00.000Z"}',
    '{"text":"c","label":"1152921504606846976"}',
  ]);
});

test("iterables are read once", async () => {
  let reads = 0;
  function* once() {
    reads++;
    yield { text: "a" };
  }
  async function* later() {
    yield* once();
  }
  expect(await linesOf(once())).toEqual(await linesOf(later()));
  expect(reads).toBe(2);
});

test("splits are files of a folder, and are named in messages", async () => {
  const held = await rowFiles({ train: [{ text: "a" }], dev: new Set([{ text: "b" }]) });
  expect(held.path).toBe("rows");
  expect(held.files.map(({ path, name }) => [path, name])).toEqual([
    ["rows/train.jsonl", "rows.train"],
    ["rows/dev.jsonl", "rows.dev"],
  ]);
  const named = rowNames(held, (path) => `/a (b)/${path}`);
  expect(named("/a (b)/rows/dev.jsonl:3, column x; /a (b)/rows/train.jsonl: no; /a (b)/rows: no")).toBe(
    "rows.dev[2], column x; rows.train: no; rows: no",
  );
});

test("rows that were in memory alone are told apart from a path that is wrong", async () => {
  const error = await noSuchPath(memoryFiles(), `${MEMORY}rows.jsonl`);
  expect(error.message).toMatch(/expected the rows that were given in memory, got nothing.*\n.*--data DIR\|FILE/);
});

const circular: Record<string, unknown> = {};
circular.self = circular;

test.each<[string, unknown, RegExp]>([
  [
    "rows that are no objects",
    [{ a: 1 }, ["b"], null],
    /^rows\[1\]: expected an object .*got an array\nrows\[2\]: .*got null$/,
  ],
  ["a row that holds itself", [circular], /^rows\[0\]: expected cells that JSON can hold/],
  ["no rows", [], /^rows: expected at least one row/],
  ["no rows of a split", { train: [] }, /^rows\.train: expected at least one row, got none/],
  ["a split that is no list", { train: 3 }, /^rows\.train: .*got a number/],
  ["another object", { rows: [] }, /^rows: expected .*\{ train, dev \}, got an object with rows/],
  ["nothing", undefined, /^rows: .*got undefined/],
])("refused: %s", async (_, given, message) => {
  const error = await rowFiles(given as Rows | RowSplits).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DataError);
  expect((error as Error).message).toMatch(message);
});
