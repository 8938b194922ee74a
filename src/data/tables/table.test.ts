// One table in every layout and compression that a file may have it in, and the layouts that are refused.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { DataError, FileError } from "../../errors.ts";
import type { Files } from "../../tensor/files.ts";
import type { Cell } from "./row.ts";
import { openTables, shardsOf } from "./shards.ts";
import { openTable, tableFormat } from "./table.ts";

/** Files in memory, streamed in pieces of `size` bytes. */
function filesOf(entries: Readonly<Record<string, string | Uint8Array>>, size = 1 << 20): Files {
  const bytesAt = (path: string) => {
    const content = entries[path];
    if (content === undefined) throw new Error(`no ${path}`);
    return typeof content === "string" ? new TextEncoder().encode(content) : content;
  };
  const part: Pick<Files, "stat" | "stream" | "readRange"> = {
    stat: async (path) => (path in entries ? { sizeBytes: bytesAt(path).length, isFolder: false } : null),
    async *stream(path) {
      const bytes = bytesAt(path);
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
    readRange: async (path, offset, length) => bytesAt(path).slice(offset, offset + length),
  };
  return part as Files;
}

type Read = { readonly columns: readonly string[]; readonly rows: readonly (readonly [number, readonly Cell[]])[] };

async function read(name: string, content: string | Uint8Array, size?: number): Promise<Read> {
  const table = await openTable(filesOf({ [name]: content }, size), name);
  const rows: [number, readonly Cell[]][] = [];
  for await (const { line, cells, fault } of table.rows()) rows.push([line, fault === undefined ? cells : [fault.got]]);
  return { columns: table.columns, rows };
}

const ROWS = [
  { text: 'a, "b"]', label: "x" },
  { text: "c\n{", label: null },
  { text: "", label: "z" },
];
const CELLS = ROWS.map(({ text, label }) => [text, label]);
const compact = JSON.stringify(ROWS);
const pretty = JSON.stringify(ROWS, null, 2);
const document = (rows: string) => `{\n "version": "1.1", "count": 3, "checked": true,\n "data": ${rows}, "more": [1]}`;

describe("JSON", () => {
  test.each([
    ["one object a line", "a.jsonl", ROWS.map((row) => JSON.stringify(row)).join("\n")],
    ["one object a line, in .json", "a.json", `\n${ROWS.map((row) => JSON.stringify(row)).join("\r\n")}\n`],
    ["an array", "a.json", compact],
    ["an array over lines", "a.json", `\n ${pretty}\n`],
    ["an array in .jsonl", "a.jsonl", compact],
    ["a document", "a.json", document(compact)],
    ["a document over lines", "a.json", document(pretty)],
    ["a document in one line", "a.json", JSON.stringify({ data: ROWS })],
  ])("%s", async (_, name, text) => {
    for (const size of [1, 3, 1000]) {
      const { columns, rows } = await read(name, text, size);
      expect(columns).toEqual(["text", "label"]);
      expect(rows.map(([, cells]) => cells)).toEqual(CELLS);
    }
  });

  test("rows are named by the line they start in", async () => {
    const lines = async (text: string) => (await read("a.json", text)).rows.map(([line]) => line);
    expect(await lines(pretty)).toEqual([2, 6, 10]);
    expect(await lines(document(pretty))).toEqual([4, 8, 12]);
    expect(await lines(compact)).toEqual([1, 1, 1]);
  });

  test("a column called data is one in a file of lines", async () => {
    const { columns } = await read("a.jsonl", '{"data": [{"a": 1}]}\n{"data": []}\n');
    expect(columns).toEqual(["data"]);
  });

  test("NaN and Infinity, which Python's json writes", async () => {
    const { rows } = await read(
      "a.jsonl",
      '{"text": "NaN, \\"Infinity\\"", "label": NaN}\n{"text": "b", "label": -Infinity}',
    );
    expect(rows.map(([, cells]) => cells)).toEqual([
      ['NaN, "Infinity"', null],
      ["b", Number.NEGATIVE_INFINITY],
    ]);
  });

  test("an element that is no object is a fault of its line", async () => {
    const { rows } = await read("a.json", '[{"text": "a"},\n["b"],\n{"text": }]');
    expect(rows.map(([line]) => line)).toEqual([1, 2, 3]);
    expect(rows[1]![1]).toEqual(["an array"]);
  });

  test.each([
    [
      "an array cut off",
      '[{"text": "a"},\n{"text": "b"',
      "a.json:2: expected ] at the end of the rows, got the end of the file",
    ],
    ["columns of an object", '{\n "text": {"0": "a"},\n "label": {"0": 1}\n}', "a.json:1: expected one JSON object"],
    ["an array of arrays", '[["a", 1]]', "a.json:1: expected one JSON object, got an array"],
    ["an empty array", "[]", "a.json: expected at least one row, got an empty file"],
  ])("refused: %s", async (_, text, message) => {
    const error = await read("a.json", text).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toContain(message);
    if (message.includes("one JSON object"))
      expect((error as DataError).hint).toBe(
        'One object on each line (JSON Lines), an array of objects, and {"data": [objects]} are read.',
      );
  });
});

describe("gzip", () => {
  test.each([
    ["a.csv.gz", 'text,label\n"a, ""b""]",x\n"c\n{",\n"",z\n', ["x", "", "z"]],
    ["a.jsonl.gz", ROWS.map((row) => JSON.stringify(row)).join("\n"), ["x", null, "z"]],
    ["a.json.gz", pretty, ["x", null, "z"]],
    ["a.JSON.GZ", document(compact), ["x", null, "z"]],
  ])("%s", async (name, text, labels) => {
    for (const size of [1, 7, 1000]) {
      const { columns, rows } = await read(name, gzipSync(text), size);
      expect(columns).toEqual(["text", "label"]);
      expect(rows.map(([, cells]) => cells[0])).toEqual(ROWS.map((row) => row.text));
      expect(rows.map(([, cells]) => cells[1])).toEqual(labels);
    }
  });

  test("a tsv of several members, as bgzip writes, wherever a read ends", async () => {
    const members = [gzipSync("a\tb\n1\t2\n"), gzipSync("3\t4\n"), gzipSync("")];
    const bytes = Buffer.concat([...members, Buffer.alloc(5)]);
    for (let size = 1; size <= bytes.length; size++) {
      expect((await read("a.tsv.gz", bytes, size)).rows.map(([, cells]) => cells)).toEqual([
        ["1", "2"],
        ["3", "4"],
      ]);
    }
  });

  test.each([
    ["cut off", gzipSync(ROWS.map((row) => JSON.stringify(row)).join("\n")).subarray(0, 40)],
    ["no gzip", new TextEncoder().encode('{"text": "a"}')],
    ["other bytes behind the gzip file", Buffer.concat([gzipSync('{"text": "a"}'), Buffer.from("more")])],
    ["a changed byte", gzipSync('{"text": "a"}').map((byte, at, all) => (at === all.length - 6 ? byte ^ 1 : byte))],
  ])("refused: %s", async (_, bytes) => {
    const error = await read("a.jsonl.gz", bytes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toContain("a.jsonl.gz: expected a whole gzip file, got ");
  });

  test("formats by name", () => {
    const names = ["a.csv.gz", "a.TSV.gz", "a.json.gz", "a.ndjson.gz", "a.parquet.gz", "a.gz", "a.zip"];
    expect(names.map(tableFormat)).toEqual(["csv", "tsv", "jsonl", "jsonl", null, null, null]);
  });
});

describe("Parquet", () => {
  const path = fileURLToPath(new URL("../../../test/golden/data/features.parquet", import.meta.url));
  const files = filesOf({ "a.parquet": readFileSync(path) });

  test("int64 inside lists and records, dates and NaN are plain values", async () => {
    const table = await openTable(files, "a.parquet");
    const rows: Record<string, Cell>[] = [];
    for await (const { cells } of table.rows())
      rows.push(Object.fromEntries(cells.map((cell, i) => [table.columns[i]!, cell])));
    expect(rows.map(({ tags }) => tags)).toEqual([[0, 1], [2], [], null]);
    expect(rows[0]!.answers).toEqual({ text: ["o"], answer_start: [0] });
    expect(rows.map(({ big }) => big)).toEqual(["9007199254740992", "9007199254740993", -1, 0]);
    expect(rows[0]!.day).toBe("2024-02-29T00:00:00.000Z");
    expect(rows.map(({ score }) => score)).toEqual([0, 1, Number.NaN, 2.5]);
    expect(() => JSON.stringify(rows)).not.toThrow();
  });

  test("class names of columns and of lists", async () => {
    const { classNames } = await openTable(files, "a.parquet");
    expect(Object.fromEntries(classNames!)).toEqual({
      label: ["terrible", "great", "fair"],
      tags: ["O", "B-PER", "I-PER"],
    });
  });
});

describe("shards", () => {
  const names = ["train-00001-of-00002.csv", "train-00000-of-00002.csv", "validation-00000-of-00001-a09b74b3ef9c.csv"];

  test("are found in order, a hash behind the number or not", () => {
    expect(shardsOf("d", names, "train")).toEqual([
      { name: "train-*-of-00002.csv", parts: ["train-00000-of-00002.csv", "train-00001-of-00002.csv"] },
    ]);
    expect(shardsOf("d", names, "validation")).toEqual([{ name: names[2], parts: [names[2]] }]);
    expect(shardsOf("d", names, "test")).toEqual([]);
  });

  test("one that is missing is named", () => {
    expect(() => shardsOf("d", ["train-00000-of-00003.csv.gz", "train-00002-of-00003.csv.gz"], "train")).toThrow(
      new FileError("d", "expected all 3 files train-*-of-00003.csv.gz, got all but number 00001", {
        hint: "Fetch the missing files, or name one file: it is then read alone.",
      }),
    );
  });

  test("a number of them that no folder holds is not counted to", () => {
    expect(() => shardsOf("d", ["train-00000-of-99999999999.csv"], "train")).toThrow(
      "expected all 99999999999 files train-*-of-99999999999.csv, got all but number 00001, 00002, 00003, 00004, 00005, 00006, 00007, 00008, …",
    );
  });

  test("are one table, columns in the first one's order, each row with its own place", async () => {
    const files = filesOf({ "a.csv": "text,label\na,1\nb,2\n", "b.csv": "label,text\n3,c\n4\n" });
    const table = await openTables(files, "all", ["a.csv", "b.csv"], {});
    const rows = [];
    for await (const { line, place, cells, fault } of table.rows())
      rows.push([line, place!.file, place!.line, fault ? "fault" : cells]);
    expect(rows).toEqual([
      [2, "a.csv", 2, ["a", "1"]],
      [3, "a.csv", 3, ["b", "2"]],
      [5, "b.csv", 2, ["c", "3"]],
      [6, "b.csv", 3, "fault"],
    ]);
  });

  test("of other columns are refused", async () => {
    const files = filesOf({ "a.csv": "text,label\na,1\n", "b.csv": "text,score\na,1\n" });
    await expect(openTables(files, "all", ["a.csv", "b.csv"], {})).rejects.toThrow(
      "b.csv: expected the columns of a.csv: text, label, got text, score",
    );
  });
});
