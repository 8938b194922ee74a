// Which layers a peft configuration means: suffixes, a regular expression, exclusions, layers by number; patterns of ranks and alphas.
import type { ConfigIssue } from "../errors.ts";
import type { JsonObject } from "./json-file.ts";

/** Heads that peft trains and stores whole for a task, also where `modules_to_save` does not name them: before peft 0.11 it is null. */
const TASK_HEADS: Readonly<Record<string, readonly string[]>> = {
  SEQ_CLS: ["classifier", "score"],
  TOKEN_CLS: ["classifier", "score"],
  QUESTION_ANS: ["qa_outputs"],
};

/** The modules that a configuration's task stores whole. @see peft 0.21.2 `PeftModelForSequenceClassification` and its kin. */
export function taskHeads(taskType: unknown): readonly string[] {
  return typeof taskType === "string" ? (TASK_HEADS[taskType] ?? []) : [];
}

/** Whether a layer belongs to a head that peft trains for some task. */
export function isTaskHead(site: string): boolean {
  return /^(classifier|score|qa_outputs)(\.|$)/.test(site);
}

/** The fields of `adapter_config.json` that select layers, as they stand there; `modulesToSave` with the heads of its task. */
export interface PeftSelection {
  /** Suffixes; or one regular expression for the whole name, or `all-linear`. */
  readonly targetModules: string | readonly string[];
  readonly excludeModules: string | readonly string[] | null;
  readonly layersToTransform: readonly number[] | null;
  readonly layersPattern: readonly string[] | null;
  readonly modulesToSave: readonly string[];
}

/** Reads the fields of the selection; adds those of another type, and expressions that are none, to `issues`. */
export function readSelection(file: string, config: JsonObject, issues: ConfigIssue[]): PeftSelection {
  const wrong = (field: string, expected: string) =>
    issues.push({ path: `${file}, ${field}`, expected, got: JSON.stringify(config[field]) ?? "nothing" });
  const patternOrList = (field: string): string | readonly string[] | null => {
    const value = config[field] ?? null;
    if (value === null || isTexts(value)) return value;
    if (typeof value !== "string") wrong(field, "a list of names, or one regular expression");
    else if (wholeMatch(value) === null)
      wrong(field, "a regular expression that JavaScript reads too, and matches in time");
    return typeof value === "string" ? value : null;
  };
  const layers = config.layers_to_transform ?? null;
  const numbers = typeof layers === "number" ? [layers] : layers;
  const isNumbers = numbers === null || (Array.isArray(numbers) && numbers.every(Number.isInteger));
  if (!isNumbers) wrong("layers_to_transform", "layer numbers");
  const pattern = config.layers_pattern ?? null;
  const patterns = typeof pattern === "string" ? [pattern] : pattern;
  if (patterns !== null && !(isTexts(patterns) && patterns.every(wholeMatch)))
    wrong("layers_pattern", "a list of names");
  const saved = config.modules_to_save ?? [];
  if (isTexts(saved) && !saved.every(wholeMatch)) wrong("modules_to_save", "a list of names");
  return {
    targetModules: patternOrList("target_modules") ?? [],
    excludeModules: patternOrList("exclude_modules"),
    layersToTransform: isNumbers && numbers !== null && numbers.length > 0 ? (numbers as number[]) : null,
    layersPattern: isTexts(patterns) && patterns.length > 0 ? patterns : null,
    modulesToSave: [...new Set([...(isTexts(saved) ? saved : []), ...taskHeads(config.task_type)])],
  };
}

/** Whether suffixes alone say it all: what our own `targets` express. */
export function isPlainSelection(selection: PeftSelection): boolean {
  const { targetModules, excludeModules, layersToTransform, modulesToSave } = selection;
  const excludes = excludeModules !== null && excludeModules.length > 0;
  // peft adapts nothing inside a saved module; our methods know that of heads
  const savesLayers = modulesToSave.some((module) => !isTaskHead(module));
  return typeof targetModules !== "string" && !excludes && layersToTransform === null && !savesLayers;
}

/**
 * Those of the linear layers `sites` that the configuration means.
 * @see peft 0.21.2 `check_target_module_exists`.
 */
export function selectedSites(selection: PeftSelection, sites: readonly string[]): string[] {
  const { targetModules, excludeModules, modulesToSave } = selection;
  const saved = modulesToSave.map((module) => new RegExp(`^(?:.*\\.)?(?:${module})(?:$|\\.)`));
  return sites.filter((site) => {
    if (excludeModules !== null && matches(excludeModules, site)) return false;
    if (saved.some((pattern) => pattern.test(site))) return false;
    if (targetModules === "all-linear") return true;
    if (!matches(targetModules, site)) return false;
    return typeof targetModules === "string" || isAtLayer(selection, site);
  });
}

function matches(modules: string | readonly string[], site: string): boolean {
  if (typeof modules === "string") return wholeMatch(modules)?.test(site) ?? false;
  return modules.some((module) => site === module || site.endsWith(`.${module}`));
}

function isAtLayer({ layersToTransform, layersPattern }: PeftSelection, site: string): boolean {
  if (layersToTransform === null) return true;
  const patterns = layersPattern?.map((name) => `(?:^|.*?\\.)${name}\\.(\\d+)\\.`) ?? [".*?\\.[^.]*\\.(\\d+)\\."];
  for (const pattern of patterns) {
    const found = new RegExp(`^${pattern}`).exec(site);
    if (found) return layersToTransform.includes(Number(found[1]));
  }
  return false;
}

/**
 * The value that a `rank_pattern` or `alpha_pattern` gives a site: that of the first key which matches its end.
 * @see peft 0.21.2 `get_pattern_key`.
 */
export function patternValue(pattern: Readonly<Record<string, number>>, site: string): number | undefined {
  const key = Object.keys(pattern).find((of) => wholeMatch(`(?:.*\\.)?(?:${of})`)?.test(site));
  return key === undefined ? undefined : pattern[key];
}

/** A rank or alpha pattern; adds what is none to `issues`. */
export function readPattern(
  file: string,
  field: string,
  config: JsonObject,
  issues: ConfigIssue[],
): Record<string, number> {
  const value = config[field] ?? {};
  const entries = typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [["", null] as const];
  const fits = entries.every(
    ([key, n]) =>
      typeof n === "number" && n > 0 && (field !== "rank_pattern" || Number.isInteger(n)) && wholeMatch(key),
  );
  if (fits) return Object.fromEntries(entries as [string, number][]);
  const expected = "numbers above 0 by name or regular expression";
  issues.push({ path: `${file}, ${field}`, expected, got: JSON.stringify(value) });
  return {};
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Python's `re.fullmatch`; null when JavaScript cannot read the expression, or might look for its match for ever. */
function wholeMatch(pattern: string): RegExp | null {
  try {
    return mayHang(pattern) ? null : new RegExp(`^(?:${pattern})$`);
  } catch {
    return null;
  }
}

/** Repetitions without an end that one expression may have: each multiplies the ways to match a name. */
const MOST_REPEATS = 5;

/** Whether a match might be looked for in more ways than there is time for: a repeated group repeats or chooses inside, or many repeat. */
function mayHang(pattern: string): boolean {
  // escapes and sets are one character each
  const plain = pattern.replace(/\\./g, "x").replace(/\[\^?\]?[^\]]*\]/g, "x");
  const repeats = plain.match(/[*+]|\{\d+,\}/g)?.length ?? 0;
  const groups: boolean[] = [];
  for (const [token] of plain.matchAll(/\((?:\?[:=!<]*)?|\)(?:[*+]|\{\d+(?:,\d*)?\})?|[*+|?]|\{\d+(?:,\d*)?\}/g)) {
    if (token.startsWith("(")) groups.push(false);
    else if (token.startsWith(")")) {
      const isBranched = groups.pop() ?? false;
      const isRepeated = token.length > 1;
      if (isBranched && isRepeated) return true;
      if (groups.length > 0) groups[groups.length - 1] ||= isBranched || isRepeated;
    } else if (groups.length > 0) groups[groups.length - 1] = true;
  }
  return repeats > MOST_REPEATS;
}
