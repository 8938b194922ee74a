// The commands: light descriptions, bodies behind dynamic imports.
import type { Command } from "./command.ts";
import {
  BENCH_FLAGS,
  COMPARE_FLAGS,
  COMPRESS_FLAGS,
  DRY_RUN,
  EXPORT_FLAGS,
  type Flag,
  INIT_FLAGS,
  LENGTH_FLAG,
  PAGE_FLAG,
  PREDICT_FLAGS,
  PRUNE_FLAGS,
  REPORT_BENCH_FLAG,
  SPARSE_FLAG,
  SPLIT_FLAG,
  TARGET_FLAGS,
  TRAIN_FLAGS,
  trainFlags,
} from "./flags.ts";

const CONFIG = ["[config]", "a YAML file of settings; flags override it"] as const;
const RUN_OR_MODEL = ["[run]", "a run's folder; without it, --model"] as const;

/** How texts are written and answers chosen. */
const ANSWER_FLAGS = trainFlags(
  "max-target-length",
  "doc-stride",
  "n-best",
  "max-answer-length",
  "null-threshold",
  "num-beams",
  "max-new-tokens",
  "length-penalty",
  "temperature",
  "top-k",
  "top-p",
);

const OPEN_FLAGS = [
  ...TARGET_FLAGS,
  ...trainFlags(
    "task",
    "data",
    "text-column",
    "pair-column",
    "label-column",
    "source-column",
    "target-column",
    "source-prefix",
    "max-length",
    "padding",
    "limit-eval",
    "batch-size",
    "backend",
    "threads",
  ),
];

/** Flags of commands that read a text as the run did, or as far as the model can. */
const asOpened = (flags: readonly Flag[]): Flag[] =>
  flags.map((flag) => (flag.name === LENGTH_FLAG.name ? LENGTH_FLAG : flag));

/** Every command, in the order of help. */
export const COMMANDS: readonly Command[] = [
  {
    name: "demo",
    summary: "fine-tune what ships with the package without and with the density loss, off line",
    flags: [...trainFlags("seed", "threads", "output")],
    examples: ["deft demo", "deft demo --output runs/demo"],
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "init",
    summary: "write a commented settings file: from a preset, from flags, or by asking",
    args: [["[file]", "the YAML file to write (deft.yaml); - prints it"]],
    flags: INIT_FLAGS,
    examples: [
      "deft init",
      "deft init --list",
      "deft init sst2.yaml --preset roberta-large/sst2/adapter-deft --data data/SST-2",
      "deft init - --model DIR --task sst2 --data data/SST-2 --rank 16",
    ],
    load: () => import("./commands/init.ts"),
  },
  {
    name: "train",
    summary: "fine-tune a model; settings from flags, a YAML file or both",
    args: [CONFIG],
    flags: [...TRAIN_FLAGS, DRY_RUN],
    examples: [
      "deft train --model FacebookAI/roberta-base --task sst2 --data data/SST-2 --output runs/sst2",
      "deft train config.yaml --density-weight 0 --output runs/plain",
      "deft train --output runs/sst2 --resume",
    ],
    load: () => import("./commands/train.ts"),
  },
  {
    name: "compare",
    summary: "the same run without and with the density loss, for each method and seed",
    args: [CONFIG],
    flags: [...TRAIN_FLAGS, ...COMPARE_FLAGS],
    examples: ["deft compare --model DIR --task sst2 --data data/SST-2 --methods lora,adapter --seeds 1,2,3"],
    load: () => import("./commands/compare.ts"),
  },
  {
    name: "eval",
    summary: "score and density of a run on a split or file",
    args: [RUN_OR_MODEL],
    flags: [...asOpened(OPEN_FLAGS), SPLIT_FLAG, ...ANSWER_FLAGS, SPARSE_FLAG, ...trainFlags("seed")],
    examples: ["deft eval runs/sst2 --json", "deft eval runs/sst2 --data mine.csv --text-column review"],
    load: () => import("./commands/eval.ts"),
  },
  {
    name: "predict",
    summary: "labels or answers for texts, one JSON line each",
    args: [RUN_OR_MODEL],
    flags: [
      ...PREDICT_FLAGS,
      ...TARGET_FLAGS,
      ...asOpened(trainFlags("task", "source-prefix", "max-length", "batch-size", "backend", "threads")),
      ...ANSWER_FLAGS,
      SPARSE_FLAG,
      ...trainFlags("seed"),
    ],
    examples: [
      'deft predict runs/squad --question "Who built it?" --context "It was built by Ada."',
      'deft predict runs/sst2 --text "a gripping, funny film"',
      "deft predict runs/sst2 < texts.jsonl",
    ],
    load: () => import("./commands/predict.ts"),
  },
  {
    name: "profile",
    summary: "activation density by every definition, per layer",
    args: [["[run-or-model]", "a run's folder, a model's folder or a Hugging Face id"]],
    flags: [...asOpened(OPEN_FLAGS), SPLIT_FLAG, PAGE_FLAG, ...trainFlags("doc-stride", "max-target-length")],
    examples: [
      "deft profile runs/sst2",
      "deft profile bert-base-uncased --task sst2 --data data/SST-2 --output p.html",
    ],
    load: () => import("./commands/profile.ts"),
  },
  {
    name: "compress",
    summary: "a smaller model: neurons and MLPs removed by rule or budget, or weights made zero",
    args: [RUN_OR_MODEL],
    flags: [
      ...OPEN_FLAGS.filter(({ name }) => name !== "backend"),
      SPLIT_FLAG,
      ...COMPRESS_FLAGS,
      ...PRUNE_FLAGS,
      ...trainFlags("seed"),
    ],
    examples: [
      "deft compress runs/sst2 --score-budget 1 --output runs/sst2-small",
      "deft compress runs/sst2 --latency-budget 0.5x --output runs/sst2-fast",
      "deft compress runs/sst2 --keep-neurons 0.25 --skip 3,7 --output runs/sst2-quarter",
      "deft compress --model DIR --prune wanda:0.5 --task sst2 --data data/SST-2 --output pruned",
    ],
    load: () => import("./commands/compress.ts"),
  },
  {
    name: "export",
    summary: "a run as a folder that peft, AdapterHub, transformers or Transformers.js loads",
    args: [RUN_OR_MODEL],
    flags: [
      ...TARGET_FLAGS,
      ...trainFlags("task", "data", "text-column", "pair-column", "label-column", "max-length", "threads"),
      SPLIT_FLAG,
      ...EXPORT_FLAGS,
    ],
    examples: [
      "deft export runs/sst2 --format peft --output dist/sst2-lora",
      "deft export runs/sst2 --format merged --output dist/sst2",
      "deft export runs/sst2-small --format onnx --output dist/sst2-onnx",
      "deft export runs/sst2-small --format onnx --precision fp32,qdq --output dist/sst2-qdq",
      "deft export --model DIR --adapter DIR --format merged --output dist/merged",
    ],
    load: () => import("./commands/export.ts"),
  },
  {
    name: "bench",
    summary: "latency, throughput, load time, memory and size of several models, interleaved",
    args: [
      ["<runs...>", "folders of runs, compressed models or exports; the first is what the others are compared with"],
    ],
    flags: [
      ...trainFlags(
        "task",
        "data",
        "text-column",
        "pair-column",
        "label-column",
        "max-length",
        "limit-eval",
        "threads",
      ),
      SPLIT_FLAG,
      ...BENCH_FLAGS,
    ],
    examples: [
      "deft bench runs/sst2 runs/sst2-small",
      "deft bench runs/sst2 runs/sst2-small --peers transformers.js,pytorch --batches 1,32 --json",
    ],
    load: () => import("./commands/bench.ts"),
  },
  {
    name: "report",
    summary: "one HTML page of one or more runs and compressed models; opens without a server",
    args: [
      [
        "<runs...>",
        "folders of runs, those that differ only in the density loss are compared; and of compressed models",
      ],
    ],
    flags: [PAGE_FLAG, REPORT_BENCH_FLAG],
    examples: [
      "deft report runs/sst2",
      "deft report runs/plain runs/deft --output both.html",
      "deft report runs/sst2 runs/sst2-small runs/sst2-fast --bench bench.json",
    ],
    load: () => import("./commands/report.ts"),
  },
  {
    name: "doctor",
    summary: "what this machine has, what is missing, and how to get it",
    flags: [],
    examples: ["deft doctor", "deft doctor --json"],
    load: () => import("./commands/doctor.ts"),
  },
];
