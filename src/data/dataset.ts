// A data set: the splits of a task, checked when opened, read as streams.
import { ConfigError, DataError, nearest } from "../errors.ts";
import type { Files } from "../tensor/index.ts";
import { type Example, type ExampleSource, readExamples, readIdPairs, type Scan, scanExamples } from "./examples.ts";
import { fileDigest, textDigest } from "./fingerprint.ts";
import { heldOut, textKey } from "./held-out.ts";
import type { Dataset, DatasetOptions, Split } from "./split.ts";
import {
  type ColumnWish,
  pickColumns,
  USUAL_LABEL,
  USUAL_PAIR,
  USUAL_TEXT,
  USUAL_WORDS,
  usualLists,
} from "./tables/columns.ts";
import { discoverLabels, labelReader } from "./tables/labels.ts";
import { type ListForm, labelColumnWish, openLists } from "./tables/list-cells.ts";
import { locate, type Source, unknownSplit } from "./tables/sources.ts";
import { cellText, openTable, plural, type Table, tableFormat } from "./tables/table.ts";
import { isTableTask, TABLE_TASKS, type Task, tableTask } from "./task.ts";
import { GLUE_TASKS, type GlueTask, glueTask, isGlueTask } from "./tasks/glue.ts";
import { seq2seqTask, seq2seqWishes } from "./tasks/seq2seq.ts";
import { openSquad } from "./tasks/squad-splits.ts";

/** Every task a data set can be opened for. */
export const TASK_NAMES: readonly string[] = [...GLUE_TASKS, ...Object.keys(TABLE_TASKS), "squad", "seq2seq"];

/**
 * A data set, every file of it read through once and checked.
 *
 * A single file is split: `heldOutShare` of it, stratified by label, becomes `dev`; equal texts stay on one side.
 * @throws {ConfigError} when the task or a split is unknown.
 * @throws {FileError} when a file is missing.
 * @throws {DataError} with every fault of a file at once: columns, labels, broken UTF-8, quotes, empty files.
 */
export async function openDataset(files: Files, options: DatasetOptions): Promise<Dataset> {
  if (options.task === "squad") return openSquad(files, options);
  const { labels = [], regression = false } = options;
  const fixed = fixedTask(options.task);
  const { kind, isPair } = TABLE_TASKS[options.task] ?? { kind: "classification", isPair: false };
  const draft = fixed ?? tableTask(options.task, { kind: regression ? "regression" : kind, labels, isPair });
  const wanted = options.splits ?? [draft.trainSplit, ...draft.evalSplits];
  const located = await locate(files, options.data, draft, wanted);
  const sources = "whole" in located ? [located.whole] : wanted.map((split) => located.splits.get(split)!);
  const tables = await Promise.all(sources.map((source) => openSource(files, source)));
  const labelled = "whole" in located ? located.whole : (located.splits.get(draft.trainSplit) ?? sources[0]!);
  const task = fixed ?? (await withLabels(files, draft, labelled, options));
  const context: Context = { files, task, options, notes: [] };
  const splits = new Map<string, Split>();
  if ("whole" in located) {
    for (const split of await splitWhole(context, located.whole, tables[0]!, wanted)) splits.set(split.name, split);
  } else {
    for (const [i, source] of sources.entries()) splits.set(source.split, await openSplit(context, source, tables[i]!));
  }
  const digests = await Promise.all(sources.map(async (s) => `${s.split} ${await fileDigest(files, s.file)}`));
  return {
    name: isGlueTask(task.name) ? task.name : baseName(options.data),
    task,
    splits,
    fingerprint: `sha256:${await textDigest(digests.join("\n"))}`,
    notes: context.notes,
  };
}

interface Context {
  readonly files: Files;
  readonly task: Task;
  readonly options: DatasetOptions;
  readonly notes: string[];
}

/** The task by its name; null where the labels are still to be found. */
function fixedTask(name: string): Task | null {
  if (isGlueTask(name)) return glueTask(name);
  if (name === "seq2seq") return seq2seqTask();
  if (isTableTask(name)) return null;
  const didYouMean = nearest(name, TASK_NAMES);
  throw new ConfigError([
    { path: "task", expected: TASK_NAMES.join(", "), got: name, ...(didYouMean === undefined ? {} : { didYouMean }) },
  ]);
}

async function openSource(files: Files, source: Source): Promise<Table> {
  const { file, format, columns } = source;
  return openTable(files, file, { format, ...(columns === null ? {} : { columns }) });
}

/** The labels of a task over a table: as given, or as the training data has them. */
async function withLabels(files: Files, draft: Task, source: Source, options: DatasetOptions): Promise<Task> {
  const table = await openSource(files, source);
  const columns = pickColumns(
    table,
    wishes(table, draft, options, draft.labels.length === 0 && options.labelsRequired !== false),
  );
  const isPair = columns.pair !== null;
  if (draft.kind === "regression" || draft.labels.length > 0 || columns.label === null) return { ...draft, isPair };
  const labels = await classesIn(table, draft, columns.label, options);
  return tableTask(draft.name, { kind: draft.kind, labels, isPair });
}

/** The classes of a column: those that it names, one a row or lists of them. */
async function classesIn(table: Table, { lists }: Task, column: number, options: DatasetOptions): Promise<string[]> {
  const name = table.columns[column]!;
  if (lists === undefined) return discoverLabels(table, name);
  const { classes, elements } = await openLists(table, column, lists, options.labelColumn ?? null);
  if (classes !== null) return [...classes];
  const labels = await discoverLabels(elements, name);
  if (lists === "tags" && labels.every((label) => /^\d+$/.test(label))) throw numberedTags(table.file, name, labels);
  return labels;
}

function numberedTags(file: string, column: string, labels: readonly string[]): DataError {
  return new DataError(file, {
    column,
    expected: "tags with names, such as B-PER, I-PER and O",
    got: `the numbers ${labels.slice(0, 5).join(", ")}${labels.length > 5 ? ", …" : ""}`,
    hint: "Write the tags' names into the file, or use a Parquet file that describes its numbers.",
  });
}

function wishes(table: Table, task: Task, options: DatasetOptions, labelsRequired: boolean): ColumnWish[] {
  if (task.kind === "seq2seq") return seq2seqWishes(options, labelsRequired);
  const glue = isGlueTask(task.name) ? (task as GlueTask) : null;
  if (task.lists !== undefined) return listWishes(table, task.lists, options, labelsRequired);
  const pairWanted = task.isPair || task.name === "text-pair" || options.pairColumn !== undefined;
  // GLUE's own files have GLUE's columns: another name there means the wrong folder
  const strict = glue !== null && tableFormat(table.file) === "tsv";
  const names = (name: string | null | undefined, rest: readonly string[]) =>
    name ? [name, ...(strict ? [] : rest)] : rest;
  const wish = (role: ColumnWish["role"], given: string | undefined, usual: readonly string[], required: boolean) =>
    ({ role, given: given ?? null, usual, required }) as const;
  return [
    wish("text", options.textColumn, names(glue?.textColumn, USUAL_TEXT), true),
    ...(pairWanted ? [wish("pair", options.pairColumn, names(glue?.pairColumn, USUAL_PAIR), true)] : []),
    wish("label", options.labelColumn, names(glue?.labelColumn, USUAL_LABEL), labelsRequired),
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

async function exampleSource({ files, task, options }: Context, source: Source, table: Table): Promise<ExampleSource> {
  const labelsRequired = (options.labelsRequired ?? true) && !task.testSplits.includes(source.split);
  const ids = source.ids === null ? null : { ...source.ids, pairs: await readIdPairs(files, source.ids.file) };
  const [first, second] = [table.columns.indexOf("#1 ID"), table.columns.indexOf("#2 ID")];
  const columns = pickColumns(table, wishes(table, task, options, labelsRequired));
  return {
    table,
    columns,
    lists:
      task.lists === undefined
        ? null
        : await openLists(table, columns.label ?? columns.text, task.lists, options.labelColumn ?? null),
    readLabel: labelReader(task),
    labelsRequired,
    targets: task.kind === "seq2seq",
    skipsFaultyRows: isGlueTask(task.name) && (task as GlueTask).skipsFaultyRows,
    accepts:
      ids === null
        ? null
        : ({ cells }) =>
            ids.pairs.has([first, second].map((at) => cellText(cells[at] ?? null)).join("\t")) === ids.keep,
  };
}

async function openSplit(context: Context, source: Source, table: Table): Promise<Split> {
  const examples = await exampleSource(context, source, table);
  const limit = limitOf(context, source.split);
  const labelCounts = context.task.labels.map(() => 0);
  const scan = await scanExamples(examples, limit, ({ label, labelList }) => {
    for (const index of labelList ?? [label]) if (index !== null && index in labelCounts) labelCounts[index]!++;
  });
  note(context, source.file, scan);
  const all = () => readExamples(examples);
  return {
    name: source.split,
    file: source.file,
    count: scan.count,
    labelCounts,
    examples: () => (scan.count < limit ? all() : first(all(), scan.count)),
  };
}

/** The train and dev splits of a single file, or the whole file as the one split that is wanted. */
async function splitWhole(context: Context, source: Source, table: Table, wanted: readonly string[]): Promise<Split[]> {
  const { task, options, notes } = context;
  const { heldOutShare: share = 0.1, heldOutSeed: seed = 0 } = options;
  if (share === null) {
    const [split = task.evalSplits[0]!, ...others] = options.splits ?? [];
    if (others.length > 0) throw unknownSplit(others[0]!, [split]);
    return [await openSplit(context, { ...source, split }, table)];
  }
  const dev = task.evalSplits[0]!;
  const examples = await exampleSource(context, { ...source, split: task.trainSplit }, table);
  const keys: number[] = [];
  const labels: (number | readonly number[])[] = [];
  const scan = await scanExamples(examples, Number.POSITIVE_INFINITY, ({ text, pair, label, labelList }) => {
    keys.push(textKey(text, pair));
    labels.push(labelList ?? label ?? 0);
  });
  note(context, source.file, scan);
  const classes = task.kind === "classification" ? labels.map(Number) : null;
  const aside = heldOut(keys, classes, { share, seed });
  const devCount = aside.reduce((sum, flag) => sum + flag, 0);
  if (devCount === 0) throw tooFew(source.file, scan.count, dev);
  const how = classes === null ? "" : ", stratified by label";
  notes.push(
    `${source.file} has no dev split: ${plural(devCount, "example")} of ${scan.count.toLocaleString("en-US")} ` +
      `(${Math.round((100 * devCount) / scan.count)} %${how}, seed ${seed}) are held out as ${dev}`,
  );
  const part = (name: string, flag: number): Split => {
    const limit = limitOf(context, name);
    const members = labels.filter((_, i) => aside[i] === flag).slice(0, limit);
    const of = () => first(flagged(readExamples(examples), aside, flag), members.length);
    const labelCounts = task.labels.map(() => 0);
    for (const label of members.flat()) if (label in labelCounts) labelCounts[label]!++;
    return { name, file: source.file, count: members.length, labelCounts, examples: of };
  };
  const parts = [part(task.trainSplit, 0), part(dev, 1)];
  const missing = wanted.find((name) => !parts.some((p) => p.name === name) && !task.evalSplits.includes(name));
  if (missing !== undefined)
    throw unknownSplit(
      missing,
      parts.map((p) => p.name),
    );
  return parts.filter((p) => wanted.includes(p.name));
}

function tooFew(file: string, count: number, dev: string): DataError {
  return new DataError(file, {
    expected: `at least two different texts with one label, so that one can be held out as ${dev}`,
    got: plural(count, "example"),
    hint: "Give a folder with a train and a dev file.",
  });
}

function limitOf({ task, options }: Context, split: string): number {
  const limit = split === task.trainSplit ? options.limitTrain : options.limitEval;
  return limit ?? Number.POSITIVE_INFINITY;
}

function note({ notes }: Context, file: string, { skippedRows, emptyTexts }: Scan): void {
  if (skippedRows > 0) notes.push(`${file}: ${plural(skippedRows, "row")} with too few or too many columns left out`);
  if (emptyTexts > 0) notes.push(`${file}: ${plural(emptyTexts, "example")} with an empty text`);
}

async function* first(examples: AsyncIterable<Example>, count: number): AsyncGenerator<Example> {
  if (count <= 0) return;
  let seen = 0;
  for await (const example of examples) {
    yield example;
    if (++seen === count) return;
  }
}

async function* flagged(examples: AsyncIterable<Example>, flags: Uint8Array, flag: number): AsyncGenerator<Example> {
  let i = 0;
  for await (const example of examples) if (flags[i++] === flag) yield example;
}

function baseName(path: string): string {
  const name = path.replace(/\/+$/, "");
  return name.slice(name.lastIndexOf("/") + 1);
}
