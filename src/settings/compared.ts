// Which settings are compared: when a run is resumed, when it is measured against a run of plain fine-tuning, and in its key.
import { settingsAt, valueAt } from "./places.ts";
import type { Settings } from "./record.ts";
import { SETTINGS, type SettingsKey, settingsThatAffect } from "./table/index.ts";

/** Settings that may differ when a run goes on: none changes what a step computes but for rounding. */
export const FREE_ON_RESUME: ReadonlySet<SettingsKey> = new Set(settingsThatAffect("free", "others"));

/** Settings in which a run may differ from its reference: they change neither batches nor what plain fine-tuning does with them. */
export const FREE_OF_REFERENCE: ReadonlySet<SettingsKey> = new Set(settingsThatAffect("density", "evaluation", "free"));

const IN_KEY = settingsThatAffect("data", "density", "step", "evaluation");

/**
 * The part of a run's key that its settings give: what decides its steps, evaluations and batches, besides model, method and teacher,
 * which are known by what was opened.
 */
export function keySettings(settings: Settings): Record<string, unknown> {
  return settingsAt(settings, IN_KEY);
}

/** `stored` with what may differ when it goes on taken from `asked`. */
export function resumedSettings(stored: Settings, asked: Settings): Settings {
  const free = settingsThatAffect("free").flatMap((key) => {
    const { at } = SETTINGS[key];
    return at === undefined ? [] : [[at, valueAt(asked, key)] as const];
  });
  return { ...stored, ...Object.fromEntries(free) };
}
