// Settings written back: as keys of a file, and as the command line that gives them.

import { recordOf } from "../peft/index.ts";
import { answersInput } from "./answers.ts";
import { defaultsFor, LOSS_DEFAULTS, TASK_DEFAULTS } from "./defaults.ts";
import type { SettingsInput, SettingsKey } from "./schema.ts";
import { type DistillationSettings, methodAlias, type Settings } from "./settings.ts";

/** Settings as flags and files spell them; `resolveSettings` gives the same settings back. */
export function settingsInput(settings: Settings): SettingsInput {
  const { data, method, density, optim } = settings;
  const alias = methodAlias(settings);
  const all = {
    model: settings.model,
    task: settings.task,
    data: data.path,
    "text-column": data.textColumn,
    "pair-column": data.pairColumn,
    "label-column": data.labelColumn,
    "max-length": data.maxLength,
    padding: data.padding,
    "limit-train": data.limitTrain,
    "limit-eval": data.limitEval,
    ...answersInput(settings.task, data, settings.answers),
    ...(alias === null ? { method: method.kind, quantize: settings.quantize } : { method: alias }),
    ...recordOf(method).valuesOf(method),
    "density-weight": density.auto ? ("auto" as const) : density.weight,
    // without a density loss the rest of it means nothing and would be refused
    ...(density.weight === 0
      ? {}
      : {
          "density-loss": density.loss,
          ...(density.auto ? autoInput(density.auto) : { "density-warmup-ratio": density.warmupRatio }),
          "density-cooldown-ratio": density.cooldownRatio,
          epsilon: density.epsilon,
          positions: density.positions,
        }),
    ...(settings.gates ? gateInput(settings.gates) : {}),
    ...(settings.removal ? removalInput(settings.removal) : {}),
    ...(settings.distillation ? distillationInput(settings.distillation) : {}),
    epochs: optim.epochs,
    "max-steps": optim.maxSteps,
    "batch-size": optim.batchSize,
    accumulate: optim.accumulate,
    "learning-rate": optim.learningRate,
    schedule: optim.schedule,
    "warmup-ratio": optim.warmupRatio,
    "weight-decay": optim.weightDecay,
    "bias-rate": optim.biasRate,
    "max-grad-norm": optim.maxGradNorm,
    "eval-steps": settings.evalSteps,
    "save-steps": settings.saveSteps,
    patience: settings.patience,
    seed: settings.seed,
    output: settings.output,
    resume: settings.resume,
    backend: settings.backend,
    threads: settings.threads,
    recompute: settings.recompute,
    staged: settings.staged,
    "mask-safe": settings.maskSafe,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined));
}

function autoInput({ margin, targetDensity, reference }: NonNullable<Settings["density"]["auto"]>): SettingsInput {
  return {
    "task-loss-margin": margin,
    ...(targetDensity === null ? {} : { "target-density": targetDensity }),
    ...(reference === null ? {} : { reference }),
  };
}

function gateInput({ weight, rate }: NonNullable<Settings["gates"]>): SettingsInput {
  return { ada: true, "gate-weight": weight, "gate-rate": rate };
}

function removalInput({ keep, start, end, scope }: NonNullable<Settings["removal"]>): SettingsInput {
  return { "keep-neurons": keep, "removal-start": start, "removal-end": end, "keep-scope": scope };
}

function distillationInput({ teacher, weight }: DistillationSettings): SettingsInput {
  return { teacher, "distillation-weight": weight };
}

/**
 * The shortest `deft train` command line that gives these settings.
 *
 * Values that are defaults are left out; `--resume` is not part of how a run is made.
 */
export function trainCommand(settings: Settings): string[] {
  const usual: SettingsInput = {
    ...defaultsFor(settings.method.kind),
    ...LOSS_DEFAULTS[settings.density.loss],
    ...TASK_DEFAULTS[settings.task],
  };
  const words = Object.entries(settingsInput({ ...settings, resume: false })).flatMap(([key, value]) => {
    if (JSON.stringify(value) === JSON.stringify(usual[key as SettingsKey])) return [];
    if (typeof value === "boolean") return [value ? `--${key}` : `--no-${key}`];
    return [`--${key}`, settingText(value)];
  });
  return ["deft", "train", ...words];
}

/** A setting's value as a flag takes it: `query,value`, `0.01:0.001`. */
export function settingText(value: unknown): string {
  if (Array.isArray(value)) return value.join(",");
  if (typeof value === "object" && value !== null && "from" in value && "to" in value) {
    return value.from === value.to ? String(value.from) : `${String(value.from)}:${String(value.to)}`;
  }
  return String(value);
}
