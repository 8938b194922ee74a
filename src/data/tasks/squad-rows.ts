// Questions as rows of a table, one each: the Hugging Face hub's columns, and what to_csv() makes of them.
import { DataError } from "../../errors.ts";
import { pythonLiteral } from "../tables/python-literal.ts";
import { type Cell, cellText, placeOf, type Table } from "../tables/row.ts";
import { isObject, LAYOUTS, type SquadReader } from "./squad-reader.ts";

/**
 * Reads the questions of a table with the columns question, context and answers, or `answers.text` and `answers.answer_start`.
 * @throws {DataError} naming the columns that are missing.
 */
export async function readRows(table: Table, reader: SquadReader): Promise<void> {
  const at = (column: string) => table.columns.indexOf(column);
  const hasAnswers = at("answers") >= 0 || (at("answers.text") >= 0 && at("answers.answer_start") >= 0);
  const needed = hasAnswers || !reader.answersRequired ? ["question", "context"] : ["question", "context", "answers"];
  const lacking = needed.filter((column) => at(column) < 0);
  const [first, ...others] = lacking.map((column) => ({
    expected: `a column ${column}`,
    got: `the columns ${table.columns.join(", ")}`,
  }));
  if (first !== undefined) throw new DataError(table.file, { ...first, others, hint: LAYOUTS });
  for await (const row of table.rows()) {
    const { line, cells, fault } = row;
    const place = placeOf(row);
    if (fault !== undefined) {
      reader.fault({ ...place, ...fault });
      continue;
    }
    const cell = (column: string): Cell | undefined => (at(column) < 0 ? undefined : (cells[at(column)] ?? null));
    const id = cell("id");
    const question = {
      id: id === undefined ? String(line) : cellText(id),
      question: cell("question"),
      answers: answersIn(cell),
      ...impossibleIn(cell("is_impossible")),
    };
    reader.question(question, reader.context(cell("context"), { ...place, path: "context" }), place, true);
  }
}

function answersIn(cell: (column: string) => Cell | undefined): unknown {
  const text = cell("answers.text");
  if (text === undefined) return listedAnswers(cell("answers"));
  const texts = printedValue(text);
  // one answer may stand as it is, "1901" too
  const given = Array.isArray(texts) ? texts : text;
  return listedAnswers({ text: given, answer_start: printedValue(cell("answers.answer_start") ?? null) });
}

/** The hub's `{ text: […], answer_start: […] }` as SQuAD's list of answers, from a value or a text that prints it. */
export function listedAnswers(given: unknown): unknown {
  const value = printedValue(given);
  if (value === null || value === "") return undefined;
  if (!isObject(value)) return value;
  const { text, answer_start: starts } = value;
  if (Array.isArray(text) && Array.isArray(starts))
    return text.map((one: unknown, i) => ({ text: one, answer_start: (starts as unknown[])[i] }));
  // a record of one answer
  return typeof text === "string" && typeof starts === "number" ? [value] : value;
}

/** A value, or what a text prints: JSON, or Python's and NumPy's way of writing it. */
function printedValue(cell: unknown): unknown {
  if (typeof cell !== "string") return cell;
  const literal = pythonLiteral(cell);
  return literal === null ? cell : literal.value;
}

/** True and False as pandas writes them too; nothing where the cell is empty. */
function impossibleIn(cell: Cell | undefined): { readonly is_impossible?: unknown } {
  if (cell === undefined || cell === null || cell === "") return {};
  const word = typeof cell === "string" ? cell.toLowerCase() : cell;
  return { is_impossible: word === "true" ? true : word === "false" ? false : cell };
}
