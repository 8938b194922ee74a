// The named sets of values that are laid over the defaults of the table.
import type { MethodName, SettingsInput, TaskName } from "./table/index.ts";

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

type Changes<Name extends string> = Readonly<Record<keyof typeof PRESETS, { readonly [N in Name]?: SettingsInput }>>;

/** What a task changes in a named set: the paper's Flan-T5 on SQuAD. */
export const TASK_PRESETS: Changes<TaskName> = {
  paper: {
    squad: {
      "max-length": 384,
      "batch-size": 4,
      "learning-rate": 3e-5,
      // its script on SQuAD is not the one on GLUE
      "warmup-ratio": 0,
      "weight-decay": 0,
      "max-grad-norm": 1,
    },
  },
};

const PAPER_LORA: SettingsInput = { rank: 8, alpha: 16, dropout: 0.1, targets: ["query", "value"] };

/** What a method changes in a named set: its own options, and the ε of its own that the paper's code gives its prompt-tuning script. */
export const METHOD_PRESETS: Changes<MethodName> = {
  paper: {
    lora: PAPER_LORA,
    qlora: PAPER_LORA,
    adapter: { "reduction-factor": 16 },
    prompt: { "virtual-tokens": 60, epsilon: { from: 20, to: 20 } },
    prefix: { "virtual-tokens": 60 },
  },
};

/** The keys that `--preset paper` decides, whatever the method and the task. */
export const PAPER_KEYS: ReadonlySet<string> = new Set(
  [PRESETS.paper, ...Object.values(METHOD_PRESETS.paper), ...Object.values(TASK_PRESETS.paper)].flatMap((values) =>
    Object.keys(values),
  ),
);
