// Lists in a table's cells: of labels that are true of a text, or of a text's words and their tags.
import { looksPrinted, printedValue } from "./python-literal.ts";
import { type Cell, type CellFault, cellText, plural, type Table, type TableRow } from "./row.ts";

/** What a list of labels means: all classes that are true of a text, or one tag for each of its words. */
export type ListForm = "classes" | "tags";

/** Where a table's lists of labels stand, and how its cells are cut into them. */
export interface ListColumn {
  readonly form: ListForm;
  /** Of the column; of the first where each class has its own. */
  readonly column: number;
  /** The labels of a row; null where nothing says. */
  readonly read: (row: TableRow) => readonly Cell[] | null | CellFault;
  /** The classes, where each has a column; else null. */
  readonly classes: readonly string[] | null;
  /** A table with a row for each label, in a column of the same name. */
  readonly elements: Table;
}

/** What may stand between the classes of one cell; the first that a column has is the column's. */
const SEPARATORS = ["|", ";", ","] as const;

/** A column of lists. `given` may name several columns, joined by commas: then each is a class, and holds 1 where it is true. */
export async function openLists(
  table: Table,
  column: number,
  form: ListForm,
  given: string | null,
): Promise<ListColumn> {
  const several = given === null || table.columns.includes(given) ? [] : given.split(",").map((name) => name.trim());
  if (form === "classes" && several.length > 1) return classColumns(table, several);
  const separator = form === "classes" ? await separatorOf(table, column) : null;
  const read = ({ cells }: TableRow) => listCell(cells[column] ?? null, separator);
  return { form, column, read, classes: null, elements: elementsOf(table, column, read) };
}

/** The names in a `--label-column` that lists several; else itself, where a column has to bear it. */
export function labelColumnWish(given: string | undefined, columns: readonly string[]): string | undefined {
  if (given === undefined || columns.includes(given)) return given;
  const names = given.split(",").map((name) => name.trim());
  return names.find((name) => !columns.includes(name)) ?? names[0];
}

function classColumns(table: Table, classes: readonly string[]): ListColumn {
  const places = classes.map((name) => table.columns.indexOf(name));
  const read = ({ cells }: TableRow): readonly Cell[] | CellFault => {
    const found: string[] = [];
    for (const [i, place] of places.entries()) {
      const isTrue = truth(cells[place] ?? null);
      if (typeof isTrue === "object") return { ...isTrue, expected: `1 or 0 in ${classes[i]!}` };
      if (isTrue) found.push(classes[i]!);
    }
    return found;
  };
  return { form: "classes", column: places[0]!, read, classes, elements: elementsOf(table, places[0]!, read) };
}

function truth(cell: Cell): boolean | CellFault {
  const text = cellText(cell).trim().toLowerCase();
  if (["1", "1.0", "true"].includes(text)) return true;
  if (["0", "0.0", "false"].includes(text)) return false;
  return { expected: "1 or 0", got: text === "" ? "nothing" : JSON.stringify(text) };
}

async function separatorOf(table: Table, column: number): Promise<string> {
  const found = new Set<string>();
  for await (const { cells, fault } of table.rows()) {
    const cell = fault === undefined ? cells[column] : null;
    if (typeof cell !== "string" || looksPrinted(cell.trimStart())) continue;
    for (const separator of SEPARATORS) if (cell.includes(separator)) found.add(separator);
    if (found.has(SEPARATORS[0])) break;
  }
  return SEPARATORS.find((separator) => found.has(separator)) ?? SEPARATORS[0];
}

/**
 * A cell as a list: a list itself, JSON or Python's way of printing one, or words with `separator` between them (null: spaces). An empty
 * text is an empty list; null where the cell is null.
 */
export function listCell(cell: Cell, separator: string | null): readonly Cell[] | null | CellFault {
  if (cell === null) return null;
  if (Array.isArray(cell)) return elementsFault(cell as readonly unknown[]) ?? (cell as Cell[]);
  if (typeof cell === "object") return { expected: "a list", got: "a record" };
  const text = cellText(cell).trim();
  const printed = printedValue(text);
  if (printed !== null) return listCell(printed, separator);
  if (text.startsWith("[")) return bareWords(text);
  const parts = separator === null ? text.split(/[ \t]+/) : text.split(separator);
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function elementsFault(elements: readonly unknown[]): CellFault | null {
  const wrong = elements.find((element) => typeof element === "object");
  if (wrong === undefined) return null;
  return { expected: "a list of texts or numbers", got: wrong === null ? "null in it" : "lists or records in it" };
}

/** `[a, b]` */
function bareWords(text: string): readonly Cell[] | CellFault {
  const body = /^\[((?:[^,'"[\]]+(?:,|(?=\])))*)\]$/s.exec(text)?.[1];
  if (body === undefined) return { expected: "a list", got: text.length > 40 ? `${text.slice(0, 40)}…` : text };
  return body.split(/[\s,]+/).filter((word) => word !== "");
}

function elementsOf(table: Table, column: number, read: ListColumn["read"]): Table {
  return {
    ...table,
    async *rows() {
      for await (const row of table.rows()) {
        const list = row.fault === undefined ? read(row) : null;
        if (list === null || !Array.isArray(list)) continue;
        for (const element of list as readonly Cell[])
          yield { line: row.line, cells: row.cells.map((cell, at) => (at === column ? element : cell)) };
      }
    },
  };
}

/** A cell of words. */
export function wordsOf(cell: Cell): readonly string[] | CellFault {
  const list = listCell(cell, null);
  if (list === null) return { expected: "a list of words", got: "nothing" };
  if (!Array.isArray(list)) return list as CellFault;
  return (list as readonly Cell[]).map(cellText);
}

/** What is wrong where a text has another number of tags than words. */
export function countFault(words: number, tags: number): CellFault | null {
  return words === tags ? null : { expected: `as many tags as words, ${words}`, got: plural(tags, "tag") };
}
