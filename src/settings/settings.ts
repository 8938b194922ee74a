// The settings of a run: one record, resolved from flags, a YAML file, a preset and the defaults.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { adapter, full, headOnly, lora, type MethodSettings, prefix, prompt } from "../peft/index.ts";
import { FIRST_WEIGHT } from "../train/index.ts";
import { type AnswerSettings, answerSettings, type TextDataSettings, textData } from "./answers.ts";
import { conflicts } from "./conflicts.ts";
import {
  DEFAULTS,
  LOSS_DEFAULTS,
  METHOD_DEFAULTS,
  METHOD_PRESETS,
  PRESETS,
  TASK_DEFAULTS,
  TASK_PRESETS,
} from "./defaults.ts";
import { rowPreset } from "./presets.ts";
import { checkInput, type METHODS, type SettingsInput, type SettingsKey, type TASKS } from "./schema.ts";
import { checkYaml } from "./yaml.ts";

export type TaskName = (typeof TASKS)[number];
export type MethodName = (typeof METHODS)[number];

/** The density loss; `weight` 0 is plain fine-tuning. */
export interface DensitySettings {
  readonly weight: number;
  /** Finds the weight by feedback, from `weight` on; null: it is `weight`. */
  readonly auto: AutoWeightSettings | null;
  /** What falls silent: activations one by one (the paper's loss), or whole neurons, so that they can be removed. */
  readonly loss: "activations" | "neurons";
  /** Share of all steps over which the weight grows from 0, in [0, 1]. */
  readonly warmupRatio: number;
  /** Share of all steps, the last ones, over which the weight falls to 0 again; in [0, 1]. */
  readonly cooldownRatio: number;
  /** ε of `a² / (a² + ε)`, with neurons of their mean a², annealed geometrically from `from` to `to`; equal when fixed. */
  readonly epsilon: { readonly from: number; readonly to: number };
  readonly positions: "attended" | "all";
}

/** The density weight by feedback. */
export interface AutoWeightSettings {
  /** How far the task loss may rise above plain PEFT's, as a share of what guessing costs. */
  readonly margin: number;
  /** Share of |a| > 0.01 at which the weight no longer rises; null: as low as it gets. */
  readonly targetDensity: number | null;
  /** The run of plain PEFT; null in a comparison, which has its own. */
  readonly reference: string | null;
}

/** ADA-DEFT: a learned gate for each MLP. */
export interface GateSettings {
  /** μ, the price of a mean gate that is open. */
  readonly weight: number;
  /** Learning rate of the gates, with the schedule of all the others. */
  readonly rate: number;
}

/** Gradual removal of MLP neurons while training. */
export interface RemovalSettings {
  /** Share of neurons left at the end, in (0, 1]. */
  readonly keep: number;
  /** Shares of all steps between which neurons go, in [0, 1]. */
  readonly start: number;
  readonly end: number;
  /** Each layer keeps that share, or all layers together. */
  readonly scope: "layer" | "global";
}

/** Learning from the answers of a model trained before, beside the labels. */
export interface DistillationSettings {
  /** The run, or model with the task's head, whose logits are learned from. */
  readonly teacher: string;
  /** Its share of the task loss, in [0, 1]; the labels have the rest. */
  readonly weight: number;
}

/** Where examples come from and how they become token ids. */
export interface DataSettings extends TextDataSettings {
  readonly path: string;
  /** Null: the task's own column, or `text`, `pair`, `label`. */
  readonly textColumn: string | null;
  readonly pairColumn: string | null;
  readonly labelColumn: string | null;
  readonly maxLength: number;
  readonly padding: "longest" | "max";
  readonly limitTrain: number | null;
  readonly limitEval: number | null;
}

/** AdamW and its schedule. */
export interface OptimSettings {
  readonly epochs: number;
  /** Stops after this many steps, however many `epochs` would give. */
  readonly maxSteps: number | null;
  readonly batchSize: number;
  /** Micro-batches added up into one step. */
  readonly accumulate: number;
  readonly learningRate: number;
  readonly schedule: "linear" | "cosine" | "constant";
  /** Share of all steps, in [0, 1]. */
  readonly warmupRatio: number;
  readonly weightDecay: number;
  /** Learning rate of the model's own trained biases, in multiples of `learningRate`. */
  readonly biasRate: number;
  /** Global norm to clip to; null: no clipping. */
  readonly maxGradNorm: number | null;
}

/** Everything a run is made from; written whole into `run.json`. */
export interface Settings {
  readonly model: string;
  readonly task: TaskName;
  readonly data: DataSettings;
  readonly method: MethodSettings;
  readonly density: DensitySettings;
  /** Null: no gates. */
  readonly gates: GateSettings | null;
  /** Null: all neurons stay. */
  readonly removal: RemovalSettings | null;
  /** Null: from the labels alone. Absent in runs of versions that had no teachers. */
  readonly distillation?: DistillationSettings | null;
  readonly optim: OptimSettings;
  readonly answers: AnswerSettings;
  /** Steps between evaluations; null: at the end of each epoch. */
  readonly evalSteps: number | null;
  /** Steps between checkpoints; null: at each evaluation. */
  readonly saveSteps: number | null;
  /** Evaluations without a better score before stopping; null: never stops early. */
  readonly patience: number | null;
  readonly seed: number;
  /** Null: nothing is written to disk. */
  readonly output: string | null;
  readonly resume: boolean;
  readonly backend: "cpu" | "webgpu" | "cuda";
  /** Null: one a physical core. */
  readonly threads: number | null;
  /** Compute cheap results again in the backward pass; null: in large models only. */
  readonly recompute: boolean | null;
  /** Train block by block; null: where one program would take too much memory. */
  readonly staged: boolean | null;
  /** Leave the base's zeros alone; null: where the base was pruned. */
  readonly maskSafe: boolean | null;
  /** How the base's block matrices are stored; null: as its folder has them. */
  readonly quantize: StoredFormat | null;
}

/** Where settings come from: values by key as flags gave them, and a file's name and text. */
export interface SettingsSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly file?: { readonly name: string; readonly text: string };
}

/** One cell of a comparison: the same run without and with the density loss. */
export interface ComparisonCell {
  readonly method: MethodName;
  readonly seed: number;
  readonly peft: Settings;
  readonly deft: Settings;
}

const TRAIN_NEEDS = ["model", "task", "data"] as const;
type NeededKey = (typeof TRAIN_NEEDS)[number];

/**
 * Flags over the file over the preset over the defaults, checked and complete.
 *
 * @throws {ConfigError} with every mistake of both sources, each with its place.
 */
export function resolveSettings(sources: SettingsSources): Settings {
  const given = collect(sources, TRAIN_NEEDS, (values) => [values.method ?? DEFAULTS.method]);
  if (given["density-weight"] === "auto" && given.reference === undefined) {
    throw new ConfigError(
      [{ path: "--reference", expected: "a run of plain PEFT to measure against", got: "nothing" }],
      {
        hint: "Make one by the same command with --density-weight 0 and its own --output; deft compare makes it by itself.",
      },
    );
  }
  return assemble(given, given.method ?? DEFAULTS.method);
}

/**
 * The cells of a comparison, methods outermost; PEFT runs are the DEFT runs with density weight 0 and without gates.
 *
 * @throws {ConfigError} with every mistake, also a density weight of 0, which leaves nothing to compare.
 */
export function resolveComparison(sources: SettingsSources): ComparisonCell[] {
  const methodsOf = (values: SettingsInput) => values.methods ?? [values.method ?? DEFAULTS.method];
  const given = collect(sources, TRAIN_NEEDS, methodsOf);
  if (given["density-weight"] === 0) {
    throw new ConfigError([{ path: "--density-weight", expected: "a weight above 0 to compare with 0", got: "0" }]);
  }
  if (given.reference !== undefined) {
    const expected = "nothing: deft compare runs plain PEFT itself";
    throw new ConfigError([{ path: "--reference", expected, got: JSON.stringify(given.reference) }]);
  }
  const seeds = given.seeds ?? [given.seed ?? DEFAULTS.seed];
  return methodsOf(given).flatMap((method) =>
    seeds.map((seed) => {
      const output = (variant: string) =>
        given.output === undefined ? {} : { output: `${given.output}/${method}-seed${seed}-${variant}` };
      const peft = assemble({ ...given, seed, ...output("peft"), "density-weight": 0, ada: false }, method);
      const reference = peft.output === null ? {} : { reference: peft.output };
      const deft = assemble({ ...given, seed, ...output("deft"), ...reference }, method);
      return { method, seed, peft, deft };
    }),
  );
}

/**
 * The checked values alone, for commands that take a RUN and only a few settings.
 *
 * @throws {ConfigError} with every mistake.
 */
export function resolvePartial(sources: SettingsSources): SettingsInput {
  return collect(sources, [], () => []);
}

function collect(
  { flags, file }: SettingsSources,
  needs: readonly NeededKey[],
  methodsOf: (values: SettingsInput) => readonly string[],
): SettingsInput {
  const written = file === undefined ? undefined : checkYaml(file.name, file.text);
  const flagged = checkInput(flags, (key) => `--${key}`);
  const given = rowExpanded({ ...written?.values, ...flagged.values });
  const bad = new Set([...(written?.badKeys ?? []), ...flagged.badKeys]);
  const placeOf = (key: SettingsKey) => (key in flagged.values ? `--${key}` : (written?.places.get(key) ?? `--${key}`));
  const issues: ConfigIssue[] = [...(written?.issues ?? []), ...flagged.issues];
  // a preset that was not understood may have been to give them
  for (const key of bad.has("preset") ? [] : needs) {
    if (given[key] === undefined && !bad.has(key))
      issues.push({ path: `--${key}`, expected: NEEDED[key], got: "nothing" });
  }
  const methods = methodsOf(given);
  if (methods.length > 0 && !bad.has("method") && !bad.has("methods")) {
    for (const { key, expected, got } of conflicts(given, methods)) issues.push({ path: placeOf(key), expected, got });
  }
  if (issues.length > 0) throw new ConfigError(issues, { hint: "`deft train --help` lists every setting." });
  return given;
}

/** A row of the paper under what was given: what is left of it is `preset: paper`, whose values yield to everything. */
function rowExpanded(given: SettingsInput): SettingsInput {
  const row = given.preset === undefined ? null : rowPreset(given.preset);
  if (row === null) return given;
  const { method, ...settings } = row.settings;
  return { ...settings, ...(given.methods === undefined ? { method } : {}), ...given, preset: "paper" };
}

const NEEDED: Readonly<Record<NeededKey, string>> = {
  model: "a Hugging Face id or a model's folder",
  task: "a GLUE task, text-classification, text-pair, multi-label, squad or seq2seq",
  data: "a GLUE folder, SQuAD JSON, or a CSV, TSV, JSONL or Parquet file",
};

function assemble(given: SettingsInput, method: MethodName): Settings {
  const loss = given["density-loss"] ?? DEFAULTS["density-loss"];
  const preset = given.preset === undefined ? {} : paperPreset(method, given.task);
  const implied = given["prompt-init-text"] === undefined ? {} : { "prompt-init": "text" as const };
  const usual = { ...METHOD_DEFAULTS[method], ...LOSS_DEFAULTS[loss], ...taskDefaults(given.task) };
  const v = { ...DEFAULTS, ...usual, ...preset, ...implied, ...given };
  return {
    model: v.model ?? "",
    task: v.task ?? "text-classification",
    data: {
      path: v.data ?? "",
      textColumn: v["text-column"] ?? null,
      pairColumn: v["pair-column"] ?? null,
      labelColumn: v["label-column"] ?? null,
      maxLength: v["max-length"],
      padding: v.padding,
      limitTrain: v["limit-train"] ?? null,
      limitEval: v["limit-eval"] ?? null,
      ...textData(v),
    },
    method: assembleMethod(v, method),
    density: {
      ...weightOf(v),
      loss: v["density-loss"],
      warmupRatio: v["density-warmup-ratio"],
      cooldownRatio: v["density-cooldown-ratio"],
      epsilon: v.epsilon,
      positions: v.positions,
    },
    gates: v.ada ? { weight: v["gate-weight"], rate: v["gate-rate"] } : null,
    removal:
      v["keep-neurons"] === undefined
        ? null
        : { keep: v["keep-neurons"], start: v["removal-start"], end: v["removal-end"], scope: v["keep-scope"] },
    distillation: v.teacher === undefined ? null : { teacher: v.teacher, weight: v["distillation-weight"] },
    optim: {
      epochs: v.epochs,
      maxSteps: v["max-steps"] ?? null,
      batchSize: v["batch-size"],
      accumulate: v.accumulate,
      learningRate: v["learning-rate"],
      schedule: v.schedule,
      warmupRatio: v["warmup-ratio"],
      weightDecay: v["weight-decay"],
      biasRate: v["bias-rate"],
      maxGradNorm: v["max-grad-norm"] ?? null,
    },
    answers: answerSettings(v),
    evalSteps: v["eval-steps"] ?? null,
    saveSteps: v["save-steps"] ?? null,
    patience: v.patience ?? null,
    seed: v.seed,
    output: v.output ?? null,
    resume: v.resume,
    backend: v.backend,
    threads: v.threads ?? null,
    recompute: v.recompute ?? null,
    staged: v.staged ?? null,
    maskSafe: v["mask-safe"] ?? null,
    quantize: v.quantize ?? null,
  };
}

/** The method's name as a person gave it: LoRA over NF4 is QLoRA, others on a quantised base bear its format. */
export function methodName({ method, quantize }: Pick<Settings, "method" | "quantize">): string {
  if (quantize === null) return method.kind;
  return method.kind === "lora" && quantize === "nf4" ? "qlora" : `${method.kind}-${quantize}`;
}

/** `collect` has made a row into the paper's values and its own. */
function paperPreset(method: MethodName, task: TaskName | undefined): SettingsInput {
  return { ...PRESETS.paper, ...METHOD_PRESETS.paper[method], ...(task && TASK_PRESETS.paper[task]) };
}

/** What a task changes in the defaults. */
export function taskDefaults(task: TaskName | undefined): SettingsInput {
  return (task && TASK_DEFAULTS[task]) ?? {};
}

function weightOf(
  v: Pick<SettingsInput, "density-weight" | "task-loss-margin" | "target-density" | "reference">,
): Pick<DensitySettings, "weight" | "auto"> {
  const weight = v["density-weight"] ?? DEFAULTS["density-weight"];
  if (weight !== "auto") return { weight, auto: null };
  const auto = {
    margin: v["task-loss-margin"] ?? DEFAULTS["task-loss-margin"],
    targetDensity: v["target-density"] ?? null,
    reference: v.reference ?? null,
  };
  return { weight: FIRST_WEIGHT, auto };
}

function assembleMethod(
  v: { readonly [K in keyof typeof DEFAULTS]: NonNullable<SettingsInput[K]> } & SettingsInput,
  method: MethodName,
): MethodSettings {
  switch (method) {
    case "lora":
    case "qlora": {
      const targets = v.targets.length === 1 && v.targets[0] === "all-linear" ? "all-linear" : v.targets;
      const { rank, alpha, dropout, bias, rslora } = v;
      return lora({ rank, alpha, dropout, targets, bias, rslora }).settings;
    }
    case "adapter":
      return adapter({ style: v["adapter-kind"], reductionFactor: v["reduction-factor"] }).settings;
    case "prompt": {
      const initText = v["prompt-init-text"] ?? null;
      return prompt({ virtualTokens: v["virtual-tokens"], init: v["prompt-init"], initText }).settings;
    }
    case "prefix": {
      const projectionSize = v["prefix-projection-size"] ?? null;
      return prefix({ virtualTokens: v["virtual-tokens"], projection: v["prefix-projection"], projectionSize })
        .settings;
    }
    case "head":
      return headOnly().settings;
    case "full":
      return full().settings;
  }
}
