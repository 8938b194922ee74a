// The classes that a column of labels has, found by reading it through.
import { DataError, type DataIssue } from "../../errors.ts";
import { placeOf, plural, quoted, type Table } from "../tables/row.ts";
import { labelCell, whatStands } from "./label-cells.ts";
import { numberOf } from "./label-match.ts";
import { labelsFlag } from "./labels.ts";

/** The labels of a column, and what a reader should know of them. */
export interface FoundLabels {
  readonly labels: readonly string[];
  readonly notes: readonly string[];
}

export interface FindLabelsOptions {
  /** The task that predicts the number in such a column, for a hint. */
  readonly regression: string;
  /** How many different labels there must be: two to learn from, one to measure on. */
  readonly least: 1 | 2;
}

/** More different labels than any classifier is asked for. */
const MAX_LABELS = 1000;
/** Different values that a column may have however few rows it has. */
const FEW_LABELS = 50;
/** Values named in a hint. */
const MAX_NAMED = 20;
/** Faults shown in one error; all are counted. */
const MAX_ISSUES = 20;

/**
 * The labels of a column, each once: sorted by value when all are whole numbers, else by code unit. Whole numbers with a decimal point,
 * as pandas writes a column that has gaps, are those numbers.
 * @throws {DataError} when there are fewer than `least`, or so many that the column cannot be labels, or numbers with decimals; with every
 * cell that holds no label besides.
 */
export async function findLabels(
  table: Table,
  column: string,
  { regression, least }: FindLabelsOptions,
): Promise<FoundLabels> {
  const at = table.columns.indexOf(column);
  const found = new Set<string>();
  const faults: DataIssue[] = [];
  let [rows, faulty] = [0, 0];
  for await (const row of table.rows()) {
    if (row.fault !== undefined) continue;
    const cell = labelCell(row.cells[at] ?? null);
    if (cell.kind === "label") {
      rows++;
      found.add(cell.label);
      if (found.size > MAX_LABELS) break;
    } else if (++faulty <= MAX_ISSUES)
      faults.push({ ...placeOf(row), column, expected: "a label", got: whatStands(cell) });
  }
  const problem = problemOf([...found], rows, column, { regression, least });
  if (problem === null) return ordered(table, column, [...found]);
  const { hint, ...issue } = problem;
  // cells that are no labels explain a lack of labels: they are told by who reads the rows
  if (found.size < least && faulty > 0) return { labels: [...found], notes: [] };
  const others = faults.slice(0, MAX_ISSUES - 1);
  throw new DataError(table.file, { ...issue, others, total: 1 + faulty, ...(hint === null ? {} : { hint }) });
}

/** Why values cannot be the labels of a column; null where they can. */
function problemOf(
  values: readonly string[],
  rows: number,
  column: string,
  { regression, least }: FindLabelsOptions,
): (DataIssue & { readonly hint: string | null }) | null {
  const numbers = values.map(numberOf);
  const isNumeric = values.length > 0 && !numbers.includes(null);
  if (isNumeric && !numbers.every(Number.isInteger)) return decimals(values, column, regression);
  if (values.length > MAX_LABELS || (values.length > FEW_LABELS && values.length > rows / 2)) {
    const got = `${plural(values.length, "different value")} in ${plural(rows, "row")}, such as ${quoted(values[0]!)}`;
    const other = isNumeric ? `, or predict the number: --task ${regression}` : "";
    const hint = `Name the label's column (--label-column)${other}.`;
    return { column, expected: "labels that repeat from row to row", got, hint };
  }
  if (values.length >= least) return null;
  const got = values.length === 0 ? "none" : `only ${quoted(values[0]!)}`;
  const expected = least > 1 ? "at least two different labels" : "at least one label";
  return { column, expected, got, hint: null };
}

function decimals(values: readonly string[], column: string, regression: string) {
  const shown = values.slice(0, 4).join(", ");
  const got = `numbers with decimals: ${shown}${values.length > 4 ? ", …" : ""}`;
  const sorted = values.toSorted((a, b) => Number(a) - Number(b));
  const classes =
    values.length <= MAX_NAMED ? `name them: ${labelsFlag(sorted)}` : `name all ${values.length} with --labels`;
  const hint = `To predict the number: --task ${regression}. If each is a class of its own, ${classes}`;
  return { column, expected: "labels", got, hint };
}

function ordered(table: Table, column: string, values: readonly string[]): FoundLabels {
  const isNumeric = values.every((value) => numberOf(value) !== null);
  const pointed = isNumeric ? values.filter((value) => /[.e]/i.test(value) && Number.isSafeInteger(Number(value))) : [];
  const whole = (value: string) => (pointed.includes(value) ? String(Number(value)) : value);
  const labels = sortedLabels([...new Set(values.map(whole))]);
  const shown = (of: readonly string[]) => of.slice(0, 6).join(", ") + (of.length > 6 ? ", …" : "");
  const notes =
    pointed.length === 0
      ? []
      : [`${table.file}, column ${column}: ${shown(pointed)} are taken as the classes ${shown(pointed.map(whole))}`];
  return { labels, notes };
}

/** Labels in the order that found ones have: by value where all are whole numbers, else by code unit. */
export function sortedLabels(labels: readonly string[]): string[] {
  const isWhole = labels.every((label) => /^-?\d+$/.test(label));
  return isWhole ? labels.toSorted((a, b) => Number(a) - Number(b)) : labels.toSorted();
}
