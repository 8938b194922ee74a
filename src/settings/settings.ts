// Settings resolved: flags over a YAML file over a preset over the defaults, checked and complete.

import { ConfigError, type ConfigIssue } from "../errors.ts";
import { type MethodSettings, recordNamed } from "../peft/index.ts";
import { FIRST_WEIGHT } from "../train/index.ts";
import { conflicts } from "./conflicts.ts";
import { METHOD_PRESETS, PRESETS, TASK_PRESETS } from "./defaults.ts";
import { metricIssue } from "./metrics.ts";
import { placed } from "./places.ts";
import { rowPreset } from "./presets.ts";
import type { DensitySettings, Settings } from "./record.ts";
import { checkInput } from "./schema.ts";
import {
  DEFAULTS,
  lossDefaults,
  type MethodName,
  methodDefaults,
  type SettingsInput,
  type SettingsKey,
  TASK_FACTS,
  TASKS,
  type TaskName,
  taskDefaults,
} from "./table/index.ts";
import { checkYaml } from "./yaml.ts";

/** Where settings come from: values by key as flags gave them, and a file's name and text. */
export interface SettingsSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly file?: { readonly name: string; readonly text: string };
}

/** One cell of a comparison: the same run without and with the density loss. */
export interface ComparisonCell {
  readonly method: MethodName;
  readonly seed: number;
  readonly peft: Settings;
  readonly deft: Settings;
}

const TRAIN_NEEDS = ["model", "task", "data"] as const;
type NeededKey = (typeof TRAIN_NEEDS)[number];

/**
 * Flags over the file over the preset over the defaults, checked and complete.
 *
 * @throws {ConfigError} with every mistake of both sources, each with its place.
 */
export function resolveSettings(sources: SettingsSources): Settings {
  const given = collect(sources, TRAIN_NEEDS, (values) => [values.method ?? DEFAULTS.method]);
  if (given["density-weight"] === "auto" && given.reference === undefined) {
    throw new ConfigError(
      [{ path: "--reference", expected: "a run of plain PEFT to measure against", got: "nothing" }],
      {
        hint: "Make one by the same command with --density-weight 0 and its own --output; deft compare makes it by itself.",
      },
    );
  }
  return assemble(given, given.method ?? DEFAULTS.method);
}

/**
 * The cells of a comparison, methods outermost; PEFT runs are the DEFT runs with density weight 0 and without gates.
 *
 * @throws {ConfigError} with every mistake, also a density weight of 0, which leaves nothing to compare.
 */
export function resolveComparison(sources: SettingsSources): ComparisonCell[] {
  const methodsOf = (values: SettingsInput) => values.methods ?? [values.method ?? DEFAULTS.method];
  const given = collect(sources, TRAIN_NEEDS, methodsOf);
  if (given["density-weight"] === 0) {
    throw new ConfigError([{ path: "--density-weight", expected: "a weight above 0 to compare with 0", got: "0" }]);
  }
  if (given.reference !== undefined) {
    const expected = "nothing: deft compare runs plain PEFT itself";
    throw new ConfigError([{ path: "--reference", expected, got: JSON.stringify(given.reference) }]);
  }
  const seeds = given.seeds ?? [given.seed ?? DEFAULTS.seed];
  return methodsOf(given).flatMap((method) =>
    seeds.map((seed) => {
      const output = (variant: string) =>
        given.output === undefined ? {} : { output: `${given.output}/${method}-seed${seed}-${variant}` };
      const peft = assemble({ ...given, seed, ...output("peft"), "density-weight": 0, ada: false }, method);
      const reference = peft.output === null ? {} : { reference: peft.output };
      const deft = assemble({ ...given, seed, ...output("deft"), ...reference }, method);
      return { method, seed, peft, deft };
    }),
  );
}

/**
 * The checked values alone, for commands that take a RUN and only a few settings.
 *
 * @throws {ConfigError} with every mistake.
 */
export function resolvePartial(sources: SettingsSources): SettingsInput {
  return collect(sources, [], () => []);
}

function collect(
  { flags, file }: SettingsSources,
  needs: readonly NeededKey[],
  methodsOf: (values: SettingsInput) => readonly MethodName[],
): SettingsInput {
  const written = file === undefined ? undefined : checkYaml(file.name, file.text);
  const flagged = checkInput(flags, (key) => `--${key}`);
  const asked = rowExpanded({ ...yielding(written?.values ?? {}, flagged.values, methodsOf), ...flagged.values });
  const bad = new Set([...(written?.badKeys ?? []), ...flagged.badKeys]);
  const placeOf = (key: SettingsKey) => (key in flagged.values ? `--${key}` : (written?.places.get(key) ?? `--${key}`));
  const issues: ConfigIssue[] = [...(written?.issues ?? []), ...flagged.issues];
  // a preset that was not understood may have been to give them
  for (const key of bad.has("preset") ? [] : needs) {
    if (asked[key] === undefined && !bad.has(key))
      issues.push({ path: `--${key}`, expected: NEEDED[key], got: "nothing" });
  }
  const methods = methodsOf(asked);
  if (methods.length > 0 && !bad.has("method") && !bad.has("methods")) {
    for (const { key, expected, got } of conflicts(asked, methods)) issues.push({ path: placeOf(key), expected, got });
  }
  issues.push(...metricIssue(asked, placeOf("metric")));
  if (issues.length > 0) throw new ConfigError(issues, { hint: "`deft train --help` lists every setting." });
  return asked;
}

/** What flags turn off or change for a comparison or a plain baseline; what a file says for it then gives way. */
const YIELDED_TO: ReadonlySet<SettingsKey> = new Set(["method", "density-weight"]);

/**
 * A file's values without those that flags leave no place for: `deft compare deft.yaml --methods adapter` where the file is of LoRA,
 * `deft train deft.yaml --density-weight 0` where it has an ε.
 */
function yielding(
  file: SettingsInput,
  flags: SettingsInput,
  methodsOf: (values: SettingsInput) => readonly MethodName[],
): SettingsInput {
  const replaced = new Set<SettingsKey>([
    ...(flags.methods === undefined ? [] : (["method"] as const)),
    ...(flags.method === undefined ? [] : (["methods"] as const)),
    ...(flags.seeds === undefined ? [] : (["seed"] as const)),
    ...(flags.seed === undefined ? [] : (["seeds"] as const)),
  ]);
  const kept = withoutKeys(file, replaced);
  const both = { ...kept, ...flags };
  const isAsked = (key: SettingsKey) => flags[key] !== undefined || (key === "method" && flags.methods !== undefined);
  const unused = conflicts(both, methodsOf(both)).filter(
    ({ key, beside }) => !isAsked(key) && isAsked(beside) && YIELDED_TO.has(beside),
  );
  return withoutKeys(kept, new Set(unused.map(({ key }) => key)));
}

function withoutKeys(values: SettingsInput, keys: ReadonlySet<SettingsKey>): SettingsInput {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !keys.has(key as SettingsKey)));
}

/** A row of the paper under what was given: what is left of it is `preset: paper`, whose values yield to everything. */
function rowExpanded(given: SettingsInput): SettingsInput {
  const row = given.preset === undefined ? null : rowPreset(given.preset);
  if (row === null) return given;
  const { method, ...settings } = row.settings;
  return { ...settings, ...(given.methods === undefined ? { method } : {}), ...given, preset: "paper" };
}

const OWN_TASKS = TASKS.filter((name) => !("isGlue" in TASK_FACTS[name]));

const NEEDED: Readonly<Record<NeededKey, string>> = {
  model: "a Hugging Face id or a model's folder",
  task: `a GLUE task, ${OWN_TASKS.slice(0, -1).join(", ")} or ${OWN_TASKS.at(-1)}`,
  data: "a GLUE folder, SQuAD JSON, or a CSV, TSV, JSONL or Parquet file",
};

function assemble(given: SettingsInput, method: MethodName): Settings {
  const loss = given["density-loss"] ?? DEFAULTS["density-loss"];
  const preset = given.preset === undefined ? {} : paperPreset(method, given.task);
  const trainsGates = given["gate-weight"] !== undefined || given["gate-rate"] !== undefined;
  const implied = {
    ...(given["prompt-init-text"] === undefined ? {} : { "prompt-init": "text" as const }),
    gates: trainsGates ? ("sigmoid" as const) : ("importance" as const),
  };
  const usual = {
    ...methodDefaults(method),
    ...lossDefaults(loss, given.activation ?? null),
    ...taskDefaults(given.task),
  };
  const v: CompleteInput = { ...DEFAULTS, ...usual, ...preset, ...implied, ...given };
  // the table says what stands where, and its types are written from the same rows
  const { data, density, gates, removal, distillation, optim, answers, ...rest } = placed(v) as unknown as Settings;
  return {
    ...rest,
    quantize: storedFormat(v.quantize),
    data,
    method: assembleMethod({ ...preset, ...implied, ...given }, method),
    density: { ...density, ...weightOf(v, density) },
    gates: v.ada ? gates : null,
    removal: v["keep-neurons"] === undefined ? null : removal,
    distillation: v.teacher === undefined ? null : distillation!,
    optim,
    answers,
  };
}

/** How a base is stored; null: as its folder has it. */
export function storedFormat(form: SettingsInput["quantize"]): Settings["quantize"] {
  return form === undefined || form === "none" ? null : form;
}

type CompleteInput = SettingsInput & { readonly [K in keyof typeof DEFAULTS]: NonNullable<SettingsInput[K]> };

/** `collect` has made a row into the paper's values and its own. */
function paperPreset(method: MethodName, task: TaskName | undefined): SettingsInput {
  return { ...PRESETS.paper, ...METHOD_PRESETS.paper[method], ...(task && TASK_PRESETS.paper[task]) };
}

function weightOf(v: CompleteInput, { auto }: DensitySettings): Pick<DensitySettings, "weight" | "auto"> {
  const weight = v["density-weight"];
  return weight === "auto" ? { weight: FIRST_WEIGHT, auto } : { weight, auto: null };
}

/** The method's settings from the options that were given, with its own defaults for the others. */
function assembleMethod(given: SettingsInput, method: MethodName): MethodSettings {
  const { record } = recordNamed(method);
  const values = Object.entries({ ...methodDefaults(method), ...given }).filter(
    ([key, value]) => key in record.options && value !== undefined,
  );
  return record.settingsFrom(Object.fromEntries(values) as Parameters<typeof record.settingsFrom>[0]);
}
