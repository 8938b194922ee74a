// Labels: read from a cell, and found in the training data.
import { DataError } from "../errors.ts";
import { type Cell, cellText, plural, type Table } from "./row.ts";
import type { Task } from "./task.ts";

/** Why a cell is not what a column needs. */
export interface CellFault {
  readonly expected: string;
  readonly got: string;
}

/** A cell → class index or score; null where there is no label. */
export type LabelReader = (cell: Cell) => number | null | CellFault;

/** Reads a task's labels: a class by name or index, a score by value. */
export function labelReader(task: Pick<Task, "kind" | "labels" | "scoreRange">): LabelReader {
  return task.kind === "regression" ? scoreReader(task.scoreRange) : classReader(task.labels);
}

function scoreReader(range: Task["scoreRange"]): LabelReader {
  const expected = range === null ? "a finite number" : `a number from ${range[0]} to ${range[1]}`;
  return (cell) => {
    const key = labelKey(cell);
    if (key === null) return null;
    const score = Number(key);
    const fits = Number.isFinite(score) && (range === null || (score >= range[0] && score <= range[1]));
    return fits ? score : { expected, got: quoted(key) };
  };
}

function classReader(labels: readonly string[]): LabelReader {
  const indexOf = new Map(labels.map((label, index) => [label, index]));
  // "1" as an index is only clear where no label is itself a number
  const byIndex = !labels.some(isInteger);
  const names = labels.map((label, index) => (byIndex ? `${label} (${index})` : label));
  const shown =
    names.length > 12 ? `one of ${names.length} labels (${names.slice(0, 8).join(", ")}, …)` : names.join(" or ");
  return (cell) => {
    const key = labelKey(cell);
    if (key === null) return null;
    const index = indexOf.get(key) ?? (byIndex && isInteger(key) ? Number(key) : -1);
    return index >= 0 && index < labels.length ? index : { expected: shown, got: quoted(key) };
  };
}

/** The label a cell spells; null for an empty one. */
function labelKey(cell: Cell): string | null {
  const key = cellText(cell).trim();
  return key === "" ? null : key;
}

/** A text cut short and quoted, for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function isInteger(text: string): boolean {
  return /^-?\d+$/.test(text);
}

/**
 * The labels of a column, each once: sorted by value when all are integers, else by code unit.
 * @throws {DataError} when there are fewer than two, or so many that the column cannot be labels.
 */
export async function discoverLabels(table: Table, column: string): Promise<string[]> {
  const at = table.columns.indexOf(column);
  const found = new Set<string>();
  let rows = 0;
  for await (const { cells, fault } of table.rows()) {
    const key = fault === undefined ? labelKey(cells[at] ?? null) : null;
    if (key === null) continue;
    rows++;
    found.add(key);
    if (found.size > 1000) break;
  }
  const labels = [...found];
  if (found.size > 1000 || (found.size > 50 && found.size > rows / 2)) {
    throw new DataError(table.file, {
      column,
      expected: "labels that repeat from row to row",
      got: `${plural(found.size, "different value")} in ${plural(rows, "row")}, such as ${quoted(labels[0]!)}`,
      hint: "Name the label's column (--label-column), or say that it is a number to predict (regression).",
    });
  }
  if (labels.length < 2) {
    const got = labels.length === 0 ? "none" : `only ${quoted(labels[0]!)}`;
    throw new DataError(table.file, { column, expected: "at least two different labels", got });
  }
  if (labels.every(isInteger)) return labels.sort((a, b) => Number(a) - Number(b));
  return labels.sort();
}
