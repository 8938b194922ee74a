// A task's splits encoded for a model, and the head it needs.
import {
  choosableMetrics,
  type Dataset,
  type EncodedExamples,
  judgedBy,
  type ModelClasses,
  openDataset,
  type Split,
  type Task,
} from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { type BaseModel, usableLength } from "../load/index.ts";
import { type DataSettings, DEFAULTS, type Settings, type TextDataSettings } from "../settings/index.ts";
import { taskRecord } from "../tasks/index.ts";
import type { Files } from "../tensor/index.ts";

/** Where data is; what texts are made of besides may be left out for tasks of labels. */
export type OpenDataSettings = Omit<DataSettings, keyof TextDataSettings | "labels"> &
  Partial<TextDataSettings & Pick<DataSettings, "labels">>;

/**
 * The data set behind the settings, its task judged by the metric that they name.
 * @throws {ConfigError} when the task does not have that metric; errors as `openDataset`.
 */
export async function openData(
  files: Files,
  {
    task,
    data,
    metric = null,
  }: Pick<Settings, "task"> & Partial<Pick<Settings, "metric">> & { readonly data: OpenDataSettings },
  options: {
    readonly splits?: readonly string[];
    readonly labels?: readonly string[] | undefined;
    readonly classes?: ModelClasses | undefined;
    readonly labelsRequired?: boolean;
    readonly heldOutShare?: number | null;
  } = {},
): Promise<Dataset> {
  const dataset = await openDataset(files, {
    task,
    data: data.path,
    textColumn: data.textColumn ?? undefined,
    pairColumn: data.pairColumn ?? undefined,
    labelColumn: data.labelColumn ?? undefined,
    sourceColumn: data.sourceColumn ?? undefined,
    targetColumn: data.targetColumn ?? undefined,
    limitTrain: data.limitTrain ?? undefined,
    limitEval: data.limitEval ?? undefined,
    labels: data.labels ?? undefined,
    ...options,
  });
  if (metric === null) return dataset;
  const judged = judgedBy(dataset.task, metric);
  if (judged === null) throw noSuchMetric(dataset.task, metric);
  return { ...dataset, task: judged };
}

function noSuchMetric(task: Task, metric: string): ConfigError {
  const of = task.labels.length === 0 ? task.name : `${task.name} with ${task.labels.length} classes`;
  const expected = `a metric of ${of}: ${choosableMetrics(task).join(", ")}`;
  return new ConfigError([{ path: "--metric", expected, got: JSON.stringify(metric) }]);
}

/** A data set of another call on a run, its task judged as the run was where it is the run's task. */
export function judgedAsRun(dataset: Dataset, settings: Pick<Settings, "task" | "metric"> | null): Dataset {
  const { task } = dataset;
  const metric = settings !== null && settings.task === task.name ? (settings.metric ?? null) : null;
  return metric === null ? dataset : { ...dataset, task: judgedBy(task, metric) ?? task };
}

export interface EncodeSplitOptions {
  /** Whether windows that ask a model to write nothing are left out. */
  readonly forTraining?: boolean;
  /** Whether the length is one that the model can read; else it is lowered to what tokenizer and model are made for. */
  readonly isUsable?: boolean;
}

/** A split as token ids, as its task reads it: windows of questions, texts with targets, or texts with labels. */
export async function encodeSplit(
  split: Split,
  base: BaseModel,
  data: Pick<DataSettings, "maxLength"> & Partial<TextDataSettings>,
  task: Pick<Task, "kind" | "unanswerable"> = { kind: "classification" },
  { forTraining = false, isUsable = false }: EncodeSplitOptions = {},
): Promise<EncodedExamples> {
  return taskRecord(task.kind).encode(split.examples(), base.tokenizer, {
    maxLength: isUsable ? data.maxLength : usableLength(base, data.maxLength),
    maxTargetLength: data.maxTargetLength ?? DEFAULTS["max-target-length"],
    stride: data.docStride ?? DEFAULTS["doc-stride"],
    prefix: data.sourcePrefix ?? "",
    unanswerable: task.unanswerable ?? false,
    writes: base.model.writes,
    forTraining,
  });
}
