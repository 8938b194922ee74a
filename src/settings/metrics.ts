// The metrics by which the best evaluation of a task can be told.
import {
  choosableMetrics,
  glueTask,
  isGlueTask,
  seq2seqTask,
  squadTask,
  TABLE_TASKS,
  tableTask,
} from "../data/index.ts";
import { type ConfigIssue, nearest } from "../errors.ts";
import type { SettingsInput, TaskName } from "./table/index.ts";

/** What a task's best evaluation can be told by, whatever its classes turn out to be. */
export function metricsOf(task: TaskName): readonly string[] {
  if (isGlueTask(task)) return choosableMetrics(glueTask(task));
  if (task === "squad") return squadTask(false).metrics;
  if (task === "seq2seq") return seq2seqTask().metrics;
  // two classes have every metric that more have
  return choosableMetrics(tableTask(task, { kind: TABLE_TASKS[task].kind, labels: ["no", "yes"], isPair: false }));
}

/** The mistake of a metric that the task does not have; none where either was not given. */
export function metricIssue({ task, metric }: SettingsInput, path: string): ConfigIssue[] {
  if (task === undefined || metric === undefined) return [];
  const known = metricsOf(task);
  if (known.includes(metric)) return [];
  const near = nearest(metric, known) ?? known.find((name) => name.startsWith(metric));
  const expected = `a metric of ${task}: ${known.join(", ")}`;
  return [{ path, expected, got: JSON.stringify(metric), ...(near === undefined ? {} : { didYouMean: near }) }];
}
