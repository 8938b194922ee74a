// Data in memory: rows that a program holds, read by every job as the files that they are written to beside a run.
import {
  isTableTask,
  MEMORY,
  type RowFiles,
  type RowSplits,
  type Rows,
  rowFiles,
  rowNames,
  type TableTaskName,
} from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { memoryFiles } from "../hub/index.ts";
import { type Environment, readRun } from "../runs/index.ts";
import { type DataSource, TASKS } from "../settings/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";

/** Which columns to read, and as what. */
export interface TableOptions extends Omit<DataSource, "task" | "path"> {
  /** What is asked of the model. Default: classes of texts, or of pairs when `pairColumn` is given. */
  readonly task?: TableTaskName | "seq2seq";
  /** The label column holds a number to predict, and no class. */
  readonly regression?: boolean;
}

/** Rows in memory as a data source; a run that is trained on them writes them into its folder. */
export interface RowsSource extends DataSource {
  readonly rows: RowFiles;
}

/**
 * The task that a table's options ask for, with the options that are left.
 * @throws {ConfigError} when it is none over a table.
 */
export function tableOptions({ regression = false, task, ...options }: TableOptions): Omit<DataSource, "path"> {
  if (task !== undefined && !isTableTask(task) && task !== "seq2seq") {
    const known = TASKS.filter((name) => isTableTask(name) || name === "seq2seq");
    throw new ConfigError([
      { path: "task", expected: `one over a table: ${known.join(", ")}`, got: JSON.stringify(task) },
    ]);
  }
  const isPair = options.pairColumn !== undefined;
  const scores = isPair ? "text-pair-regression" : "text-regression";
  const classes = isPair ? "text-pair" : "text-classification";
  return { task: task ?? (regression ? scores : classes), ...options };
}

/**
 * Objects as a data source, in place of a file: an array or an (async) iterable, which is read once and kept; or `{ train, dev }`. As of
 * a file, a tenth is held out for evaluation where there is no `dev`.
 * @throws {DataError} naming each row that is no object, or when there are none.
 */
export async function rows(train: Rows | RowSplits, options: TableOptions = {}): Promise<RowsSource> {
  const asked = tableOptions(options);
  const held = await rowFiles(train);
  return { ...asked, path: `${MEMORY}${held.path}`, rows: held };
}

/** A data source that jobs can open on `environment`, and how messages about it are worded. */
export interface Mounted {
  readonly environment: Environment;
  readonly data: DataSource | undefined;
  readonly name: (text: string) => string;
  /** Writes rows into the folder that they are said to lie in, where they are not there yet. */
  keep(): Promise<void>;
}

/** Puts rows where `folder` will have them, or without one where only this call finds them; other data are as they are. */
export function mount(environment: Environment, data: DataSource | undefined, folder: string | null = null): Mounted {
  if (data === undefined || !("rows" in data)) return { environment, data, name: (text) => text, keep: async () => {} };
  const { rows: held, ...source } = data as RowsSource;
  const at = (path: string) => (folder === null ? `${MEMORY}${path}` : joinPath(folder, path));
  const { files } = environment;
  return {
    environment: { ...environment, files: withRows(files, held, at) },
    data: { ...source, path: at(held.path) },
    name: rowNames(held, at),
    async keep() {
      if (folder === null) return;
      for (const { path, bytes } of held.files)
        if ((await files.stat(at(path))) === null) await files.write(at(path), bytes);
    },
  };
}

/** The folder below which a run to go on with has its rows, however its path was spelled then. */
export async function rowsFolder(files: Files, output: string, isResumed: boolean, data: DataSource): Promise<string> {
  if (!isResumed || !("rows" in data) || (await files.stat(joinPath(output, "run.json"))) === null) return output;
  const { path } = (await readRun(files, output)).record.settings.data;
  const end = `/${(data as RowsSource).rows.path}`;
  return path.endsWith(end) ? path.slice(0, -end.length) : output;
}

/** `files` with rows read from memory, whether or not they are written. */
function withRows(files: Files, { path, files: held }: RowFiles, at: (path: string) => string): Files {
  const memory = memoryFiles(held.map((file) => [at(file.path), file.bytes] as const));
  const own = new Set([path, ...held.map((file) => file.path)].map(at));
  const of = (place: string) => (own.has(place.replace(/\/+$/, "")) ? memory : files);
  return {
    stat: (place) => of(place).stat(place),
    list: (place) => of(place).list(place),
    read: (place) => of(place).read(place),
    readRange: (place, offset, length) => of(place).readRange(place, offset, length),
    readText: (place) => of(place).readText(place),
    stream: (place) => of(place).stream(place),
    digest: (place, ...range) => of(place).digest(place, ...range),
    realPath: (place) => of(place).realPath(place),
    write: (place, content) => files.write(place, content),
    append: (place, content) => files.append(place, content),
    makeFolder: (place) => files.makeFolder(place),
    rename: (from, to) => files.rename(from, to),
    remove: (place) => files.remove(place),
    sync: (place) => files.sync(place),
    checkLock: (place) => files.checkLock(place),
    lock: (place) => files.lock(place),
    ...(files.apart ? { apart: (...of) => files.apart!(...of) } : {}),
  };
}
