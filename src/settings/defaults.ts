// Every default value, written once, and the named sets laid over it.
import {
  defaultsOf,
  METHOD_OPTIONS,
  type MethodName,
  type MethodOption,
  methodOptionDefaults,
  recordNamed,
} from "../peft/index.ts";
import type { SettingsInput, TASKS } from "./schema.ts";

/** What a run is made from where nobody says otherwise. */
export const DEFAULTS = {
  method: "lora",
  ...methodOptionDefaults(),
  "density-weight": 1,
  "task-loss-margin": 0.05,
  "density-loss": "activations",
  "density-warmup-ratio": 0.25,
  "density-cooldown-ratio": 0,
  epsilon: { from: 1e-2, to: 1e-3 },
  positions: "attended",
  ada: false,
  "gate-weight": 0.1,
  "gate-rate": 0.05,
  "keep-scope": "layer",
  "removal-start": 0.2,
  "removal-end": 0.6,
  "distillation-weight": 0.5,
  epochs: 3,
  "batch-size": 32,
  accumulate: 1,
  "learning-rate": 3e-4,
  schedule: "linear",
  "warmup-ratio": 0.06,
  "weight-decay": 0.01,
  "bias-rate": 1,
  "max-length": 128,
  "max-target-length": 128,
  "doc-stride": 128,
  "n-best": 20,
  "max-answer-length": 30,
  "null-threshold": 0,
  "num-beams": 1,
  "length-penalty": 1,
  padding: "longest",
  seed: 42,
  resume: false,
  backend: "cpu",
} as const satisfies SettingsInput;

/** What a task changes in the defaults: SQuAD's lengths are those of transformers' run_qa.py and of the paper. */
export const TASK_DEFAULTS: Readonly<Partial<Record<(typeof TASKS)[number], SettingsInput>>> = {
  squad: { "max-length": 384, "max-target-length": 30, "batch-size": 12 },
  seq2seq: { "max-length": 512, "batch-size": 8 },
};

type GeneralDefaults = {
  readonly [K in Exclude<keyof typeof DEFAULTS, MethodOption>]: NonNullable<SettingsInput[K]>;
};

const GENERAL_DEFAULTS = Object.fromEntries(
  Object.entries(DEFAULTS).filter(([key]) => !(METHOD_OPTIONS as ReadonlyMap<string, unknown>).has(key)),
) as GeneralDefaults;

/** What a run of a method is made from where nobody says otherwise: of methods' settings its own alone. */
export function defaultsFor(name: MethodName): GeneralDefaults & SettingsInput {
  const { record, quantize } = recordNamed(name);
  const rate = record.learningRate === undefined ? {} : { "learning-rate": record.learningRate };
  return { ...GENERAL_DEFAULTS, ...defaultsOf(record.options), ...rate, ...(quantize === null ? {} : { quantize }) };
}

/** What the kind of density loss changes: ε is compared with a neuron's mean a², which lies between 0.01 and 0.2 in most BERTs. */
export const LOSS_DEFAULTS: Readonly<Record<"activations" | "neurons", SettingsInput>> = {
  activations: {},
  neurons: { epsilon: { from: 0.1, to: 0.01 } },
};

/** Named sets of values; `paper` is RoBERTa-large on GLUE as arXiv 2402.01911 and its public code have it. */
export const PRESETS: Readonly<Record<"paper", SettingsInput>> = {
  paper: {
    "density-weight": 1,
    "density-warmup-ratio": 0,
    "density-cooldown-ratio": 0,
    epsilon: { from: 1e-7, to: 1e-7 },
    positions: "all",
    padding: "max",
    "max-length": 128,
    "batch-size": 64,
    "learning-rate": 3e-4,
    epochs: 10,
    "weight-decay": 0.01,
    schedule: "linear",
    "warmup-ratio": 0.06,
  },
};

/** What a task changes in a named set: the paper's Flan-T5 on SQuAD. */
export const TASK_PRESETS: Readonly<Record<keyof typeof PRESETS, typeof TASK_DEFAULTS>> = {
  paper: { squad: { "max-length": 384, "batch-size": 4, "learning-rate": 3e-5 } },
};

const PAPER_LORA = { rank: 8, alpha: 16, dropout: 0.1, targets: ["query", "value"] } as const satisfies SettingsInput;

/** What a method changes in a named set: its own settings, and the ε of its own that the paper's code gives its prompt-tuning script. */
export const METHOD_PRESETS: Readonly<
  Record<keyof typeof PRESETS, Readonly<Partial<Record<MethodName, SettingsInput>>>>
> = {
  paper: {
    lora: PAPER_LORA,
    qlora: PAPER_LORA,
    adapter: { "reduction-factor": 16 },
    prompt: { "virtual-tokens": 60, epsilon: { from: 20, to: 20 } },
    prefix: { "virtual-tokens": 60 },
  },
};

/** The keys that `--preset paper` decides, whatever the method. */
export const PAPER_KEYS: ReadonlySet<string> = new Set(
  [PRESETS.paper, ...Object.values(METHOD_PRESETS.paper)].flatMap((values) => Object.keys(values)),
);
