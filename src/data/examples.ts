// Examples of one file, streamed: rows turned into texts and labels, faults collected.
import { DataError, type DataIssue } from "../errors.ts";
import type { Files } from "../tensor/index.ts";
import type { LabelReader } from "./labels/labels.ts";
import type { Columns } from "./tables/columns.ts";
import { countFault, type ListColumn, wordsOf } from "./tables/list-cells.ts";
import {
  type Cell,
  type CellFault,
  cellText,
  placeOf,
  placeOfElement,
  quoted,
  type Table,
  type TableRow,
} from "./tables/row.ts";
import { textLines } from "./tables/text-blocks.ts";

/** One text or pair and its label: a class index or a score, null where the file has none. */
export interface Example {
  readonly text: string;
  readonly pair?: string;
  readonly label: number | null;
  /** Where the labels are a list: all classes that are true of the text, or one for each of its words; null where the file has none. */
  readonly labelList?: readonly number[] | null;
  /** The words of a text that is given so; `text` has a space between them. */
  readonly words?: readonly string[];
  /** Where the example starts in its file, from 1. */
  readonly line: number;
  /** What is to be written, for tasks that generate; null where the file has none. */
  readonly target?: string | null;
  /** Question answering: `text` is the question and `pair` the context. */
  readonly question?: Question;
}

/** What is known of a question besides its text. */
export interface Question {
  readonly id: string;
  /** Any of them is right; none where there is no answer, or none is given. */
  readonly answers: readonly Answer[];
}

/** A right answer; `start` is its place in the context in UTF-16 units, null where the file names a place that does not hold it. */
export interface Answer {
  readonly text: string;
  readonly start: number | null;
}

/** A file with all that is needed to read examples from it. */
export interface ExampleSource {
  readonly table: Table;
  readonly columns: Columns;
  readonly labels: LabelReader;
  /** The same for targets. */
  readonly labelsRequired: boolean;
  /** What cannot be read as a label is none; else it is a fault even where none is required. */
  readonly ignoresLabels: boolean;
  /** The examples have targets instead of labels. */
  readonly targets: boolean;
  /** The labels are lists; null: one a row. */
  readonly lists: ListColumn | null;
  /** Leave out rows that are cut short, as the users of the official file do. */
  readonly skipsFaultyRows: boolean;
  /** Rows to use; null for all. */
  readonly accepts: ((row: TableRow) => boolean) | null;
}

/** What one pass over a file found. */
export interface Scan {
  readonly count: number;
  readonly skippedRows: number;
  readonly emptyTexts: number;
}

/** Faults shown in one error; all are counted. */
const MAX_ISSUES = 20;

type Read = { readonly example: Example } | { readonly issue: DataIssue } | "skipped";

async function* readRows(source: ExampleSource): AsyncGenerator<Read> {
  for await (const row of source.table.rows()) {
    if (row.fault !== undefined) {
      yield source.skipsFaultyRows ? "skipped" : { issue: { ...placeOf(row), ...row.fault } };
    } else if (source.accepts === null || source.accepts(row)) {
      yield source.lists === null ? readExample(row, source) : readListExample(row, source, source.lists);
    }
  }
}

function readExample(row: TableRow, source: ExampleSource): Read {
  const { columns, table, labels, labelsRequired } = source;
  const fault = (column: number, { expected, got }: CellFault): Read => ({
    issue: { ...placeOf(row), column: table.columns[column]!, expected, got },
  });
  const text = row.cells[columns.text] ?? null;
  if (typeof text !== "string") return fault(columns.text, notText(text));
  const pair = columns.pair === null ? undefined : (row.cells[columns.pair] ?? null);
  if (pair !== undefined && typeof pair !== "string") return fault(columns.pair!, notText(pair));
  if (columns.target !== null) {
    const target = row.cells[columns.target] ?? null;
    if (typeof target === "string") return { example: { text, target, label: null, line: row.line } };
    if (target !== null || labelsRequired) return fault(columns.target, notText(target));
  }
  if (source.targets) return { example: { text, target: null, label: null, line: row.line } };
  const unlabelled = { text, ...(pair === undefined ? {} : { pair }), line: row.line };
  const label = columns.label === null ? null : labels.read(row.cells[columns.label] ?? null);
  if (typeof label === "object" && label !== null) {
    // hub files mark an unlabelled split with −1
    const isMarked = label.isMissing === true || cellText(row.cells[columns.label!]!).trim() === "-1";
    if (labelsRequired || !(isMarked || source.ignoresLabels)) return fault(columns.label!, label);
    return { example: { ...unlabelled, label: null } };
  }
  if (label === null && labelsRequired) {
    return fault(columns.label ?? 0, { expected: "a label", got: "nothing" });
  }
  return { example: { ...unlabelled, label } };
}

/** A row whose labels are a list. */
function readListExample(row: TableRow, source: ExampleSource, lists: ListColumn): Read {
  const { columns, table } = source;
  const fault = (column: number, { expected, got }: CellFault, place = placeOf(row)): Read => ({
    issue: { ...place, column: table.columns[column]!, expected, got },
  });
  const cell = row.cells[columns.text] ?? null;
  const words = lists.form === "tags" ? wordsOf(cell) : null;
  if (words !== null && "expected" in words) return fault(columns.text, words);
  if (words === null && typeof cell !== "string") return fault(columns.text, notText(cell));
  const text = words === null ? { text: cell as string } : { text: words.join(" "), words };
  const read = columns.label === null ? null : labelList(row, source, lists, words);
  if (read !== null && "expected" in read) {
    const isElement = read.index !== undefined;
    return fault(lists.column, read, isElement ? placeOfElement(row, read.index) : placeOf(row));
  }
  if (read === null && source.labelsRequired) {
    const expected = lists.form === "tags" ? "a list of tags" : "a list of labels ([] for none)";
    return fault(lists.column, { expected, got: "nothing" });
  }
  return { example: { ...text, label: null, labelList: read, line: row.line } };
}

type ListFault = CellFault & { readonly index?: number };

/** A row's labels as class indices; null where it has none, or where what stands there does not matter. */
function labelList(
  row: TableRow,
  source: ExampleSource,
  lists: ListColumn,
  words: readonly string[] | null,
): readonly number[] | null | ListFault {
  const list = lists.read(row);
  const read = list === null || "expected" in list ? list : indicesOf(list, source);
  const isRead = read !== null && !("expected" in read);
  const wrong = isRead && words !== null ? countFault(words.length, read.length) : null;
  const found = wrong ?? read;
  const isFault = found !== null && "expected" in found;
  return isFault && source.ignoresLabels && !source.labelsRequired ? null : found;
}

/** A list's labels as class indices; the fault of the first that is none, with its place. */
function indicesOf(list: readonly Cell[], { labels, labelsRequired }: ExampleSource) {
  const indices: number[] = [];
  for (const [index, cell] of list.entries()) {
    const label = labels.read(cell);
    if (label === null) return labelsRequired ? { expected: "a label", got: "nothing", index } : null;
    // a split without labels may mark so
    const isMarked = typeof label === "object" && (label.isMissing === true || cellText(cell).trim() === "-1");
    if (typeof label === "object") return isMarked && !labelsRequired ? null : { ...label, index };
    indices.push(label);
  }
  return indices;
}

/** The fault of a cell that is no text. */
export function notText(cell: Cell): CellFault {
  const got =
    cell === null
      ? "nothing"
      : typeof cell === "object"
        ? "a list or record"
        : `${typeof cell} ${quoted(String(cell))}`;
  return { expected: "text", got };
}

/**
 * The examples of a file that has been scanned.
 * @throws {DataError} at the first fault, when the file has changed since.
 */
export async function* readExamples(source: ExampleSource): AsyncGenerator<Example> {
  for await (const read of readRows(source)) {
    if (read === "skipped") continue;
    if ("issue" in read) throw new DataError(source.table.file, read.issue);
    yield read.example;
  }
}

/**
 * Reads a file through (up to `limit` examples) and tells what is in it.
 * @throws {DataError} with every fault at once, or when there is no example.
 */
export async function scanExamples(
  source: ExampleSource,
  limit: number,
  visit: (example: Example) => void,
): Promise<Scan> {
  const issues: DataIssue[] = [];
  let [total, count, skippedRows, emptyTexts] = [0, 0, 0, 0];
  try {
    for await (const read of readRows(source)) {
      if (read === "skipped") skippedRows++;
      else if ("issue" in read) {
        if (++total <= MAX_ISSUES) issues.push(read.issue);
      } else {
        visit(read.example);
        if (read.example.text.trim() === "") emptyTexts++;
        if (++count >= limit) break;
      }
    }
  } catch (error) {
    if (!(error instanceof DataError) || total === 0) throw error;
    const part = error.file === source.table.file ? {} : { file: error.file };
    issues.push(...error.issues.map((issue) => ({ ...part, ...issue })));
    total += error.total;
  }
  const [first, ...others] = issues;
  if (first !== undefined) {
    const hint = source.labels.hint();
    throw new DataError(source.table.file, { ...first, others, total, ...(hint === null ? {} : { hint }) });
  }
  if (count === 0) throw noExamples(source, skippedRows);
  return { count, skippedRows, emptyTexts };
}

function noExamples({ table }: ExampleSource, skippedRows: number): DataError {
  const got = skippedRows > 0 ? `${skippedRows} rows cut short` : "none after the header line";
  const hint = `The header line names the columns ${table.columns.map((c) => quoted(c)).join(", ")}.`;
  return new DataError(table.file, { expected: "at least one example", got, hint });
}

/** The id pairs of MRPC's dev_ids.tsv, each as `first<TAB>second`. */
export async function readIdPairs(files: Files, path: string): Promise<ReadonlySet<string>> {
  const ids = new Set<string>();
  for await (const { text } of textLines(files, path)) ids.add(text.trim());
  return ids;
}
