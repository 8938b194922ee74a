// Every default value, written once, and the named sets laid over it.
import type { METHODS, SettingsInput, TASKS } from "./schema.ts";

type MethodName = (typeof METHODS)[number];

/** What a run is made from where nobody says otherwise. */
export const DEFAULTS = {
  method: "lora",
  rank: 8,
  alpha: 16,
  dropout: 0.1,
  targets: ["query", "value"],
  bias: "none",
  rslora: false,
  "adapter-kind": "pfeiffer",
  "reduction-factor": 16,
  "virtual-tokens": 60,
  "prompt-init": "random",
  "prefix-projection": false,
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

/** What a method changes in the defaults. */
export const METHOD_DEFAULTS: Readonly<Record<MethodName, SettingsInput>> = {
  lora: {},
  qlora: { quantize: "nf4" },
  adapter: {},
  prompt: { "learning-rate": 1e-2 },
  prefix: { "learning-rate": 1e-2 },
  head: { "learning-rate": 1e-3 },
  full: { "learning-rate": 2e-5 },
};

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
    rank: 8,
    alpha: 16,
    dropout: 0.1,
    targets: ["query", "value"],
    "reduction-factor": 16,
    "virtual-tokens": 60,
  },
};

/** What a task changes in a named set: the paper's Flan-T5 on SQuAD. */
export const TASK_PRESETS: Readonly<Record<keyof typeof PRESETS, typeof TASK_DEFAULTS>> = {
  paper: { squad: { "max-length": 384, "batch-size": 4, "learning-rate": 3e-5 } },
};

/** What a method changes in a named set: the paper's code gives its prompt-tuning script an ε of its own. */
export const METHOD_PRESETS: Readonly<
  Record<keyof typeof PRESETS, Readonly<Partial<Record<MethodName, SettingsInput>>>>
> = {
  paper: { prompt: { epsilon: { from: 20, to: 20 } } },
};
