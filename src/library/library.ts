// The library as a user writes it: a model, data, a fine-tuning run, and the tuned model that comes out.
import { type GlueTaskName, noSuchPath, type RowSplits, type Rows } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { openData } from "../evaluate/index.ts";
import type { HubEvent } from "../hub/index.ts";
import { type MetricFunction, ownMetric, type TrainOptions, trainRun } from "../jobs/index.ts";
import { openBaseModel } from "../load/index.ts";
import type { Hooks } from "../nn/index.ts";
import { lora, type Method } from "../peft/index.ts";
import {
  type Environment,
  openSettings,
  type Running,
  type RunRecord,
  readRun,
  running,
  type Stoppable,
} from "../runs/index.ts";
import {
  type DataSource,
  type DensityOptions,
  dataInput,
  densityInput,
  methodSettings,
  type PlainOptions,
  plainInput,
  type Settings,
} from "../settings/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import { type Files, parameterCount } from "../tensor/index.ts";
import type { TrainEvent } from "../train/index.ts";
import { type CompressedModel, type CompressRequest, compressTuned } from "./compress.ts";
import { type Exportable, exportable } from "./export.ts";
import { type Mounted, mount, type RowsSource, rows, rowsFolder, type TableOptions, tableOptions } from "./rows.ts";
import { type Scorable, scorable } from "./scorable.ts";
import { inTypeScript, speaking, worded } from "./wording.ts";

/** A checkpoint that was opened and found whole. */
export interface LoadedModel extends Scorable {
  /** As it was asked for: a hub id or a folder. */
  readonly name: string;
  readonly folder: string;
  readonly modelType: string;
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numParameters: number;
  /** The classes that data must have, in the order of logits; null: whatever the data has. */
  readonly labels: readonly string[] | null;
  /** The adapter folder it was loaded with. */
  readonly adapter: string | null;
}

/** How a checkpoint is opened. */
export interface LoadOptions {
  /** For code that says what it wants: the head follows from the data. */
  readonly task?: "sequence-classification";
  readonly labels?: readonly string[];
  /** An adapter folder, of peft, AdapterHub or a run. */
  readonly adapter?: string;
  /** Middleware of the forward pass, for scoring only. */
  readonly hooks?: Hooks;
  readonly onProgress?: (event: HubEvent) => void;
}

/** What `fineTune` is told; what is left out has the defaults of `deft train`. */
export interface FineTuneOptions extends Omit<PlainOptions, "metric">, Stoppable {
  /** Where the examples are; `glue`, `table`, `rows`, `squad` and `seq2seq` make one. */
  readonly data: DataSource;
  /** The run's folder: new, or with `resume` the one to go on with. */
  readonly output: string;
  /** Default: `lora()` */
  readonly method?: Method;
  /** Null: plain fine-tuning. Default: our recipe. */
  readonly density?: DensityOptions | null;
  /** Tell the best evaluation by this metric of the task, or by a function, of which more is better. Default: the task's own metric. */
  readonly metric?: string | MetricFunction;
  /** What a metric function is called in records, behind `custom_`. Default: its name in the program, or `metric`. */
  readonly metricName?: string;
}

/** A finished run, or an interrupted one, which is asked by the checkpoint that it would keep, where it has one. */
export interface TunedRun extends Scorable, Exportable {
  readonly folder: string;
  readonly record: RunRecord;
  readonly interrupted: boolean;
  /** Class names in the order of logits; empty for regression. */
  readonly labels: readonly string[];
  /** The best evaluation of the run; null when it was interrupted. */
  readonly result: Evaluation | null;
}

/** The library on one machine. */
export interface Library {
  /** Opens a Hugging Face id or folder and checks it. Errors as `openCheckpoint` and `parseEncoderConfig`. */
  loadModel(model: string, options?: LoadOptions): Promise<LoadedModel>;
  /** One of GLUE's nine tasks in its official folder. @throws {FileError} when the folder is missing. */
  glue(task: GlueTaskName, folder: string, options?: Pick<DataSource, "limitTrain" | "limitEval">): Promise<DataSource>;
  /** One's own CSV, TSV, JSON or Parquet; pairs when `pairColumn` is given. @throws {FileError} when it is missing. */
  table(path: string, options?: TableOptions): Promise<DataSource>;
  /** Objects in memory: an array, an (async) iterable, or `{ train, dev }` of these. @throws {DataError} naming the row. */
  rows(train: Rows | RowSplits, options?: TableOptions): Promise<RowsSource>;
  /** SQuAD's JSON, a folder of it or one file. @throws {FileError} when it is missing. */
  squad(path: string, options?: Pick<DataSource, "limitTrain" | "limitEval">): Promise<DataSource>;
  /** Texts to write for texts, in a table of one's own. @throws {FileError} when it is missing. */
  seq2seq(path: string, options?: Omit<DataSource, "task" | "path">): Promise<DataSource>;
  /** Trains; iterate for its events, await `result` for the tuned model. @throws {ConfigError} with every mistake. */
  fineTune(base: LoadedModel | string, options: FineTuneOptions): Running<TrainEvent, TunedRun>;
  /** A run's folder as the tuned model it holds. Errors as `readRun`. */
  loadRun(folder: string): Promise<TunedRun>;
  /** A smaller model, measured here. Errors as `deft compress`. */
  compress(tuned: TunedRun | string, options: CompressRequest): Promise<CompressedModel>;
}

/** The library on the files, hub and runtime of `environment`; the node door has it bound to this machine. */
export function library(environment: Environment): Library {
  const { files } = environment;
  const source = (data: DataSource) =>
    speaking(async () => {
      if ((await files.stat(data.path)) === null) throw await noSuchPath(files, data.path);
      return data;
    });
  return {
    loadModel: (model, options = {}) => speaking(() => loadModel(environment, model, options)),
    glue: (task, folder, options = {}) => source({ task, path: folder, ...options }),
    table: async (path, options = {}) => source({ ...tableOptions(options), path }),
    rows,
    squad: (path, options = {}) => source({ task: "squad", path, ...options }),
    seq2seq: (path, options = {}) => source({ task: "seq2seq", path, ...options }),
    fineTune: (base, options) => running(fineTuneEvents(environment, base, options)),
    loadRun: (folder) =>
      speaking(async () => {
        const { record } = await readRun(files, folder);
        return tunedRun(environment, folder, record, record.result === null);
      }),
    compress: (tuned, options) => compressTuned(environment, typeof tuned === "string" ? tuned : tuned.folder, options),
  };
}

async function loadModel(environment: Environment, name: string, options: LoadOptions): Promise<LoadedModel> {
  const { labels = null, adapter = null, hooks, onProgress } = options;
  const { folder, model, weights } = await openBaseModel(environment, name, onProgress);
  const { modelType, numLayers, hiddenSize, intermediateSize } = model.config;
  return {
    name,
    folder,
    modelType,
    numLayers,
    hiddenSize,
    intermediateSize,
    numParameters: parameterCount(weights),
    labels,
    adapter,
    ...scorable(environment, { kind: "model", model: name, adapter, ...(hooks === undefined ? {} : { hooks }) }),
  };
}

async function* fineTuneEvents(
  environment: Environment,
  base: LoadedModel | string,
  options: FineTuneOptions,
): AsyncGenerator<TrainEvent, TunedRun> {
  const { data, output, resume = false } = options;
  const folder = await speaking(() => rowsFolder(environment.files, output, resume, data));
  const mounted = mount(environment, data, folder);
  try {
    const settings = await fineTuneSettings(mounted, base, options);
    const { signal } = options;
    const extras = { ...(signal === undefined ? {} : { signal }), ...metricOf(options) };
    const run = trainRun(mounted.environment, settings, extras);
    for await (const event of run) {
      // the run's folder is there from its start on
      if (event.type === "start") await mounted.keep();
      yield event.type === "warning" ? { ...event, message: inTypeScript(event.message) } : event;
    }
    const { record, interrupted } = await run.result;
    return tunedRun(environment, output, record, interrupted);
  } catch (error) {
    throw worded(error, mounted.name);
  }
}

/** What a run is trained by; its labels are those of `base`, where that has some. */
async function fineTuneSettings(
  { environment: { files }, data }: Mounted,
  base: LoadedModel | string,
  options: FineTuneOptions,
): Promise<Settings> {
  const { data: _, output, method = lora(), density, signal: _signal, metric, metricName: _name, ...plain } = options;
  if (typeof base !== "string" && base.adapter !== null) {
    throw new ConfigError([
      { path: "model", expected: "one without an adapter to fine-tune", got: `one with ${base.adapter}` },
    ]);
  }
  const flags = {
    model: typeof base === "string" ? base : base.name,
    output,
    ...dataInput(data!),
    ...methodSettings(method),
    ...(density === undefined ? {} : densityInput(density)),
    ...plainInput({ ...plain, ...(typeof metric === "function" ? {} : { metric }) }),
  };
  // the command line cannot spell everything a method may hold
  const settings: Settings = { ...(await openSettings(files, { flags })), method: method.settings };
  if (typeof base !== "string" && base.labels !== null) await checkLabels(files, settings, base.labels);
  return settings;
}

/** A metric function as the job takes it. @throws {ConfigError} when there is a name and no function. */
function metricOf({ metric, metricName }: FineTuneOptions): Pick<TrainOptions, "metric"> {
  if (typeof metric === "function")
    return { metric: ownMetric(metricName ?? (metric.name === "" ? "metric" : metric.name), metric) };
  if (metricName === undefined) return {};
  throw new ConfigError([{ path: "metricName", expected: "metric to be a function", got: metric ?? "no metric" }]);
}

async function checkLabels(files: Files, settings: Settings, labels: readonly string[]): Promise<void> {
  const { task } = await openData(files, settings);
  if (task.labels.join("\n") === labels.join("\n")) return;
  throw new ConfigError([
    { path: "labels", expected: `those of the data, ${JSON.stringify(task.labels)}`, got: JSON.stringify(labels) },
  ]);
}

function tunedRun(environment: Environment, folder: string, record: RunRecord, interrupted: boolean): TunedRun {
  return {
    folder,
    record,
    interrupted,
    labels: record.labels,
    result: record.result,
    ...exportable(environment, { kind: "run", folder }),
    ...scorable(environment, { kind: "run", folder }),
  };
}
