// CoNLL's files: sentences as rows, with a list for each column.
import { expect, test } from "vitest";
import { DataError } from "../../errors.ts";
import { memoryFiles } from "../../hub/files-memory.ts";
import type { TableRow } from "./row.ts";
import { openTable } from "./table.ts";

async function read(text: string, name = "train.conll") {
  const table = await openTable(memoryFiles([[name, text]]), name);
  const rows: TableRow[] = [];
  for await (const row of table.rows()) rows.push(row);
  return { columns: table.columns, rows };
}

const words = ({ rows }: Awaited<ReturnType<typeof read>>) => rows.map(({ cells }) => cells[0]);

test("of CoNLL-2003: four columns, documents' beginnings left out", async () => {
  const text =
    "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\nBlackburn NNP I-NP I-PER\n\n";
  const table = await read(text);
  expect(table.columns).toEqual(["1", "2", "3", "4"]);
  expect(words(table)).toEqual([
    ["EU", "rejects"],
    ["Peter", "Blackburn"],
  ]);
  expect(table.rows[1]).toMatchObject({ line: 6, lines: [6, 7] });
  expect(table.rows[1]!.cells[3]).toEqual(["B-PER", "I-PER"]);
});

test.each([
  ["tabs", "a\tO\nb\tO\n\nc\tO"],
  ["runs of spaces, and spaces at the end", "a   O \nb O\n  \t\nc O\n"],
  ["Windows' line ends", "a O\r\nb O\r\n\r\nc O\r\n"],
  ["several empty lines", "\n\na O\nb O\n\n\n\nc O\n\n\n"],
  ["a document's beginning between sentences without an empty line", "a O\nb O\n-DOCSTART- O\nc O"],
])("apart by %s", async (_, text) => expect(words(await read(text))).toEqual([["a", "b"], ["c"]]));

test("a word may hold spaces where tabs stand between columns, and characters that Unicode counts as spaces", async () => {
  expect(words(await read("New York\tB-LOC\nx\u00a0y\tO\n"))).toEqual([["New York", "x\u00a0y"]]);
  expect(words(await read("x\u00a0y O\n", "train.bio"))).toEqual([["x\u00a0y"]]);
});

test("a line of another number of columns is a fault with its number", async () => {
  const { rows } = await read("a O\nb\nc O O\n\nd O\n");
  expect(rows.filter(({ fault }) => fault)).toEqual([
    { line: 2, cells: [], fault: { expected: "2 columns", got: "1 column" } },
    { line: 3, cells: [], fault: { expected: "2 columns", got: "3 columns" } },
  ]);
});

test.each(["\n\n", "-DOCSTART- O\n\n"])("a file without a word is refused: %j", async (text) => {
  await expect(read(text)).rejects.toThrow(DataError);
});
