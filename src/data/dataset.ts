// A data set: the splits of a task, checked when opened, read as streams.
import { ConfigError, DataError, nearest } from "../errors.ts";
import { type Files, sha256 } from "../tensor/index.ts";
import { type Example, type ExampleSource, readExamples, readIdPairs, type Scan, scanExamples } from "./examples.ts";
import { fileDigest } from "./fingerprint.ts";
import { heldOut, textKey } from "./held-out.ts";
import { listed, mismatch, ownPlaces, type ReadClasses, readerOf, resolveClasses } from "./labels/classes.ts";
import type { LabelReader } from "./labels/labels.ts";
import type { Dataset, DatasetOptions, Split } from "./split.ts";
import { pickColumns } from "./tables/columns.ts";
import { openLists } from "./tables/list-cells.ts";
import { cellText, plural, type Table } from "./tables/row.ts";
import { openTables } from "./tables/shards.ts";
import { canonicalSplit, locate, type Source, unknownSplit } from "./tables/sources.ts";
import { isTableTask, TABLE_TASKS, type Task, tableTask } from "./task.ts";
import { GLUE_TASKS, type GlueTask, glueTask, isGlueTask } from "./tasks/glue.ts";
import { seq2seqTask } from "./tasks/seq2seq.ts";
import { squadTask } from "./tasks/squad.ts";
import { openSquad } from "./tasks/squad-splits.ts";
import { wishes } from "./wishes.ts";

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
  const draft = draftTask(options.task, options);
  const known = [draft.trainSplit, ...draft.evalSplits, ...draft.testSplits];
  const asked = options.splits ?? [draft.trainSplit, ...draft.evalSplits];
  const wanted = asked.map((name) => canonicalSplit(name, known));
  const located = await locate(files, options.data, draft, wanted);
  const sources = "whole" in located ? [located.whole] : wanted.map((split) => located.splits.get(split)!);
  const tables = await Promise.all(sources.map((source) => openSource(files, source)));
  const labelled = "whole" in located ? located.whole : (located.splits.get(draft.trainSplit) ?? sources[0]!);
  const classes = await classesOf(files, draft, labelled, options);
  const context: Context = { files, ...classes, classes, options, notes: [...classes.notes], readers: [] };
  const splits = new Map<string, Split>();
  try {
    if ("whole" in located) {
      for (const split of await splitWhole(context, located.whole, tables[0]!, wanted)) splits.set(split.name, split);
    } else {
      for (const [i, source] of sources.entries())
        splits.set(source.split, await openSplit(context, source, tables[i]!));
    }
  } catch (error) {
    throw otherClasses(context, labelled.file, error) ?? error;
  }
  const digests = await Promise.all(
    sources.flatMap(({ split, parts }) => parts.map(async (part) => `${split} ${await fileDigest(files, part)}`)),
  );
  const { task } = classes;
  return {
    name: isGlueTask(task.name) ? task.name : baseName(options.data),
    task,
    splits,
    fingerprint: `sha256:${await sha256(digests.join("\n"))}`,
    notes: [...new Set([...context.notes, ...context.readers.flatMap((reader) => reader.note() ?? [])])],
  };
}

interface Context {
  readonly files: Files;
  readonly task: Task;
  readonly classes: ReadClasses;
  readonly options: DatasetOptions;
  readonly notes: string[];
  /** Of every table that has been read. */
  readonly readers: LabelReader[];
}

/** The error with both lists where labels of the data are not among the classes that were given; null where all are. */
function otherClasses(
  { task, options, readers }: Context,
  file: string,
  error: unknown,
): ConfigError | DataError | null {
  const { labels = [], classes } = options;
  // GLUE's cells are read by GLUE's names, which have met the model's before
  if (!hasClasses(task) || isGlueTask(task.name)) return null;
  if (labels.length === 0 && classes === undefined) return null;
  const strangers = readers.map((reader) => reader.strangers());
  const found = [...new Set(strangers.flatMap((one) => one.labels))].sort();
  if (found.length > 0 && strangers.every(({ all }) => all)) {
    const path = labels.length > 0 ? "--labels" : classes!.of;
    return mismatch(path, `classes named as the labels of ${file}`, found, task.labels);
  }
  if (found.length === 0 || classes === undefined || !(error instanceof DataError)) return null;
  const [first, ...others] = error.issues;
  const lists = `The classes of ${classes.of} are ${listed(task.labels)}; not among them: ${listed(found)}.`;
  const hint = [error.hint, lists].filter((line) => line !== undefined).join("\n");
  return new DataError(error.file, { ...first!, others, total: error.total, hint });
}

/**
 * The task of that name, without classes where they are the data's.
 * @throws {ConfigError} with the nearest name when there is no such task.
 */
export function draftTask(name: string, { regression = false }: Pick<DatasetOptions, "regression"> = {}): Task {
  if (isGlueTask(name)) return glueTask(name);
  if (name === "squad") return squadTask(false);
  if (name === "seq2seq") return seq2seqTask();
  if (isTableTask(name)) {
    const { kind, isPair } = TABLE_TASKS[name];
    return tableTask(name, { kind: regression && kind === "classification" ? "regression" : kind, labels: [], isPair });
  }
  const didYouMean = nearest(name, TASK_NAMES);
  throw new ConfigError([
    { path: "task", expected: TASK_NAMES.join(", "), got: name, ...(didYouMean === undefined ? {} : { didYouMean }) },
  ]);
}

async function openSource(files: Files, source: Source): Promise<Table> {
  const { file, parts, format, columns } = source;
  return openTables(files, file, parts, { format, ...(columns === null ? {} : { columns }) });
}

/** The classes of a task over its files, from the column of labels where it has one. */
async function classesOf(files: Files, draft: Task, source: Source, options: DatasetOptions): Promise<ReadClasses> {
  if (isGlueTask(draft.name) && draft.kind === "classification") return resolveClasses(draft, null, options);
  if (draft.kind === "seq2seq" || isGlueTask(draft.name)) return { task: draft, cells: NO_CLASSES, notes: [] };
  const table = await openSource(files, source);
  const isNeeded = hasClasses(draft) && (options.labels ?? []).length === 0;
  const columns = pickColumns(table, wishes(table, draft, options, isNeeded && options.labelsRequired !== false));
  const task = { ...draft, isPair: columns.pair !== null };
  if (draft.kind === "regression") return { task, cells: NO_CLASSES, notes: [] };
  if (columns.label === null) return resolveClasses(task, null, options);
  const name = table.columns[columns.label]!;
  if (draft.lists === undefined) return resolveClasses(task, { table, name }, options);
  const { classes, elements } = await openLists(table, columns.label, draft.lists, options.labelColumn ?? null);
  return resolveClasses(task, { table: elements, name, classes }, options);
}

/** Whether a task's labels are classes with names: one an example, or lists of them. */
const hasClasses = ({ kind, lists }: Task) => kind === "classification" || lists !== undefined;

const NO_CLASSES: ReadClasses["cells"] = { names: [], to: null, canName: false };

async function exampleSource(
  { files, task, classes, options, readers }: Context,
  source: Source,
  table: Table,
): Promise<ExampleSource> {
  const labelsRequired = (options.labelsRequired ?? true) && !task.testSplits.includes(source.split);
  const ids = source.ids === null ? null : { ...source.ids, pairs: await readIdPairs(files, source.ids.file) };
  const [first, second] = [table.columns.indexOf("#1 ID"), table.columns.indexOf("#2 ID")];
  const columns = pickColumns(table, wishes(table, task, options, labelsRequired));
  const labels = readerOf(classes, table, columns.label);
  readers.push(labels);
  const given = options.labelColumn ?? null;
  return {
    table,
    columns,
    labels,
    lists: task.lists === undefined ? null : await openLists(table, columns.label ?? columns.text, task.lists, given),
    labelsRequired,
    ignoresLabels: options.labelsRequired === false && !isGlueTask(task.name),
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
    const [split = task.evalSplits[0]!, ...others] = options.splits === undefined ? [] : wanted;
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
  const isGlue = isGlueTask(task.name);
  const places = task.kind === "classification" ? ownPlaces(context.classes, isGlue) : null;
  const classes = places === null ? null : labels.map((label) => places[Number(label)] ?? 0);
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
