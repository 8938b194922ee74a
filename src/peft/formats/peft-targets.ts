// Which layers a peft configuration means: suffixes, a regular expression, exclusions, layers by number; patterns of ranks and alphas.

import { ConfigError, type ConfigIssue, shownValue } from "../../errors.ts";
import type { JsonObject } from "../../hub/index.ts";
import { entryOf } from "../../tensor/index.ts";
import { expressionFault, type IsMatch, isPlainName, MOST_EXPRESSIONS, NameMatcher } from "./peft-expressions.ts";

/** Heads that peft trains and stores whole for a task, also where `modules_to_save` does not name them: before peft 0.11 it is null. */
const TASK_HEADS: Readonly<Record<string, readonly string[]>> = {
  SEQ_CLS: ["classifier", "score"],
  TOKEN_CLS: ["classifier", "score"],
  QUESTION_ANS: ["qa_outputs"],
};

/** The modules that a configuration's task stores whole. @see peft 0.21.2 `PeftModelForSequenceClassification` and its kin. */
export function taskHeads(taskType: unknown): readonly string[] {
  return typeof taskType === "string" ? (entryOf(TASK_HEADS, taskType) ?? []) : [];
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
  const saved = new Set(modulesToSave);
  const listed = (targetModules as readonly string[]).filter((target) => {
    const parts = target.split(".");
    return !parts.some((_, i) => saved.has(parts.slice(0, i + 1).join(".")));
  });
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

/** Most names of a list: no model has so many linear layers. */
const MOST_NAMES = 10_000;

/** Reads the fields of the selection; adds those of another type, and expressions that are none, to `issues`. */
export function readSelection(file: string, config: JsonObject, issues: ConfigIssue[]): PeftSelection {
  const wrong = (field: string, expected: string, got = shownValue(config[field])) =>
    issues.push({ path: `${file}, ${field}`, expected, got });
  const patternOrList = (field: string): string | readonly string[] | null => {
    const value = config[field] ?? null;
    if (isTexts(value) && value.length > MOST_NAMES) wrong(field, `at most ${MOST_NAMES} names`, `${value.length}`);
    if (value === null || isTexts(value)) return value;
    const fault = typeof value === "string" ? expressionFault(value) : null;
    if (typeof value !== "string") wrong(field, "a list of names, or one regular expression");
    else if (fault !== null) wrong(field, "a regular expression without back-references", fault);
    return typeof value === "string" ? value : null;
  };
  /** Names that are expressions as well, as peft takes them. */
  const names = (field: string, value: unknown): readonly string[] => {
    if (!isTexts(value)) wrong(field, "a list of names");
    else if (value.length > MOST_EXPRESSIONS) wrong(field, `at most ${MOST_EXPRESSIONS} names`, `${value.length}`);
    else {
      const fault = value.map(expressionFault).find((found) => found !== null);
      if (fault === undefined) return value;
      wrong(field, "a list of names", fault);
    }
    return [];
  };
  const layers = config.layers_to_transform ?? null;
  const numbers = typeof layers === "number" ? [layers] : layers;
  const isNumbers = numbers === null || (Array.isArray(numbers) && numbers.every(Number.isInteger));
  if (!isNumbers) wrong("layers_to_transform", "layer numbers");
  const pattern = config.layers_pattern ?? [];
  const patterns = names("layers_pattern", typeof pattern === "string" ? [pattern] : pattern);
  const saved = names("modules_to_save", config.modules_to_save ?? []);
  return {
    targetModules: patternOrList("target_modules") ?? [],
    excludeModules: patternOrList("exclude_modules"),
    layersToTransform: isNumbers && numbers !== null && numbers.length > 0 ? (numbers as number[]) : null,
    layersPattern: patterns.length > 0 ? patterns : null,
    modulesToSave: [...new Set([...saved, ...taskHeads(config.task_type)])],
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
 * @throws {UnsupportedError} naming an expression that takes too long on their names.
 * @see peft 0.21.2 `check_target_module_exists`.
 */
export function selectedSites(selection: PeftSelection, sites: readonly string[]): string[] {
  const { targetModules, excludeModules, modulesToSave } = selection;
  const names = new NameMatcher(sites);
  const matcher = (field: string, modules: string | readonly string[]): IsMatch =>
    typeof modules === "string"
      ? names.whole(field, modules)
      : (site) => modules.some((module) => site === module || site.endsWith(`.${module}`));
  const saved = modulesToSave.map((module) => names.within("modules_to_save", module));
  const isTarget = targetModules === "all-linear" ? () => true : matcher("target_modules", targetModules);
  const isExcluded = matcher("exclude_modules", excludeModules ?? []);
  const isAtLayer = layerMatcher(selection, names);
  return sites.filter((site) => {
    if (isExcluded(site) || saved.some((isIn) => isIn(site)) || !isTarget(site)) return false;
    return typeof targetModules === "string" || isAtLayer(site);
  });
}

/**
 * The sites of an adapter over a model: those that its tensors are for, and those of the model's linear layers that its configuration
 * means, so that a site that should have a tensor and has none is told with all that does not fit.
 * @throws {ConfigError} when its expression means none of them: peft refuses it too.
 */
export function sitesOver(
  selection: PeftSelection,
  targets: readonly string[],
  linear: readonly string[],
): readonly string[] {
  const { targetModules } = selection;
  if (typeof targetModules === "string" && targetModules !== "all-linear") {
    const sites = [...targets, ...linear];
    if (!sites.some(new NameMatcher(sites).whole("target_modules", targetModules)))
      throw new ConfigError(
        [
          {
            path: "adapter_config.json, target_modules",
            expected: `an expression for layers of the model (${linear[0] ?? "it has none"}, …)`,
            got: shownValue(targetModules),
          },
        ],
        { hint: "Take the adapter_config.json that was saved with the adapter's tensors." },
      );
  }
  return [...new Set([...targets, ...selectedSites(selection, linear)])];
}

function layerMatcher({ layersToTransform, layersPattern }: PeftSelection, names: NameMatcher): IsMatch {
  if (layersToTransform === null) return () => true;
  const parents =
    layersPattern === null
      ? [names.whole("layers_pattern", ".*\\.[^.]*")]
      : layersPattern.map((parent) => names.end("layers_pattern", parent));
  const wanted = new Set(layersToTransform);
  return (site) => {
    for (const isParent of parents) {
      const found = [...site.matchAll(/\.(\d+)(?=\.)/g)].find(({ index }) => isParent(site.slice(0, index)));
      if (found) return wanted.has(Number(found[1]));
    }
    return false;
  };
}

/**
 * The value that a `rank_pattern` or `alpha_pattern` gives a site: that of the first key which matches its end.
 * @param names - The names that it will be asked about, whose length bounds what its expressions may take.
 * @see peft 0.21.2 `get_pattern_key`.
 */
export function patternValues(
  field: string,
  pattern: Readonly<Record<string, number>>,
  names: Iterable<string>,
): (site: string) => number | undefined {
  const matcher = new NameMatcher(names);
  const keys = Object.entries(pattern).map(([key, value]) => [matcher.end(field, key), value] as const);
  const known = new Map<string, number | undefined>();
  return (site) => {
    if (!known.has(site)) known.set(site, keys.find(([isMatch]) => isMatch(site))?.[1]);
    return known.get(site);
  };
}

/** A rank or alpha pattern; adds what is none to `issues`. */
export function readPattern(
  file: string,
  field: string,
  config: JsonObject,
  issues: ConfigIssue[],
): Record<string, number> {
  const value = config[field] ?? {};
  const wrong = (expected: string, got: string) => {
    issues.push({ path: `${file}, ${field}`, expected, got });
    return {};
  };
  const entries = typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [["", null] as const];
  const expected = "numbers above 0 by name or regular expression";
  const isNumber = (n: unknown) => typeof n === "number" && n > 0 && (field !== "rank_pattern" || Number.isInteger(n));
  if (!entries.every(([, n]) => isNumber(n))) return wrong(expected, shownValue(value));
  const expressions = entries.filter(([key]) => !isPlainName(key));
  if (entries.length > MOST_NAMES || expressions.length > MOST_EXPRESSIONS)
    return wrong(
      `at most ${MOST_NAMES} names, of which ${MOST_EXPRESSIONS} are regular expressions`,
      `${entries.length}, of which ${expressions.length}`,
    );
  const fault = expressions.map(([key]) => expressionFault(key)).find((found) => found !== null);
  return fault === undefined ? Object.fromEntries(entries as [string, number][]) : wrong(expected, fault!);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
