// The table of settings whole, and what follows from its rows: names, types, defaults.
import { recordNamed } from "../../peft/index.ts";
import { ANSWER_SETTINGS } from "./answers.ts";
import { DATA_SETTINGS } from "./data.ts";
import { DENSITY_SETTINGS } from "./density.ts";
import type { ValueOf } from "./kinds.ts";
import { METHOD_SETTINGS } from "./method.ts";
import type { MethodName, TaskName } from "./names.ts";
import { RUN_SETTINGS } from "./run.ts";
import type { Affects, Setting } from "./setting.ts";
import { TRAINING_SETTINGS } from "./training.ts";

const ROWS = {
  ...DATA_SETTINGS,
  ...ANSWER_SETTINGS,
  ...METHOD_SETTINGS,
  ...DENSITY_SETTINGS,
  ...TRAINING_SETTINGS,
  ...RUN_SETTINGS,
} as const;

type Rows = typeof ROWS;

/** A setting's name: the flag without `--`, and the key of a YAML file. */
export type SettingsKey = keyof Rows;

/** Checked values by key; what is absent was not given. */
export type SettingsInput = { readonly [K in SettingsKey]?: ValueOf<Rows[K]["kind"]> };

/** Every setting by name, in the order of help; a default is of its setting's type. */
export const SETTINGS: { readonly [K in SettingsKey]: Setting<ValueOf<Rows[K]["kind"]>> } = ROWS;

/** Every setting's name, in the order of help. */
export const SETTINGS_KEYS = Object.keys(ROWS) as readonly SettingsKey[];

type DefaultedKey = { [K in SettingsKey]: Rows[K] extends { readonly default: unknown } ? K : never }[SettingsKey];

/** What a run is made from where nobody says otherwise, by key. */
export const DEFAULTS = Object.fromEntries(
  SETTINGS_KEYS.flatMap((key) => (SETTINGS[key].default === undefined ? [] : [[key, SETTINGS[key].default]])),
) as { readonly [K in DefaultedKey]: NonNullable<SettingsInput[K]> };

/** What a task changes in the defaults: SQuAD's lengths are those of transformers' run_qa.py and of the paper. */
export function taskDefaults(task: TaskName | undefined): SettingsInput {
  return task === undefined ? {} : changedDefaults(({ byTask }) => byTask?.[task]);
}

/** What a method changes in the defaults; options that it reads and has no default for are undefined. */
export function methodDefaults(method: MethodName): SettingsInput {
  const { options } = recordNamed(method).record;
  const own = Object.entries(options).map(([key, row]) => [key, row.default]);
  return { ...(Object.fromEntries(own) as SettingsInput), ...changedDefaults(({ byMethod }) => byMethod?.[method]) };
}

/**
 * What the kind of density loss and the activation that is put in change. ε of neurons is compared with a mean a², between 0.01 and 0.2 in most BERTs;
 * that of ReLU with the a² of activations that are not zero, 0.3 on average in MiniLM.
 */
export function lossDefaults(loss: "activations" | "neurons", activation: "relu" | null): SettingsInput {
  return changedDefaults(({ byLoss, byActivation }) => {
    const ofLoss = loss === "neurons" ? byLoss?.neurons : undefined;
    return ofLoss ?? (activation === null ? undefined : byActivation?.[activation]);
  });
}

function changedDefaults(of: (row: Setting) => unknown): SettingsInput {
  const found = SETTINGS_KEYS.map((key) => [key, of(SETTINGS[key])] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Names of the settings that affect one of these. */
export function settingsThatAffect(...kinds: readonly Affects[]): readonly SettingsKey[] {
  return SETTINGS_KEYS.filter((key) => kinds.includes(SETTINGS[key].affects));
}

/** Whether a word is a setting's name. */
export function isSettingsKey(key: string): key is SettingsKey {
  return Object.hasOwn(ROWS, key);
}
