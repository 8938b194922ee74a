// Finds PEFT and DEFT among finished runs: equal in everything but the density loss.
import { type JsonObject, jsonText } from "../hub/index.ts";
import { type Comparison, comparisonRow } from "../jobs/index.ts";
import type { RunRecord } from "../runs/index.ts";
import { methodName, settingsInput, settingText } from "../settings/index.ts";
import { groupsOf } from "./groups.ts";

/** A run with the density loss and its equal without. */
interface Pair {
  readonly deft: RunRecord;
  readonly peft: RunRecord;
}

/**
 * The comparisons that a set of runs holds, one a model, task and data: numbers of different ones have no mean. Rows of one method
 * differ in the seed alone; where other settings differ too, the method's name says which.
 */
export function pairedComparisons(records: readonly RunRecord[]): Comparison[] {
  const ended = records.filter((record) => record.result !== null);
  const pairs = ended.flatMap((deft): Pair[] => {
    if (deft.settings.density.weight === 0) return [];
    const peft = ended.find((other) => other.settings.density.weight === 0 && rest(other) === rest(deft));
    return peft === undefined ? [] : [{ deft, peft }];
  });
  return groupsOf(pairs, ({ deft }) => subjectOf(deft)).map(comparisonOf);
}

function comparisonOf(pairs: readonly Pair[]): Comparison {
  const { settings, metricName } = pairs[0]!.deft;
  const nameOf = methodNames(pairs.map(({ deft }) => deft));
  const rows = pairs.map(({ deft, peft }) =>
    comparisonRow(
      { method: nameOf(deft), seed: deft.settings.seed, peft: peft.result!, deft: deft.result! },
      metricName,
    ),
  );
  return { task: settings.task, model: settings.model, metricName, rows };
}

/** Settings that tell no two methods apart. */
const INCIDENTAL = new Set(["output", "resume", "threads", "seed"]);

/** Names of methods: where runs of one method differ in more than the seed, with the settings that differ. */
function methodNames(records: readonly RunRecord[]): (record: RunRecord) => string {
  const inputOf = ({ settings }: RunRecord) => settingsInput(settings) as Readonly<Record<string, unknown>>;
  const textOf = (record: RunRecord, key: string) => settingText(inputOf(record)[key]);
  return (record) => {
    const name = methodName(record.settings);
    const alike = records.filter(({ settings }) => methodName(settings) === name);
    const keys = [...new Set(alike.flatMap((of) => Object.keys(inputOf(of))))].filter((key) => !INCIDENTAL.has(key));
    const differing = keys.filter((key) => new Set(alike.map((of) => textOf(of, key))).size > 1);
    return [name, ...differing.map((key) => `${key} ${textOf(record, key)}`)].join(", ");
  };
}

const subjectOf = ({ settings, fingerprints, metricName }: RunRecord): string =>
  JSON.stringify([settings.task, settings.model, fingerprints, metricName]);

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
