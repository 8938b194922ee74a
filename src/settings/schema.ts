// The one check of settings: flags, YAML files and options alike, key by key, by the kinds of the table.
import * as z from "zod";
import { type ConfigIssue, nearest, shownValue } from "../errors.ts";
import { isPresetName, nearestPreset } from "./presets.ts";
import {
  isSettingsKey,
  type Kind,
  SETTINGS,
  SETTINGS_KEYS,
  type SettingsInput,
  type SettingsKey,
} from "./table/index.ts";

const TEXT = z.string().min(1);
const listOf = (words: z.ZodType<string[]>) =>
  z.union([words, TEXT.transform((list) => list.split(",").map((word) => word.trim()))]);
const LIST = listOf(z.array(TEXT).min(1));
const LIST_OR_NONE = listOf(z.array(TEXT));

/** Zod's schema of each setting. */
const SHAPE: Readonly<Record<SettingsKey, z.ZodType>> = Object.fromEntries(
  SETTINGS_KEYS.map((key) => [key, schemaOf(SETTINGS[key].kind)]),
) as Record<SettingsKey, z.ZodType>;

function schemaOf(kind: Kind): z.ZodType {
  switch (kind.type) {
    case "text":
      return kind.mayBeEmpty ? z.string() : z.string().min(1);
    case "number":
      return numberSchema(kind);
    case "boolean":
      return z.boolean();
    case "choice":
      return z.enum([...kind.choices]);
    case "words":
      if (kind.mayBeEmpty) return LIST_OR_NONE;
      return kind.choices === null ? LIST : LIST.pipe(z.array(z.enum([...kind.choices])).min(1));
    case "wholes":
      return z.preprocess(integersOf, z.array(z.int().min(0)).min(1));
    case "preset":
      return z.unknown().transform(parsePreset);
    case "parsed":
      return z.unknown().transform((value, context) => {
        const found = kind.parse(value);
        if (found !== undefined) return found;
        const near = typeof value === "string" ? nearest(value, kind.choices) : undefined;
        context.addIssue({ code: "custom", message: kind.expected, input: value, params: { didYouMean: near } });
        return z.NEVER;
      });
  }
}

function numberSchema({ isWhole, min, above, max, below }: Extract<Kind, { type: "number" }>): z.ZodType {
  let schema: z.ZodNumber = isWhole ? z.int() : z.number();
  if (min !== undefined) schema = schema.min(min);
  if (above !== undefined) schema = schema.gt(above);
  if (max !== undefined) schema = schema.max(max);
  if (below !== undefined) schema = schema.lt(below);
  return schema;
}

/** Checked values with the mistakes that were found. */
export interface Checked {
  readonly values: SettingsInput;
  readonly issues: readonly ConfigIssue[];
  /** Keys that were given, but wrongly. */
  readonly badKeys: ReadonlySet<string>;
}

/** Checks each value on its own; `placeOf` says where a key was written. */
export function checkInput(raw: Readonly<Record<string, unknown>>, placeOf: (key: string) => string): Checked {
  const values: Record<string, unknown> = {};
  const issues: ConfigIssue[] = [];
  const badKeys = new Set<string>();
  for (const [key, value] of Object.entries(raw)) {
    if (value === undefined) continue;
    if (!isSettingsKey(key)) {
      issues.push(unknownKey(key, placeOf(key)));
      continue;
    }
    const result = SHAPE[key].safeParse(value, { reportInput: true });
    if (result.success) values[key] = result.data;
    else {
      badKeys.add(key);
      for (const issue of result.error.issues) issues.push(describe(issue, placeOf(key), value));
    }
  }
  return { values: values as SettingsInput, issues, badKeys };
}

function unknownKey(key: string, path: string): ConfigIssue {
  const near = nearest(key, SETTINGS_KEYS);
  return { path, expected: "a known setting", got: show(key), ...(near === undefined ? {} : { didYouMean: near }) };
}

function describe(issue: z.core.$ZodIssue, path: string, value: unknown): ConfigIssue {
  const got = show(issue.input === undefined ? value : issue.input);
  if (issue.code === "invalid_value") return choiceIssue(issue.values.map(String), path, issue.input);
  if (issue.code === "invalid_type") return { path, expected: TYPE_NAMES[issue.expected] ?? issue.expected, got };
  if (issue.code === "too_small") {
    if (issue.origin === "string" || issue.origin === "array") return { path, expected: "something", got: "nothing" };
    return { path, expected: `a number ${issue.inclusive ? "≥" : ">"} ${issue.minimum}`, got };
  }
  if (issue.code === "too_big")
    return { path, expected: `a number ${issue.inclusive ? "≤" : "<"} ${issue.maximum}`, got };
  if (issue.code === "invalid_union") return { path, expected: "a list, or words joined by commas", got };
  const near: unknown = issue.code === "custom" ? issue.params?.didYouMean : undefined;
  return { path, expected: issue.message, got, ...(typeof near === "string" ? { didYouMean: near } : {}) };
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
};

function choiceIssue(choices: readonly string[], path: string, value: unknown): ConfigIssue {
  const expected = `one of ${choices.join(", ")}`;
  const near = typeof value === "string" ? nearest(value, choices) : undefined;
  return { path, expected, got: show(value), ...(near === undefined ? {} : { didYouMean: near }) };
}

/** A value as a reader wrote it; of a long one its beginning. */
const show = (value: unknown): string => (value === "" ? "nothing" : shownValue(value));

/** `paper`, or a row of it. */
function parsePreset(value: unknown, context: z.RefinementCtx): string {
  if (isPresetName(value)) return value;
  const near = typeof value === "string" ? nearestPreset(value) : undefined;
  const message = "paper, or a row of the paper (deft init --list)";
  context.addIssue({ code: "custom", message, input: value, params: { didYouMean: near } });
  return z.NEVER;
}

// words that are no numbers stay words, so that the schema can name them
function integersOf(value: unknown): unknown {
  if (typeof value === "number") return [value];
  if (typeof value !== "string") return value;
  return value.split(",").map((word) => (word.trim() === "" || Number.isNaN(Number(word)) ? word : Number(word)));
}
