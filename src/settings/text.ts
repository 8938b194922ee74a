// Settings written back: as keys of a file, and as the command line that gives them.
import { recordOf } from "../peft/index.ts";
import { isUsed } from "./conflicts.ts";
import { valueAt } from "./places.ts";
import type { Settings } from "./record.ts";
import {
  DEFAULTS,
  lossDefaults,
  type MethodName,
  methodDefaults,
  SETTINGS,
  SETTINGS_KEYS,
  type Setting,
  type SettingsInput,
  type SettingsKey,
  settingText,
  taskDefaults,
} from "./table/index.ts";

/** Settings as flags and files spell them, those that mean something; `resolveSettings` gives the same settings back. */
export function settingsInput(settings: Settings): SettingsInput {
  const { method: own, density, gates } = settings;
  const method: MethodName = methodName(settings) === "qlora" ? "qlora" : own.kind;
  const { "mask-safe": _, ...options } = methodInput(own);
  const all: SettingsInput = {
    ...inputAt(settings),
    method,
    ...options,
    "density-weight": density.auto ? "auto" : density.weight,
    ...(gates ? { ada: true } : {}),
  };
  // qlora says it
  const isImplied = (key: SettingsKey) => key === "quantize" && method === "qlora";
  const used = SETTINGS_KEYS.filter(
    (key) => all[key] !== undefined && all[key] !== "" && !isImplied(key) && isUsed(key, all, [method]),
  );
  return Object.fromEntries(used.map((key) => [key, all[key]]));
}

/** What stands at the settings' places; of settings that a record is too old for, their defaults. */
function inputAt(settings: Settings): SettingsInput {
  return Object.fromEntries(
    SETTINGS_KEYS.map((key) => {
      const { isLater, default: usual, older }: Setting = SETTINGS[key];
      const value = valueAt(settings, key) ?? (isLater ? usual : undefined);
      // no flag says what an older version did
      return [key, older !== undefined && value === older ? usual : value];
    }).filter(([, value]) => value !== undefined),
  );
}

/** The method's name as a person gave it: LoRA over NF4 is QLoRA, others on a quantised base bear its format. */
export function methodName({ method, quantize }: Pick<Settings, "method" | "quantize">): string {
  if (quantize === null) return method.kind;
  return method.kind === "lora" && quantize === "nf4" ? "qlora" : `${method.kind}-${quantize}`;
}

/** The settings that say which examples a run was scored on, and how. */
export function scoringInput(settings: Settings): SettingsInput {
  const input = settingsInput(settings);
  const keys = SETTINGS_KEYS.filter((key) => {
    const { affects, commands }: Setting = SETTINGS[key];
    return key === "threads" || (commands.includes("eval") && (affects === "data" || affects === "answers"));
  });
  return Object.fromEntries(keys.flatMap((key) => (input[key] === undefined ? [] : [[key, input[key]]])));
}

/** A method's settings as flags and files spell them; what is null was not given. */
export function methodInput(method: Settings["method"]): SettingsInput {
  const values = Object.entries(recordOf(method).valuesOf(method));
  return Object.fromEntries(values.filter(([, value]) => value !== null && value !== undefined));
}

/**
 * The shortest `deft train` command line that gives these settings.
 *
 * Values that are defaults are left out; `--resume` is not part of how a run is made.
 */
export function trainCommand(settings: Settings): string[] {
  const { method, density, gates, task, activation } = settings;
  const own = { ...methodDefaults(method.kind), ...lossDefaults(density.loss, activation), ...taskDefaults(task) };
  const usual: SettingsInput = { ...DEFAULTS, ...own };
  // their price says that gates are trained
  const isSaid = (key: string) => key === "gate-weight" && gates?.kind === "sigmoid";
  const words = Object.entries(settingsInput({ ...settings, resume: false })).flatMap(([key, value]) => {
    if (!isSaid(key) && JSON.stringify(value) === JSON.stringify(usual[key as SettingsKey])) return [];
    if (typeof value === "boolean") return [value ? `--${key}` : `--no-${key}`];
    return [`--${key}`, settingText(value)];
  });
  return ["deft", "train", ...words];
}
