// Settings in words: values and defaults as flags take them, and names and help as the library's options have them.
import { choicesOf } from "./kinds.ts";
import { SETTINGS, type SettingsKey } from "./rows.ts";

/** A setting's value as a flag takes it: `query,value`, `0.01:0.001`, `{"spam":2}`. */
export function settingText(value: unknown): string {
  if (Array.isArray(value))
    return value.some((word) => /[,[]/.test(String(word))) ? JSON.stringify(value) : value.join(",");
  if (typeof value !== "object" || value === null) return String(value);
  if ("from" in value && "to" in value && Object.keys(value).length === 2)
    return value.from === value.to ? String(value.from) : `${String(value.from)}:${String(value.to)}`;
  return JSON.stringify(value);
}

/** The value's name in help: `N`, `X`, `a|b|c`; undefined for switches. */
export function valueName(key: SettingsKey): string | undefined {
  const { kind, value } = SETTINGS[key];
  if (value !== undefined) return value;
  switch (kind.type) {
    case "boolean":
      return undefined;
    case "number":
      return kind.isWhole ? "N" : "X";
    case "choice":
      return kind.choices.join("|");
    case "words":
      return "A,B";
    default:
      return "VALUE";
  }
}

/** The choices that the value's name does not list. */
export function unlistedChoices(key: SettingsKey): readonly string[] {
  const { kind, value } = SETTINGS[key];
  const isListed = kind.type === "choice" && value === undefined;
  return isListed || kind.type === "parsed" ? [] : choicesOf(kind);
}

/** Defaults of single tasks, methods, activations and losses: `squad: 12, seq2seq: 8`; empty where there are none. */
export function otherDefaults(key: SettingsKey): string {
  const { byTask = {}, byMethod = {}, byActivation = {}, byLoss = {} } = SETTINGS[key];
  const all = Object.entries({ ...byTask, ...byMethod, ...byActivation, ...byLoss });
  return all.map(([name, value]) => `${name}: ${settingText(value)}`).join(", ");
}

/** The name that the library knows it by: `batchSize`, `density.warmupRatio`. */
export function optionName(key: SettingsKey): string {
  const { option, at } = SETTINGS[key];
  if (option === "density" && at !== undefined) return `density.${at.slice(at.lastIndexOf(".") + 1)}`;
  return camelCase(key);
}

/** `batch-size` as `batchSize`. */
export function camelCase(key: string): string {
  return key.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A setting's help with the library's names in place of flags. */
export function optionHelp(key: SettingsKey): string {
  return SETTINGS[key].help.replace(/--([a-z][\w-]*)/g, (flag, name: string) =>
    Object.hasOwn(SETTINGS, name) ? `\`${optionName(name as SettingsKey)}\`` : flag,
  );
}
