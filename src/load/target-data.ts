// Where the data of a run or model lie and what their columns are called: flags over what the run was trained with.
import type { DatasetOptions } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import type { TaskName } from "../settings/index.ts";
import type { OpenedTarget } from "./opened-target.ts";

/** A target's task, data and columns, as `openDataset` takes them. */
export type TargetData = { readonly task: TaskName; readonly data: string } & Pick<
  DatasetOptions,
  "textColumn" | "pairColumn" | "labelColumn" | "sourceColumn" | "targetColumn" | "labels"
>;

/** What is missing when task or data are not known. */
export interface MissingData {
  readonly task?: string;
  readonly data?: string;
  readonly hint?: string;
}

/** @throws {ConfigError} when neither the flags nor a run say what the task and its data are. */
export function targetData({ options }: Pick<OpenedTarget, "options">, missing: MissingData = {}): TargetData {
  const { task, data } = options;
  if (task === null || data.path === null) {
    const expectedTask = missing.task ?? "the task, for a model without a run";
    const expectedData = missing.data ?? "a folder or file";
    throw new ConfigError(
      [
        ...(task === null ? [{ path: "--task", expected: expectedTask, got: "nothing" }] : []),
        ...(data.path === null ? [{ path: "--data", expected: expectedData, got: "nothing" }] : []),
      ],
      missing.hint === undefined ? {} : { hint: missing.hint },
    );
  }
  return {
    task,
    data: data.path,
    textColumn: data.textColumn ?? undefined,
    pairColumn: data.pairColumn ?? undefined,
    labelColumn: data.labelColumn ?? undefined,
    labels: options.asked.has("labels") ? (data.labels ?? undefined) : undefined,
    sourceColumn: data.sourceColumn ?? undefined,
    targetColumn: data.targetColumn ?? undefined,
  };
}
