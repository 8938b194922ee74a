// Which columns of a table hold the text, its pair, the label or the target.
import { DataError, type DataIssue, nearest } from "../../errors.ts";
import type { ListForm } from "./list-cells.ts";
import type { Table } from "./row.ts";

/** Positions of the columns; null where there is none. */
export interface Columns {
  readonly text: number;
  readonly pair: number | null;
  readonly label: number | null;
  readonly target: number | null;
}

/** What a role's column is called: by the user, or one of the usual names in order. */
export interface ColumnWish {
  /** `source` is the text of a task that writes. */
  readonly role: "text" | "pair" | "label" | "source" | "target";
  readonly given: string | null;
  readonly usual: readonly string[];
  readonly required: boolean;
}

export const USUAL_TEXT = [
  "text",
  "sentence",
  "sentence1",
  "question1",
  "premise",
  "question",
  "content",
  "review",
  "title",
];
export const USUAL_WORDS = ["tokens", "words", "1"];
export const USUAL_PAIR = ["pair", "text_pair", "sentence2", "question2", "hypothesis", "text2", "sentence", "answer"];
export const USUAL_LABEL = ["label", "labels", "class", "category", "target", "gold_label", "is_duplicate", "score"];

/** Where the lists of labels usually stand; in a file whose columns have numbers in the last one. */
export function usualLists(columns: readonly string[], form: ListForm): readonly string[] {
  if (form === "classes") return ["labels", ...USUAL_LABEL, "classes", "categories", "tags"];
  const last = columns.at(-1) ?? "";
  const numbered = columns.length > 1 && /^\d+$/.test(last) ? [last] : [];
  return ["tags", "ner_tags", "ner", "labels", "label", ...numbered];
}

/** Where a number to predict stands. */
export const USUAL_SCORE = ["score", "label", "labels", "value", "rating", "similarity", "similarity_score", "target"];

/**
 * The columns a task needs.
 * @throws {DataError} naming every column that is missing and the columns there are.
 */
export function pickColumns(table: Table, wishes: readonly ColumnWish[]): Columns {
  const found: Record<ColumnWish["role"], number | null> = {
    text: null,
    pair: null,
    label: null,
    source: null,
    target: null,
  };
  const issues: DataIssue[] = [];
  const hints: string[] = [];
  for (const wish of wishes) {
    const at = find(table.columns, wish, Object.values(found));
    if (at !== null) found[wish.role] = at;
    else if (wish.required || wish.given !== null) {
      issues.push(missing(table, wish));
      hints.push(`--${wish.role}-column`);
    }
  }
  const [first, ...others] = issues;
  if (first !== undefined) {
    const hint = `Name the column with ${hints.join(" and ")}.`;
    throw new DataError(table.file, { ...first, others, hint });
  }
  const { text, source, pair, label, target } = found;
  return { text: text ?? source ?? 0, pair, label, target };
}

function find(columns: readonly string[], wish: ColumnWish, taken: readonly (number | null)[]): number | null {
  if (wish.given !== null) {
    const at = columns.indexOf(wish.given);
    return at < 0 ? null : at;
  }
  for (const name of wish.usual) {
    const at = columns.findIndex((column, i) => column.toLowerCase() === name.toLowerCase() && !taken.includes(i));
    if (at >= 0) return at;
  }
  return null;
}

function missing(table: Table, { role, given, usual }: ColumnWish): DataIssue {
  const name = given ?? usual[0]!;
  const shown = table.columns.map((column) => (column.length > 40 ? `${column.slice(0, 40)}…` : column));
  const close = nearest(name, table.columns);
  const expected = given === null && usual.length > 1 ? `a ${role} column (${usual.join(", ")})` : `a column ${name}`;
  const suggestion = close === undefined ? "" : ` (did you mean ${close}?)`;
  return { expected, got: `the columns ${shown.join(", ")}${suggestion}` };
}
