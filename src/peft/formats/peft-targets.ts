// Which layers a peft configuration means: suffixes, a regular expression, exclusions, layers by number; patterns of ranks and alphas.
import { regexFind } from "../../data/expressions/index.ts";
import { type ConfigIssue, UnsupportedError } from "../../errors.ts";
import type { JsonObject } from "../../hub/index.ts";

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

/** The listed suffixes without those of saved modules; without any, peft took those usual for the model: the tensors name them. */
export function plainTargets(
  { targetModules, modulesToSave }: PeftSelection,
  sites: readonly string[],
): readonly string[] {
  const listed = (targetModules as readonly string[]).filter(
    (target) => !modulesToSave.some((module) => target === module || target.startsWith(`${module}.`)),
  );
  return listed.length > 0 ? listed : sites;
}

/** Targets under other names of the model's parts; with a selection those that it means of `sites` too, as its expressions are about names. */
export function renamedTargets(
  { selection, targets }: { readonly selection: PeftSelection | undefined; readonly targets: readonly string[] },
  named: (name: string) => string,
  sites: readonly string[],
): readonly string[] {
  return [...new Set([...targets, ...(selection ? selectedSites(selection, sites) : [])].map(named))];
}

/** Whether a tensor is a saved module's own, not what a LoRA adds to it. */
export function isPartOf(name: string, module: string): boolean {
  return `.${name}`.includes(`.${module}.`) && !/\.lora_(embedding_)?[AB](\.weight)?$/.test(name);
}

/** The modules that a configuration names, and those of its task's heads that are stored. */
export function savedModules(
  { modules_to_save: listed }: JsonObject,
  { modulesToSave }: PeftSelection,
  stored: ReadonlyMap<string, unknown>,
): readonly string[] {
  const isStored = (module: string) => [...stored.keys()].some((name) => isPartOf(name, module));
  return modulesToSave.filter((module) => (Array.isArray(listed) && listed.includes(module)) || isStored(module));
}

/** Reads the fields of the selection; adds those of another type, and expressions that are none, to `issues`. */
export function readSelection(file: string, config: JsonObject, issues: ConfigIssue[]): PeftSelection {
  const wrong = (field: string, expected: string) =>
    issues.push({ path: `${file}, ${field}`, expected, got: JSON.stringify(config[field]) ?? "nothing" });
  const patternOrList = (field: string): string | readonly string[] | null => {
    const value = config[field] ?? null;
    if (value === null || isTexts(value)) return value;
    if (typeof value !== "string") wrong(field, "a list of names, or one regular expression");
    else if (wholeMatch(value) === null) wrong(field, "a regular expression without back-references");
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
  if (!isTexts(saved) || !saved.every(wholeMatch)) wrong("modules_to_save", "a list of names");
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
  const saved = modulesToSave.map((module) => wholeMatch(`(?:.*\\.)?(?:${module})(?:\\..*)?`));
  const isTarget = targetModules === "all-linear" ? () => true : matcher(targetModules);
  const isExcluded = matcher(excludeModules ?? []);
  return sites.filter((site) => {
    if (isExcluded(site) || saved.some((isIn) => isIn?.(site)) || !isTarget(site)) return false;
    return typeof targetModules === "string" || isAtLayer(selection, site);
  });
}

function matcher(modules: string | readonly string[]): IsMatch {
  if (typeof modules === "string") return wholeMatch(modules) ?? (() => false);
  return (site) => modules.some((module) => site === module || site.endsWith(`.${module}`));
}

function isAtLayer({ layersToTransform, layersPattern }: PeftSelection, site: string): boolean {
  if (layersToTransform === null) return true;
  const parents = layersPattern ?? ["[^.]*"];
  for (const parent of parents) {
    const isParent = wholeMatch(layersPattern ? `(?:.*\\.)?(?:${parent})` : `.*\\.${parent}`);
    const found = [...site.matchAll(/\.(\d+)(?=\.)/g)].find(({ index }) => isParent?.(site.slice(0, index)));
    if (found) return layersToTransform.includes(Number(found[1]));
  }
  return false;
}

/**
 * The value that a `rank_pattern` or `alpha_pattern` gives a site: that of the first key which matches its end.
 * @see peft 0.21.2 `get_pattern_key`.
 */
export function patternValue(pattern: Readonly<Record<string, number>>, site: string): number | undefined {
  const key = Object.keys(pattern).find((of) => wholeMatch(`(?:.*\\.)?(?:${of})`)?.(site));
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

/** Whether a whole name is what an expression says. */
export type IsMatch = (name: string) => boolean;

/** Python's `re.fullmatch`, in time linear in the name; null when the expression is none, or has what needs more (back-references). */
export function wholeMatch(pattern: string): IsMatch | null {
  try {
    regexFind(pattern);
    const find = regexFind(`\\A(?:${pattern})\\z`);
    return (name) => found(find, name, pattern);
  } catch {
    return null;
  }
}

function found(find: ReturnType<typeof regexFind>, name: string, pattern: string): boolean {
  try {
    return find(name, 0) !== null;
  } catch (cause) {
    throw new UnsupportedError(`the expression ${JSON.stringify(pattern)} for names of layers`, SHORT, { cause });
  }
}

const SHORT = ["expressions that are matched in a few thousand steps"];
