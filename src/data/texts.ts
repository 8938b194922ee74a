// Texts of a table that need no labels: what a model is asked about, with the cells of the row they stand in.
import { DataError } from "../errors.ts";
import type { Files } from "../tensor/index.ts";
import { draftTask } from "./dataset.ts";
import { notText } from "./examples.ts";
import type { DatasetOptions } from "./split.ts";
import { pickColumns } from "./tables/columns.ts";
import { wordsOf } from "./tables/list-cells.ts";
import { looksPrinted } from "./tables/python-literal.ts";
import { type Cell, type CellFault, placeOf, type Table, type TableRow } from "./tables/row.ts";
import { openTable } from "./tables/table.ts";
import { readSquad } from "./tasks/squad.ts";
import { wishes } from "./wishes.ts";

/** The text of a row, or its words; for a question the question, with its context as the pair. */
export interface RowText {
  readonly text: string;
  readonly pair?: string;
  readonly words?: readonly string[];
}

/** A table of texts. */
export interface TextTable {
  readonly file: string;
  readonly columns: readonly string[];
  /** @throws {DataError} at the first row that has no text, with its line. */
  rows(): AsyncGenerator<RowText & { readonly cells: readonly Cell[] }>;
}

/** The task whose texts they are, and its columns where they have other names than the usual ones. */
export type TextOptions = Pick<DatasetOptions, "task" | "textColumn" | "pairColumn" | "sourceColumn">;

/**
 * Opens a table for its texts. A row of JSON may have a `pair` where the task is not one of pairs; for questions it may be SQuAD's
 * document, whose rows have the columns id, question and context.
 * @throws {DataError} naming the columns that are missing, those there are and the flag. Errors as `openTable`.
 */
export async function openTexts(files: Files, path: string, options: TextOptions): Promise<TextTable> {
  const table = await openTable(files, path);
  const task = draftTask(options.task);
  if (task.kind === "question-answering" && table.columns.includes("paragraphs")) return documentTexts(files, path);
  const isWords = task.lists === "tags";
  const { text, pair } =
    task.kind === "question-answering"
      ? questionColumns(table)
      : pickColumns(table, wishes(table, task, { ...options, data: path }, false));
  return {
    file: path,
    columns: table.columns,
    async *rows() {
      for await (const row of table.rows()) {
        if (row.fault !== undefined) throw new DataError(path, { ...placeOf(row), ...row.fault });
        const cell = row.cells[text] ?? null;
        const first = isWords && isListed(cell) ? wordsIn(table, row, text) : { text: textIn(table, row, text) };
        yield { ...first, ...(pair === null ? {} : { pair: textIn(table, row, pair) }), cells: row.cells };
      }
    },
  };
}

async function documentTexts(files: Files, file: string): Promise<TextTable> {
  const { examples } = await readSquad(files, file, false);
  return {
    file,
    columns: ["id", "question", "context"],
    async *rows() {
      for (const { text, pair = "", question } of examples)
        yield { text, pair, cells: [question?.id ?? null, text, pair] };
    },
  };
}

function questionColumns(table: Table): { readonly text: number; readonly pair: number } {
  const at = (name: string) => table.columns.indexOf(name);
  const lacking = ["question", "context"].filter((name) => at(name) < 0);
  if (lacking.length === 0) return { text: at("question"), pair: at("context") };
  const expected = lacking.map((name) => `a column ${name}`).join(" and ");
  const hint = "Call the columns so, or ask one question with --question and --context.";
  throw new DataError(table.file, { expected, got: `the columns ${table.columns.join(", ")}`, hint });
}

const isListed = (cell: Cell) => Array.isArray(cell) || (typeof cell === "string" && looksPrinted(cell.trim()));

function wordsIn(table: Table, row: TableRow, column: number): RowText {
  const words = wordsOf(row.cells[column] ?? null);
  if ("expected" in words) throw faultyCell(table, row, column, words);
  if (words.length === 0) throw faultyCell(table, row, column, { expected: "at least one word", got: "none" });
  return { text: words.join(" "), words };
}

function textIn(table: Table, row: TableRow, column: number): string {
  const cell = row.cells[column] ?? null;
  if (typeof cell === "string") return cell;
  throw faultyCell(table, row, column, notText(cell));
}

function faultyCell(table: Table, row: TableRow, column: number, { expected, got }: CellFault): DataError {
  return new DataError(table.file, { ...placeOf(row), column: table.columns[column]!, expected, got });
}
