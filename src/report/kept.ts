// Which evaluation a run's parameters come from, to mark it in curves and tables.

import type { RunRecord } from "../runs/index.ts";
import type { Evaluation } from "../tasks/index.ts";
import type { EvalEvent, TrainEvent } from "../train/index.ts";

/**
 * The evaluation that a run kept: the one that became its result, whatever rule chose it; of a run that has not ended the best so
 * far. Null where there was none.
 */
export function keptEvaluation({ result }: Pick<RunRecord, "result">, events: readonly TrainEvent[]): EvalEvent | null {
  const evaluations = events.filter((event) => event.type === "eval");
  const kept = result === null ? undefined : evaluations.findLast((event) => factsOf(event) === factsOf(result));
  return kept ?? evaluations.findLast((event) => event.best) ?? null;
}

/** A run's result; of one that has not ended the best evaluation so far, as it would be stored. */
export function shownEvaluation(
  { result, settings }: Pick<RunRecord, "result" | "settings">,
  events: readonly TrainEvent[],
): Evaluation | null {
  if (result !== null) return result;
  const kept = keptEvaluation({ result }, events);
  if (kept === null) return null;
  const { split, examples, loss, metrics, density, durationMs } = kept;
  const timing = { examplesPerSecond: (examples / durationMs) * 1000, totalMs: durationMs };
  return { task: settings.task, split, examples, loss, metrics, density, timing };
}

/** Numbers as JSON holds them: one of the two may have been read back. */
const factsOf = ({ loss, metrics, density }: Pick<Evaluation, "loss" | "metrics" | "density">) =>
  JSON.stringify([loss, metrics, density]);
