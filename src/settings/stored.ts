// Settings as a file on disk has them: looked at before anything takes them for what they should be.
import { type ConfigIssue, InternalError, shownValue } from "../errors.ts";
import { recordOf } from "../peft/index.ts";
import { valueAt } from "./places.ts";
import { checkInput } from "./schema.ts";
import { SETTINGS, SETTINGS_KEYS, type Setting, type SettingsKey } from "./table/index.ts";

/**
 * What is wrong with settings that were read back, by place (`settings.optim.batchSize`); empty where nothing is. What is absent or null is
 * nothing that was given, where nothing may be given.
 * @throws {UnsupportedError} where their method is none of this version's.
 */
export function storedIssues(settings: object): ConfigIssue[] {
  const places = SETTINGS_KEYS.flatMap((key) => {
    const { at }: Setting = SETTINGS[key];
    return at === undefined ? [] : [[key, at] as const];
  });
  const parts = new Set(places.flatMap(([, at]) => partsOf(at)));
  const broken = [...parts].flatMap((part) => partIssues(settings, part));
  if (broken.length > 0) return broken;
  const values = places.map(([key, at]) => [key, valueAt(settings, key), `settings.${at}`] as const);
  return [...values, ...methodValues(settings)].flatMap(([key, value, path]) => {
    const isUnsaid = value === undefined || value === null || value === "";
    const lacks = value === "" ? REQUIRED.has(key) : isUnsaid && alwaysHasValue(settings, key);
    if (lacks) return [{ path, expected: "a value", got: shownValue(value) }];
    // what no person says: how an earlier version did it
    return isUnsaid || value === olderOf(key) ? [] : checkInput({ [key]: value }, () => path).issues;
  });
}

/** Without these there was no run: an empty text is none either. */
const REQUIRED: ReadonlySet<string> = new Set(["model", "task", "data"]);

/** Parts that every record has; others are null where nothing of them was asked for. */
const PARTS: ReadonlySet<string> = new Set(["method", "data", "density", "optim", "answers"]);

/** Whether every record has a value of a setting, in a part that is there. */
function alwaysHasValue(settings: object, key: string): boolean {
  const setting = SETTINGS[key as SettingsKey] as Setting | undefined;
  if (setting?.at === undefined || setting.isLater === true) return false;
  if (setting.isNeeded !== true && setting.default === undefined) return false;
  const part = setting.at.split(".").slice(0, -1);
  return isRecord(
    part.reduce<unknown>((of, name) => (of as Record<string, unknown> | null | undefined)?.[name], settings),
  );
}

const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

const olderOf = (key: string): unknown => (SETTINGS[key as SettingsKey] as Setting | undefined)?.older;

/** The parts on the way to a place: `density` and `density.auto` of `density.auto.reference`. */
function partsOf(at: string): string[] {
  const names = at.split(".").slice(0, -1);
  return ["method", ...names.map((_, i) => names.slice(0, i + 1).join("."))];
}

function partIssues(settings: object, part: string): ConfigIssue[] {
  const value = part
    .split(".")
    .reduce<unknown>((of, name) => (of as Record<string, unknown> | null | undefined)?.[name], settings);
  const kind = part === "method" ? (value as { kind?: unknown } | null | undefined)?.kind : "known";
  const isPart = isRecord(value) && typeof kind === "string";
  if (isPart || (!PARTS.has(part) && (value === undefined || value === null))) return [];
  return [{ path: `settings.${part}`, expected: "an object", got: shownValue(value) }];
}

/** A method's options by key; a method that lacks what its kind has stands for itself, and is none. */
function valuesOf(method: { readonly kind: string }): Readonly<Record<string, unknown>> {
  const record = recordOf(method);
  try {
    return record.valuesOf(method as never);
  } catch (error) {
    if (error instanceof InternalError) throw error;
    return { method };
  }
}

/** The method's options by key. */
function methodValues(settings: object): (readonly [string, unknown, string])[] {
  const { method } = settings as { readonly method: { readonly kind: string } };
  return Object.entries(valuesOf(method)).map(([key, value]) => [key, value, `settings.method, ${key}`] as const);
}
