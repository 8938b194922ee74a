// The one schema of settings: it checks flags and YAML files alike, key by key.
import * as z from "zod";
import { type ConfigIssue, nearest } from "../errors.ts";
import { isPresetName, nearestPreset, type PresetName } from "./presets.ts";

/** GLUE tasks by their folder's layout, those for one's own files, and two that answer with text. */
export const TASKS = [
  "cola",
  "mnli",
  "mrpc",
  "qnli",
  "qqp",
  "rte",
  "sst2",
  "stsb",
  "wnli",
  "text-classification",
  "text-pair",
  "multi-label",
  "token-classification",
  "squad",
  "seq2seq",
] as const;

export const METHODS = ["lora", "qlora", "adapter", "prompt", "prefix", "head", "full"] as const;

/** How the matrices of a frozen base can be stored. */
export const STORED_FORMATS = ["nf4", "int8", "int4"] as const;

const text = z.string().min(1);
const count = z.int().min(1);
const share = z.number().min(0).max(1);
const rate = z.number().positive();
const list = z.union([z.array(text).min(1), text.transform((words) => words.split(",").map((word) => word.trim()))]);

const SHAPE = {
  model: text,
  adapter: text,
  task: z.enum(TASKS),
  data: text,
  "text-column": text,
  "pair-column": text,
  "label-column": text,
  "source-column": text,
  "target-column": text,
  "source-prefix": z.string(),
  "max-length": z.int().min(4).max(100_000),
  padding: z.enum(["longest", "max"]),
  "limit-train": count,
  "limit-eval": count,
  "max-target-length": z.int().min(2).max(100_000),
  "doc-stride": z.int().min(0),
  "n-best": count,
  "max-answer-length": count,
  "null-threshold": z.number(),
  "sparse-decoding": z.boolean(),
  "num-beams": count,
  "max-new-tokens": count,
  "length-penalty": z.number(),
  temperature: rate,
  "top-k": count,
  "top-p": z.number().gt(0).max(1),
  split: text,
  method: z.enum(METHODS),
  methods: list.pipe(z.array(z.enum(METHODS)).min(1)),
  quantize: z.enum(STORED_FORMATS),
  rank: count,
  alpha: rate,
  dropout: z.number().min(0).lt(1),
  targets: list,
  bias: z.enum(["none", "all", "lora_only"]),
  rslora: z.boolean(),
  "adapter-kind": z.enum(["pfeiffer", "houlsby"]),
  "reduction-factor": z.number().min(1),
  "virtual-tokens": count,
  "prompt-init": z.enum(["random", "text"]),
  "prompt-init-text": z.string().regex(/\S/, "some words"),
  "prefix-projection": z.boolean(),
  "prefix-projection-size": count,
  "density-weight": z.unknown().transform(parseWeight),
  "task-loss-margin": rate,
  "target-density": z.number().gt(0).lt(1),
  reference: text,
  "density-loss": z.enum(["activations", "neurons"]),
  "density-warmup-ratio": share,
  "density-cooldown-ratio": share,
  epsilon: z.unknown().transform(parseEpsilon),
  positions: z.enum(["attended", "all"]),
  ada: z.boolean(),
  "gate-weight": z.number().min(0),
  "gate-rate": rate,
  "keep-neurons": z.number().gt(0).max(1),
  "keep-scope": z.enum(["layer", "global"]),
  "removal-start": share,
  "removal-end": share,
  teacher: text,
  "distillation-weight": share,
  epochs: rate,
  "max-steps": count,
  "batch-size": count,
  accumulate: count,
  "learning-rate": rate,
  schedule: z.enum(["linear", "cosine", "constant"]),
  "warmup-ratio": share,
  "weight-decay": z.number().min(0),
  "bias-rate": rate,
  "max-grad-norm": rate,
  "eval-steps": count,
  "save-steps": count,
  patience: count,
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1),
  seeds: z.preprocess(integersOf, z.array(z.int().min(0)).min(1)),
  output: text,
  resume: z.boolean(),
  backend: z.enum(["cpu", "webgpu", "cuda"]),
  threads: count,
  recompute: z.boolean(),
  staged: z.boolean(),
  "mask-safe": z.boolean(),
  preset: z.unknown().transform(parsePreset),
} as const;

/** A setting's name: the flag without `--`, and the key of a YAML file. */
export type SettingsKey = keyof typeof SHAPE;

/** Checked values by key; what is absent was not given. */
export type SettingsInput = { readonly [K in SettingsKey]?: z.output<(typeof SHAPE)[K]> };

/** Every settings key, in the schema's order. */
export const SETTINGS_KEYS = Object.keys(SHAPE) as readonly SettingsKey[];

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
    if (!isKey(key)) {
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

function isKey(key: string): key is SettingsKey {
  return Object.hasOwn(SHAPE, key);
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

/** A value as a reader wrote it. */
function show(value: unknown): string {
  return value === undefined || value === "" ? "nothing" : JSON.stringify(value);
}

/** A number ≥ 0, or `"auto"`. */
function parseWeight(value: unknown, context: z.RefinementCtx): number | "auto" {
  if (value === "auto" || (typeof value === "number" && value >= 0 && Number.isFinite(value))) return value;
  context.addIssue({ code: "custom", message: "a number ≥ 0, or auto", input: value });
  return z.NEVER;
}

/** `paper`, or a row of it. */
function parsePreset(value: unknown, context: z.RefinementCtx): PresetName {
  if (isPresetName(value)) return value;
  const near = typeof value === "string" ? nearestPreset(value) : undefined;
  const message = "paper, or a row of the paper (deft init --list)";
  context.addIssue({ code: "custom", message, input: value, params: { didYouMean: near } });
  return z.NEVER;
}

/** `1e-3`, `"1e-2:1e-4"` (annealed from, to) or `{ from, to }`. */
function parseEpsilon(value: unknown, context: z.RefinementCtx): { from: number; to: number } {
  const parts =
    typeof value === "number"
      ? [value, value]
      : typeof value === "string"
        ? value.split(":").map((part) => (part.trim() === "" ? Number.NaN : Number(part)))
        : isRange(value)
          ? [value.from, value.to]
          : [];
  const [from, to = from] = parts;
  if (parts.length <= 2 && from !== undefined && to !== undefined && from > 0 && to > 0 && Number.isFinite(from + to)) {
    return { from, to };
  }
  context.addIssue({ code: "custom", message: "a number > 0, or FROM:TO to anneal it", input: value });
  return z.NEVER;
}

function isRange(value: unknown): value is { from: number; to: number } {
  const range = value as { from?: unknown; to?: unknown } | null;
  return typeof range === "object" && typeof range?.from === "number" && typeof range.to === "number";
}

// words that are no numbers stay words, so that the schema can name them
function integersOf(value: unknown): unknown {
  if (typeof value === "number") return [value];
  if (typeof value !== "string") return value;
  return value.split(",").map((word) => (word.trim() === "" || Number.isNaN(Number(word)) ? word : Number(word)));
}
