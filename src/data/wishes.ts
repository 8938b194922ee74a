// Which columns a task wishes for in a table: those that were named, GLUE's own, and the usual ones.
import type { DatasetOptions } from "./split.ts";
import {
  type ColumnWish,
  USUAL_LABEL,
  USUAL_PAIR,
  USUAL_SCORE,
  USUAL_TEXT,
  USUAL_WORDS,
  usualLists,
} from "./tables/columns.ts";
import { type ListForm, labelColumnWish } from "./tables/list-cells.ts";
import type { Table } from "./tables/row.ts";
import { tableFormat } from "./tables/table.ts";
import type { Task } from "./task.ts";
import { type GlueTask, isGlueTask } from "./tasks/glue.ts";
import { seq2seqWishes } from "./tasks/seq2seq.ts";

/** The columns that a task reads in a table. */
export function wishes(table: Table, task: Task, options: DatasetOptions, labelsRequired: boolean): ColumnWish[] {
  if (task.kind === "seq2seq") return seq2seqWishes(options, labelsRequired);
  if (task.lists !== undefined) return listWishes(table, task.lists, options, labelsRequired);
  const glue = isGlueTask(task.name) ? (task as GlueTask) : null;
  const pairWanted = task.isPair || options.pairColumn !== undefined;
  // GLUE's own files have GLUE's columns: another name there means the wrong folder
  const strict = glue !== null && tableFormat(table.file) === "tsv";
  const names = (name: string | null | undefined, rest: readonly string[]) =>
    name ? [name, ...(strict ? [] : rest)] : rest;
  const wish = (role: ColumnWish["role"], given: string | undefined, usual: readonly string[], required: boolean) =>
    ({ role, given: given ?? null, usual, required }) as const;
  return [
    wish("text", options.textColumn, names(glue?.textColumn, USUAL_TEXT), true),
    ...(pairWanted ? [wish("pair", options.pairColumn, names(glue?.pairColumn, USUAL_PAIR), true)] : []),
    wish(
      "label",
      options.labelColumn,
      names(glue?.labelColumn, task.kind === "regression" ? USUAL_SCORE : USUAL_LABEL),
      labelsRequired,
    ),
  ];
}

function listWishes(
  { columns }: Table,
  form: ListForm,
  { textColumn, labelColumn }: DatasetOptions,
  required: boolean,
): ColumnWish[] {
  const given = labelColumnWish(labelColumn, columns) ?? null;
  return [
    { role: "text", given: textColumn ?? null, usual: form === "tags" ? USUAL_WORDS : USUAL_TEXT, required: true },
    { role: "label", given, usual: usualLists(columns, form), required },
  ];
}
