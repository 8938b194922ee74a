// Settings that contradict each other, as the table says it: each names the one to change.
import {
  DEFAULTS,
  type MethodName,
  type Need,
  SETTINGS,
  SETTINGS_KEYS,
  type Setting,
  type SettingsInput,
  type SettingsKey,
  settingText,
} from "./table/index.ts";

/** A given setting that has no place beside another. */
export interface Conflict {
  readonly key: SettingsKey;
  /** The setting that it has no place beside. */
  readonly beside: SettingsKey;
  readonly expected: string;
  readonly got: string;
}

/** Contradictions among the settings that were given; `methods` are those that will run. */
export function conflicts(given: SettingsInput, methods: readonly MethodName[]): Conflict[] {
  return SETTINGS_KEYS.flatMap((key) =>
    given[key] === undefined ? [] : conflictsOf(key, given, methods).map((found) => ({ key, ...found })),
  );
}

/** Whether a setting has a place beside the others. */
export function isUsed(key: SettingsKey, given: SettingsInput, methods: readonly MethodName[]): boolean {
  return conflictsOf(key, given, methods).length === 0;
}

type Found = Omit<Conflict, "key">;

function conflictsOf(key: SettingsKey, given: SettingsInput, methods: readonly MethodName[]): Found[] {
  const row: Setting = SETTINGS[key];
  const unmet = (row.needs ?? []).filter((need) => !isMet(need, key, given, methods));
  return [
    ...methodConflicts(row, methods),
    ...taskConflicts(row, given),
    ...unmet.map(({ key: other, expected, got }) => ({
      beside: other as SettingsKey,
      expected,
      got: got
        .replace("{value}", settingText(given[key]))
        .replace("{other}", other === "method" ? methods.join(",") : settingText(usualOr(given, other))),
    })),
  ];
}

function methodConflicts({ methods: users }: Setting, methods: readonly MethodName[]): Found[] {
  if (users === undefined || methods.some((method) => users.includes(method))) return [];
  // qlora is lora on a base in few bits: whoever reads the message means lora
  const named = users.filter((method) => method !== "qlora" || !users.includes("lora"));
  const uses = named.length === 1 ? "which alone uses it" : "which alone use it";
  const expected = `--method ${named.join(" or ")}, ${uses}`;
  return [{ beside: "method", expected, got: `--method ${methods.join(",")}` }];
}

function taskConflicts({ tasks }: Setting, { task }: SettingsInput): Found[] {
  if (tasks === undefined || task === undefined || tasks.are.includes(task)) return [];
  return [{ beside: "task", expected: `${tasks.said}, which alone uses it`, got: `--task ${task}` }];
}

function isMet(need: Need, key: SettingsKey, given: SettingsInput, methods: readonly MethodName[]): boolean {
  const { when, unless, is, isNot, given: isGiven, isLarger, isSmaller } = need;
  const [value, other] = [usualOr(given, key), given[need.key as SettingsKey]];
  if ((when && !when.includes(value)) || unless?.includes(value)) return true;
  if (need.key === "method" && isNot) return !methods.some((method) => isNot.includes(method));
  const usual = usualOr(given, need.key);
  if (is && !is.includes(usual)) return false;
  if (isNot?.includes(other)) return false;
  if (isGiven !== undefined && isGiven !== (other !== undefined)) return false;
  // where both are given, the later one is told
  if (isLarger && other === undefined && !(Number(usual) > Number(value))) return false;
  return !(isSmaller && !(Number(usual) < Number(value)));
}

/** A setting's value as given, or its default. */
function usualOr(given: SettingsInput, key: string): unknown {
  return given[key as SettingsKey] ?? (DEFAULTS as Readonly<Record<string, unknown>>)[key];
}
