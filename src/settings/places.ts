// From settings by key to their places in a run's record, and back: the table says what stands where.
import type { Settings } from "./record.ts";
import { SETTINGS, SETTINGS_KEYS, type Setting, type SettingsInput, type SettingsKey } from "./table/index.ts";

type Part = Record<string, unknown>;

/** Every value at its place, as nested parts; null where there is none. */
export function placed(values: SettingsInput): Part {
  const whole: Part = {};
  for (const key of SETTINGS_KEYS) {
    const { at }: Setting = SETTINGS[key];
    if (at !== undefined) put(whole, at, values[key] ?? null);
  }
  return whole;
}

function put(whole: Part, at: string, value: unknown): void {
  const names = at.split(".");
  const last = names.pop()!;
  const part = names.reduce<Part>((of, name) => (of[name] ??= {}) as Part, whole);
  part[last] = value;
}

/** What stands at a setting's place; undefined where a part on the way is absent or null, or the setting has no place. */
export function valueAt(settings: object, key: SettingsKey): unknown {
  const { at }: Setting = SETTINGS[key];
  if (at === undefined) return undefined;
  return at.split(".").reduce<unknown>((part, name) => (part as Part | null | undefined)?.[name], settings);
}

/**
 * The settings at these places alone, as they stand; a part that is null stays null, and what is absent stays absent.
 * Settings that were added after runs were written without them are left out at their default.
 */
export function settingsAt(settings: Settings, keys: readonly SettingsKey[]): Part {
  const whole: Part = {};
  for (const key of keys) {
    const { at, isLater, default: usual = null, older = usual }: Setting = SETTINGS[key];
    if (at === undefined) continue;
    const names = at.split(".");
    let [from, to]: [Part, Part] = [settings as unknown as Part, whole];
    for (const [depth, name] of names.entries()) {
      const value = from[name];
      const isLeaf = depth === names.length - 1;
      const isLeftOut =
        isLeaf && isLater === true && (value === undefined || isSame(value, usual) || isSame(value, older));
      if (value === undefined || isLeftOut) break;
      if (isLeaf || value === null) {
        to[name] = value;
        break;
      }
      to = (to[name] ??= {}) as Part;
      from = value as Part;
    }
  }
  return whole;
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** A record of an older version with what it lacks: the defaults of settings that were added since. */
export function completed(settings: Settings): Settings {
  const { data, gates } = settings;
  const whole = { ...settings, data: { ...data }, gates: gates && { ...gates } } as unknown as Part;
  for (const key of SETTINGS_KEYS) {
    const { at, isLater, default: usual = null, older = usual }: Setting = SETTINGS[key];
    if (isLater !== true || at === undefined || valueAt(whole, key) !== undefined) continue;
    // nothing is lacking in a part that was not asked for
    if (at.includes(".") && !whole[at.slice(0, at.indexOf("."))]) continue;
    put(whole, at, older);
  }
  return whole as unknown as Settings;
}
