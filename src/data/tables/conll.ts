// CoNLL's files as tables: a word and its tags on each line, an empty line behind each sentence; a row is a sentence, a cell a list.
import { DataError } from "../../errors.ts";
import type { Files } from "../../tensor/index.ts";
import { plural, type Table, type TableRow } from "./row.ts";
import { textLines } from "./text-blocks.ts";

/** Marks a document's beginning in the word's column; its line belongs to no sentence. */
const DOCUMENT_START = "-DOCSTART-";

/** Words of one sentence at most: a file without empty lines must not be read whole as one. */
const MAX_WORDS = 100_000;

/**
 * Opens a CoNLL file. Columns stand apart by tabs, or by spaces where a line has no tab; they are named by their numbers from `1` on.
 * @throws {DataError} when the file has no line.
 */
export async function openConll(files: Pick<Files, "stream">, path: string): Promise<Table> {
  const count = await columnCount(files, path);
  return {
    file: path,
    columns: Array.from({ length: count }, (_, i) => String(i + 1)),
    rows: () => sentences(files, path, count),
  };
}

async function columnCount(files: Pick<Files, "stream">, path: string): Promise<number> {
  for await (const { text } of textLines(files, path)) {
    const fields = fieldsOf(text);
    if (isWord(fields)) return fields.length;
  }
  throw new DataError(path, { expected: "at least one word", got: "none" });
}

function fieldsOf(line: string): string[] {
  const text = line.replace(/[ \t\r]+$/, "");
  if (text === "") return [];
  return text.includes("\t") ? text.split("\t").map((field) => field.trim()) : text.split(/ +/);
}

const isWord = (fields: readonly string[]) => fields.length > 0 && fields[0] !== DOCUMENT_START;

async function* sentences(files: Pick<Files, "stream">, path: string, count: number): AsyncGenerator<TableRow> {
  let words: string[][] = [];
  let lines: number[] = [];
  const flush = function* (): Generator<TableRow> {
    if (words.length > 0) {
      const cells = Array.from({ length: count }, (_, column) => words.map((fields) => fields[column]!));
      yield { line: lines[0]!, cells, lines };
    }
    words = [];
    lines = [];
  };
  for await (const { text, line } of textLines(files, path)) {
    const fields = fieldsOf(text);
    if (!isWord(fields)) yield* flush();
    else if (fields.length !== count) {
      yield { line, cells: [], fault: { expected: plural(count, "column"), got: plural(fields.length, "column") } };
    } else if (words.length === MAX_WORDS) {
      throw new DataError(path, {
        line,
        expected: "an empty line behind each sentence",
        got: "100,000 words without one",
      });
    } else {
      words.push(fields);
      lines.push(line);
    }
  }
  yield* flush();
}
