// The commands: light descriptions, bodies behind dynamic imports.
import type { Argument, Command } from "./command.ts";
import { SHELLS } from "./completion.ts";
import {
  BENCH_FLAGS,
  COMPRESS_FLAGS,
  DRY_RUN,
  EXPORT_FLAGS,
  type Flag,
  LIST_FLAG,
  PAGE_FLAG,
  PREDICT_FLAGS,
  PRUNE_FLAGS,
  REPORT_BENCH_FLAG,
  settingFlags,
} from "./flags.ts";

const CONFIG: Argument = ["[config]", "A YAML file of settings; flags override it.", "path"];
const RUN_OR_MODEL: Argument = ["[run]", "The folder of a run; without it, give --model.", "folder"];

/** The settings of a command that opens a RUN: `--model` stands in its place, and defaults are the run's own. */
function targetFlags(command: "eval" | "predict" | "profile" | "compress" | "export" | "bench"): Flag[] {
  return settingFlags(command).map((flag) => {
    if (flag.name === "model")
      return { ...flag, help: "Open this model in place of a RUN: a Hugging Face id, or a folder." };
    if (flag.default === undefined) return flag;
    return { ...flag, default: flag.name === "batch-size" ? "32" : "that of the run", otherDefaults: "" };
  });
}

/** Every command, in the order of help. */
export const COMMANDS: readonly Command[] = [
  {
    name: "demo",
    summary: "fine-tune the bundled model without and with the density loss, and compress it; works offline",
    flags: settingFlags("demo"),
    examples: ["deft demo", "deft demo --output runs/demo"],
    load: () => import("./commands/demo.ts"),
  },
  {
    name: "init",
    summary: "write a commented settings file: from data that it looks at, from a preset, from flags, or by asking",
    args: [
      ["[data]", "A data file, or a folder of splits, to look at; what is no data is the file to write.", "path"],
      ["[file]", "The YAML file to write (deft.yaml); - prints it.", "path"],
    ],
    flags: [...settingFlags("init"), LIST_FLAG],
    examples: [
      "deft init",
      "deft init reviews.csv",
      "deft init reviews.csv reviews.yaml --model FacebookAI/roberta-base --label-column stars",
      "deft init --list",
      "deft init sst2.yaml --preset roberta-large/sst2/adapter-deft --data data/SST-2",
      "deft init - --model DIR --task sst2 --data data/SST-2 --rank 16",
    ],
    load: () => import("./commands/init.ts"),
  },
  {
    name: "train",
    summary: "fine-tune a model, with settings from flags, a YAML file or both",
    args: [CONFIG],
    flags: [...settingFlags("train"), DRY_RUN],
    examples: [
      "deft train --model FacebookAI/roberta-base --task sst2 --data data/SST-2 --output runs/sst2",
      "deft train config.yaml --density-weight 0 --output runs/plain",
      "deft train --output runs/sst2 --resume",
    ],
    load: () => import("./commands/train.ts"),
  },
  {
    name: "compare",
    summary: "train without and with the density loss, for each method and seed, and compare",
    args: [CONFIG],
    flags: settingFlags("compare"),
    examples: ["deft compare --model DIR --task sst2 --data data/SST-2 --methods lora,adapter --seeds 1,2,3"],
    load: () => import("./commands/compare.ts"),
  },
  {
    name: "eval",
    summary: "measure the score and density of a run on a split or file",
    args: [RUN_OR_MODEL],
    flags: targetFlags("eval"),
    examples: ["deft eval runs/sst2 --json", "deft eval runs/sst2 --data mine.csv --text-column review"],
    load: () => import("./commands/eval.ts"),
  },
  {
    name: "predict",
    summary: "predict labels or answers for texts, one JSON line each",
    args: [RUN_OR_MODEL],
    flags: [...PREDICT_FLAGS, ...targetFlags("predict")],
    examples: [
      'deft predict runs/squad --question "Who built it?" --context "It was built by Ada."',
      'deft predict runs/sst2 --text "a gripping, funny film"',
      "deft predict runs/sst2 < texts.jsonl",
      "deft predict runs/reviews --input new.csv --output answers.csv",
    ],
    load: () => import("./commands/predict.ts"),
  },
  {
    name: "profile",
    summary: "measure activation density by every definition, per layer",
    args: [["[run-or-model]", "The folder of a run or of a model, or a Hugging Face id.", "folder"]],
    flags: [...targetFlags("profile"), PAGE_FLAG],
    examples: [
      "deft profile runs/sst2",
      "deft profile bert-base-uncased --task sst2 --data data/SST-2 --output p.html",
    ],
    load: () => import("./commands/profile.ts"),
  },
  {
    name: "compress",
    summary: "make a smaller model: remove neurons and MLPs by rule or budget, or set weights to zero",
    args: [RUN_OR_MODEL],
    flags: [...COMPRESS_FLAGS, ...PRUNE_FLAGS, ...targetFlags("compress")],
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
    summary: "write a run as a folder that peft, AdapterHub, transformers or Transformers.js loads",
    args: [RUN_OR_MODEL],
    flags: [...EXPORT_FLAGS, ...targetFlags("export")],
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
    summary: "measure latency, throughput, load time, memory and size of several models in turn",
    args: [
      ["<runs...>", "Folders of runs, compressed models or exports; the others are compared with the first.", "folder"],
    ],
    flags: [...BENCH_FLAGS, ...targetFlags("bench")],
    examples: [
      "deft bench runs/sst2 runs/sst2-small",
      "deft bench runs/sst2 runs/sst2-small --peers transformers.js,pytorch --batches 1,32 --json",
    ],
    load: () => import("./commands/bench.ts"),
  },
  {
    name: "report",
    summary: "write one HTML page of runs and compressed models; it opens without a server",
    args: [
      [
        "<runs...>",
        "Folders of runs and of compressed models; runs that differ only in the density loss are compared.",
        "folder",
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
    summary: "show what this machine has, what is missing, and how to get it",
    flags: [],
    examples: ["deft doctor", "deft doctor --json"],
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "setup",
    summary: "fetch ONNX Runtime for this machine now: for images, and for machines that will be off line",
    flags: [],
    examples: ["deft setup", "DEFT_CACHE=.deft deft setup"],
    load: () => import("./commands/setup.ts"),
  },
  {
    name: "complete",
    summary: "print a shell's script for completion",
    args: [["<shell>", `One of ${SHELLS.join(", ")}.`, SHELLS]],
    flags: [],
    examples: ["deft complete fish > ~/.config/fish/completions/deft.fish", "source <(deft complete bash)"],
    load: () => import("./commands/complete.ts"),
  },
];
