// JSON as a table: one object a line, an array of objects, or such an array as the `data` of a document.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import { type JsonItem, JsonItems, type JsonLayout, jsonLayout, parseJson } from "./json-items.ts";
import type { Cell, Table, TableRow } from "./row.ts";
import { textBlocks, textLines } from "./text-blocks.ts";

/** What is said where a JSON file has another layout. */
const LAYOUTS = 'One object on each line (JSON Lines), an array of objects, and {"data": [objects]} are read.';

/**
 * Opens a JSON file; columns are the keys of its first object.
 * @throws {DataError} when it holds no object, or has another layout.
 */
export async function openJson(files: Pick<Files, "stream">, path: string): Promise<Table> {
  const layout = await layoutOf(files, path);
  const columns = await firstKeys(files, path, layout);
  return {
    file: path,
    columns,
    async *rows() {
      for await (const { text, line } of itemsOf(files, path, layout)) yield jsonRow(text, line, columns);
    },
  };
}

/** So much of a file is looked at for its layout. */
const HEAD_CHARACTERS = 1 << 16;

async function layoutOf(files: Pick<Files, "stream">, path: string): Promise<JsonLayout> {
  // in a file of lines `data` is a column like any other
  const documents = /\.json(\.gz)?$/i.test(path);
  let head = "";
  for await (const { text } of textBlocks(files, path)) {
    head += text;
    if (head.length >= HEAD_CHARACTERS) break;
  }
  if (head.trim() === "") throw emptyJson(path);
  return jsonLayout(head, documents);
}

async function* itemsOf(files: Pick<Files, "stream">, path: string, layout: JsonLayout): AsyncGenerator<JsonItem> {
  if (layout.kind === "lines") {
    for await (const item of textLines(files, path)) if (item.text.trim() !== "") yield item;
    return;
  }
  let before = layout.from;
  const items = new JsonItems();
  for await (const { text } of textBlocks(files, path)) {
    items.skip(text.slice(0, before));
    yield* items.push(text.slice(before));
    before = Math.max(0, before - text.length);
    if (items.isDone()) return;
  }
  throw new DataError(path, {
    line: items.line(),
    expected: "] at the end of the rows",
    got: "the end of the file",
    hint: "The file may be cut off; write or fetch it again.",
  });
}

async function firstKeys(files: Pick<Files, "stream">, path: string, layout: JsonLayout): Promise<readonly string[]> {
  for await (const { text, line } of itemsOf(files, path, layout)) {
    const row = parseObject(text);
    if ("fault" in row) throw new DataError(path, { line, ...row.fault, hint: LAYOUTS });
    return Object.keys(row.object);
  }
  throw emptyJson(path);
}

function emptyJson(path: string): DataError {
  return new DataError(path, { expected: "at least one row", got: "an empty file" });
}

function jsonRow(text: string, line: number, columns: readonly string[]): TableRow {
  const row = parseObject(text);
  if ("fault" in row) return { line, cells: [], fault: row.fault };
  return { line, cells: columns.map((column) => (row.object[column] ?? null) as Cell) };
}

type ParsedObject =
  | { readonly object: Readonly<Record<string, unknown>> }
  | { readonly fault: { readonly expected: string; readonly got: string } };

function parseObject(text: string): ParsedObject {
  try {
    const object = parseJson(text);
    if (typeof object === "object" && object !== null && !Array.isArray(object)) {
      return { object: object as Record<string, unknown> };
    }
    return { fault: { expected: "one JSON object", got: Array.isArray(object) ? "an array" : String(object) } };
  } catch (cause) {
    return { fault: { expected: "one JSON object", got: (cause as Error).message } };
  }
}
