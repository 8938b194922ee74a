// Where the data of a run or model lie and what their columns are called: flags over what the run was trained with.
import type { DatasetOptions } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import type { TaskName } from "../settings/index.ts";
import type { OpenedTarget } from "./opened-target.ts";
import type { RunOverrides } from "./target.ts";

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
export function targetData(
  { settings }: Pick<OpenedTarget, "settings">,
  overrides: RunOverrides,
  missing: MissingData = {},
): TargetData {
  const task = overrides.task ?? settings?.task;
  const data = overrides.data ?? settings?.data.path;
  if (task === undefined || data === undefined) {
    const expectedTask = missing.task ?? "the task, for a model without a run";
    const expectedData = missing.data ?? "a folder or file";
    throw new ConfigError(
      [
        ...(task === undefined ? [{ path: "--task", expected: expectedTask, got: "nothing" }] : []),
        ...(data === undefined ? [{ path: "--data", expected: expectedData, got: "nothing" }] : []),
      ],
      missing.hint === undefined ? {} : { hint: missing.hint },
    );
  }
  return {
    task,
    data,
    textColumn: overrides["text-column"] ?? settings?.data.textColumn ?? undefined,
    pairColumn: overrides["pair-column"] ?? settings?.data.pairColumn ?? undefined,
    labelColumn: overrides["label-column"] ?? settings?.data.labelColumn ?? undefined,
    labels: overrides.labels,
    sourceColumn: overrides["source-column"] ?? settings?.data.sourceColumn ?? undefined,
    targetColumn: overrides["target-column"] ?? settings?.data.targetColumn ?? undefined,
  };
}
