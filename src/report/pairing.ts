// Finds PEFT and DEFT among finished runs: equal in everything but the density loss.

import { type JsonObject, jsonText } from "../hub/index.ts";
import { type Comparison, type ComparisonRow, comparisonRow } from "../jobs/index.ts";
import type { RunRecord } from "../runs/index.ts";
import { methodName } from "../settings/index.ts";

/** The comparison that a set of runs holds; null when no two of them are a pair. */
export function pairRuns(records: readonly RunRecord[]): Comparison | null {
  const rows: ComparisonRow[] = [];
  const ended = records.filter((record) => record.result !== null);
  for (const deft of ended) {
    if (deft.settings.density.weight === 0) continue;
    const peft = ended.find((other) => other.settings.density.weight === 0 && rest(other) === rest(deft));
    if (peft?.result == null || deft.result === null) continue;
    const { seed } = deft.settings;
    rows.push(
      comparisonRow({ method: methodName(deft.settings), seed, peft: peft.result, deft: deft.result }, deft.metricName),
    );
  }
  const [first] = records;
  return rows.length === 0 || first === undefined
    ? null
    : { task: first.settings.task, metricName: first.metricName, rows };
}

function rest({ settings, fingerprints }: RunRecord): string {
  const {
    density: _density,
    output: _output,
    resume: _resume,
    threads: _threads,
    distillation = null,
    ...others
  } = settings;
  // keys sorted: a record of an older version has another order
  return jsonText({ settings: { ...others, distillation }, fingerprints } as unknown as JsonObject);
}
