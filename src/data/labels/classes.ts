// Which classes a data set has and in which order: those named, the file's own, those found in it; and a model's, matched by name.
import { ConfigError, DataError } from "../../errors.ts";
import type { DatasetOptions, ModelClasses } from "../split.ts";
import type { Table } from "../tables/row.ts";
import { type Task, tableTask } from "../task.ts";
import { findLabels, sortedLabels } from "./find-labels.ts";
import { arePlaceholders, classFinder, matchClasses } from "./label-match.ts";
import { type ClassOptions, classReader, type LabelReader, scoreReader } from "./labels.ts";

/** The column of labels of a table. */
export interface LabelColumn {
  readonly table: Table;
  readonly name: string;
  /** The classes, where each has a column of its own. */
  readonly classes?: readonly string[] | null;
}

/** A task with its classes, and how cells are read as them. */
export interface ReadClasses {
  readonly task: Task;
  /** Names as the cells have them; for each its class. */
  readonly cells: Pick<ClassOptions, "names" | "to" | "canName">;
  readonly notes: readonly string[];
}

/** Names of classes before a model's order is known. */
interface OwnNames {
  readonly names: readonly string[];
  /** Their order is given by the task or the data themselves, and not by sorting. */
  readonly isOfficial: boolean;
  readonly notes: readonly string[];
  /** They were found in the data. */
  readonly canName: boolean;
}

/**
 * The classes of a task over a column of labels; `column` is null where the data have none.
 * @throws {ConfigError} listing both sides' names where those of the data and those of `labels` or `classes` cannot be matched.
 * @throws {DataError} as `findLabels`.
 */
export async function resolveClasses(
  draft: Task,
  column: LabelColumn | null,
  options: Pick<DatasetOptions, "labels" | "classes" | "labelsRequired" | "data">,
): Promise<ReadClasses> {
  const { labels = [], classes } = options;
  const isFixed = draft.labels.length > 0;
  const model = classes === undefined || classes.names.length === 0 ? null : classes;
  if (isFixed) return orderedAs(draft, fixedNames(draft), labels, model);
  if (labels.length > 0) return orderedAs(draft, named(labels), [], model);
  if (model !== null && model.isTrained !== true && !arePlaceholders(model.names))
    return { task: withLabels(draft, model.names), cells: plainCells(model.names, false), notes: [] };
  if (column === null) return { task: draft, cells: plainCells([], false), notes: [] };
  const own = await ownNames(draft, column, options);
  if (model !== null && model.isTrained !== true && own.names.every((name) => classFinder(model.names)(name) !== null))
    return { task: withLabels(draft, model.names), cells: plainCells(model.names, false), notes: own.notes };
  return orderedAs(draft, own, [], model);
}

/**
 * For each class its place in the data's own order, GLUE's or the sorted one: what is held out of a file does not depend on the order
 * that a model has its classes in.
 */
export function ownPlaces({ task, cells }: ReadClasses, isFixed: boolean): number[] {
  const sorted = sortedLabels(task.labels);
  return task.labels.map((label, index) => (isFixed ? (cells.to?.indexOf(index) ?? index) : sorted.indexOf(label)));
}

/** Reads a table's labels as these classes. */
export function readerOf({ task, cells }: ReadClasses, table: Table, column: number | null): LabelReader {
  if (task.kind === "regression") return scoreReader(task.scoreRange);
  const classNames = (column === null ? undefined : table.classNames?.get(table.columns[column]!)) ?? null;
  return classReader({ ...cells, classNames });
}

const plainCells = (names: readonly string[], canName: boolean): ReadClasses["cells"] => ({ names, to: null, canName });
const fixedNames = ({ labels }: Task): OwnNames => ({ names: labels, isOfficial: true, notes: [], canName: false });
const named = (names: readonly string[]): OwnNames => ({ names, isOfficial: true, notes: [], canName: false });

/** The names that the file gives its numbers, or the labels that are found in it. */
async function ownNames(
  draft: Task,
  { table, name, classes: columns }: LabelColumn,
  { labelsRequired, classes }: Pick<DatasetOptions, "labelsRequired" | "classes">,
): Promise<OwnNames> {
  if (columns) return { names: columns, isOfficial: true, notes: [], canName: false };
  const given = table.classNames?.get(name);
  if (given !== undefined) return { names: given, isOfficial: true, notes: [], canName: false };
  const regression = draft.isPair ? "text-pair-regression" : "text-regression";
  try {
    const least = classes !== undefined && classes.isTrained !== true ? 1 : 2;
    const { labels, notes } = await findLabels(table, name, { regression, least });
    if (draft.lists === "tags" && labels.length > 0 && labels.every((label) => /^\d+$/.test(label)))
      throw numberedTags(table.file, name, labels);
    return { names: labels, isOfficial: false, notes, canName: true };
  } catch (error) {
    // a column that is no labels stands in no one's way where none are needed
    if (labelsRequired === false) return { names: [], isOfficial: false, notes: [], canName: false };
    throw error;
  }
}

function numberedTags(file: string, column: string, labels: readonly string[]): DataError {
  return new DataError(file, {
    column,
    expected: "tags with names, such as B-PER, I-PER and O",
    got: `the numbers ${labels.slice(0, 5).join(", ")}${labels.length > 5 ? ", …" : ""}`,
    hint: "Name them in the order of their numbers (--labels O,B-PER,…), write the names into the file, or use a Parquet file that describes them.",
  });
}

/** Names in the order of those that a person gave, and then of the model's. */
function orderedAs(draft: Task, own: OwnNames, given: readonly string[], model: ModelClasses | null): ReadClasses {
  const first = given.length === 0 ? null : matchClasses(own.names, given, own);
  if (given.length > 0 && first === null) throw mismatch("--labels", `the classes of ${draft.name}`, own.names, given);
  const labels = first === null ? own.names : given;
  const second =
    model === null ? null : matchClasses(labels, model.names, { isOfficial: own.isOfficial || first !== null });
  if (model !== null && second === null && model.isTrained !== true)
    throw mismatch(model.of, "classes named as the labels of the data", labels, model.names);
  const to = own.names.map((_, index) => {
    const named = first?.[index] ?? index;
    return second?.[named] ?? named;
  });
  const order = [...labels];
  labels.forEach((name, index) => {
    order[second?.[index] ?? index] = name;
  });
  const isMoved = to.some((place, index) => place !== index);
  const isOfficialOrder = own.isOfficial || (second !== null && !arePlaceholders(model!.names));
  const task = { ...withLabels(draft, order), ...(isOfficialOrder ? { isOfficialOrder } : {}) };
  return {
    task: isMoved && draft.labels.length === 2 ? { ...task, positiveLabel: to[1]! } : task,
    cells: { names: own.names, to: isMoved ? to : null, canName: own.canName },
    notes: [...own.notes, ...orderNotes(own, labels, order, second, model)],
  };
}

function orderNotes(
  { isOfficial }: OwnNames,
  labels: readonly string[],
  order: readonly string[],
  match: readonly number[] | null,
  model: ModelClasses | null,
): string[] {
  if (model === null) return [];
  const shown = JSON.stringify(order);
  if (match === null)
    return labels.length === model.names.length
      ? [`${model.of} has a head for the classes ${JSON.stringify(model.names)}; it is trained on for ${shown}`]
      : [];
  if (model.isTrained === true)
    return order.some((name, index) => name !== labels[index])
      ? [`the classes keep the order that ${model.of} has them in: ${shown}`]
      : [];
  const find = classFinder(model.names);
  const isAssumed = !isOfficial && arePlaceholders(model.names) && !labels.every((name) => find(name) !== null);
  return isAssumed
    ? [`${model.of} names its classes ${model.names.join(", ")}: they are taken as ${shown}, in this order`]
    : [];
}

function withLabels(draft: Task, labels: readonly string[]): Task {
  const { name, kind, isPair } = draft;
  return draft.labels.length > 0 ? { ...draft, labels } : tableTask(name, { kind, labels, isPair });
}

/** The error for class names that do not agree. */
export function mismatch(
  path: string,
  expected: string,
  labels: readonly string[],
  names: readonly string[],
): ConfigError {
  const hint = arePlaceholders(names)
    ? `The model does not name its classes. Name all ${names.length}, in the order of its logits: --labels A,B,…`
    : "Class names are compared in any case of letters. Where they mean the same, rename one side: the labels of the data, or id2label in the model's config.json.";
  return new ConfigError([{ path, expected: `${expected}, ${listed(labels)}`, got: listed(names) }], { hint });
}

/** Class names as a message shows them. */
export function listed(names: readonly string[]): string {
  return names.length > 30
    ? `${JSON.stringify(names.slice(0, 30)).slice(0, -1)}, … ${names.length} in all]`
    : JSON.stringify(names);
}
