// The table of methods: five of them, without and with the density loss, on whole, 4-bit and pruned bases, three seeds.
//   npx tsx scripts/experiments/methods.ts --model MINILM --data SST-2-FOLDER --output OUT [--only REGEX] [--table]
// Resumable: what OUT holds is not run again. --table only reads what is there; --page docs/explanation/methods.md puts the tables there.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fresh, isFinished, deft as runDeft } from "./deft-process.ts";
import { intoPage } from "./markdown.ts";
import { writeData } from "./methods-data.ts";
import { type Cell, type FinishedRun, methodsReport, methodsTables } from "./methods-table.ts";
import { smallT5 } from "./small-t5.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: ".cache/minilm/model" },
    data: { type: "string", default: "" },
    output: { type: "string" },
    only: { type: "string", default: "" },
    table: { type: "boolean", default: false },
    page: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    deft: { type: "string", default: "node --import tsx src/cli/main.ts" },
    python: { type: "string", default: process.env.DEFT_PYTHON ?? ".venv/bin/python" },
  },
});
if (values.output === undefined) throw new Error("--output: expected a folder, got nothing");
const out = values.output;

const SEEDS = [1, 2, 3];
const METHODS = ["lora", "qlora", "adapter", "prompt", "prefix"] as const;
type MethodName = (typeof METHODS)[number];

// QLoRA is LoRA on a 4-bit base, so it stands with the 4-bit rows of the others
const BASES: readonly { readonly base: Cell["base"]; readonly methods: readonly MethodName[] }[] = [
  { base: "float32", methods: ["lora", "adapter", "prompt", "prefix"] },
  { base: "nf4", methods: ["qlora", "adapter", "prompt", "prefix"] },
  { base: "wanda 50 %", methods: ["lora", "qlora", "adapter", "prompt", "prefix"] },
];

const MODELS = {
  minilm: {
    name: "MiniLM",
    data: ["--task", "sst2", "--data", join(out, "data/sst2")],
    base: () => values.model,
    all: ["--epochs", "1", "--batch-size", "16"],
  },
  t5: {
    name: "small T5",
    data: ["--task", "seq2seq", "--data", join(out, "data/text"), "--max-new-tokens", "4"],
    base: () => madeT5(),
    all: ["--epochs", "1", "--batch-size", "16"],
  },
} as const;
type ModelName = keyof typeof MODELS;

const METHOD_FLAGS: Readonly<Record<MethodName, readonly string[]>> = {
  lora: ["--targets", "all-linear"],
  qlora: ["--targets", "all-linear"],
  adapter: [],
  prompt: ["--virtual-tokens", "8"],
  prefix: ["--virtual-tokens", "8"],
};

/** Virtual tokens of an encoder that does not know the task learn nothing in 100 steps at the usual rates. */
const RATES: Readonly<Record<ModelName, Readonly<Record<MethodName, string>>>> = {
  minilm: { lora: "1e-3", qlora: "1e-3", adapter: "1e-3", prompt: "5e-2", prefix: "5e-2" },
  t5: { lora: "1e-3", qlora: "1e-3", adapter: "1e-3", prompt: "1e-2", prefix: "1e-2" },
};

/** Weights that cost the task nothing that can be seen. */
const WEIGHTS: Readonly<Record<ModelName, Readonly<Record<MethodName, number>>>> = {
  minilm: { lora: 0.2, qlora: 0.2, adapter: 0.1, prompt: 1, prefix: 0.2 },
  t5: { lora: 1, qlora: 1, adapter: 5, prompt: 1, prefix: 1 },
};

interface Plan extends Cell {
  readonly variant: "peft" | "deft";
  readonly seed: number;
  readonly folder: string;
  readonly flags: () => readonly string[];
}

function plans(): Plan[] {
  const all: Plan[] = [];
  for (const { base, methods } of BASES)
    for (const model of Object.keys(MODELS) as ModelName[])
      for (const seed of SEEDS)
        for (const method of methods)
          for (const variant of ["peft", "deft"] as const) all.push(planOf(model, base, method, variant, seed));
  return all;
}

function planOf(
  model: ModelName,
  base: Cell["base"],
  method: MethodName,
  variant: "peft" | "deft",
  seed: number,
): Plan {
  const { name, data, base: whole, all } = MODELS[model];
  const weight = variant === "peft" ? 0 : WEIGHTS[model][method];
  const isNf4 = base === "nf4" && method !== "qlora";
  const folder = join(out, "runs", [model, base.replace(/\W+/g, ""), method, variant, seed].join("-"));
  return {
    model: name,
    base,
    method,
    variant,
    seed,
    folder,
    flags: () => [
      "--model",
      base === "wanda 50 %" ? pruned(model) : whole(),
      ...data,
      "--method",
      method,
      ...METHOD_FLAGS[method],
      "--learning-rate",
      RATES[model][method],
      ...all,
      ...(isNf4 ? ["--quantize", "nf4"] : []),
      "--density-weight",
      String(weight),
      "--seed",
      String(seed),
      "--threads",
      values.threads,
    ],
  };
}

const deft = (args: readonly string[], usageFile = "") => runDeft(values.deft, args, usageFile);

/** A T5 of 3 + 3 layers, trained from random weights on the part of SST-2 that nothing else uses. */
function madeT5(): string {
  const data = ["--task", "seq2seq", "--data", join(out, "data/t5"), "--max-new-tokens", "4", "--max-length", "64"];
  const steps = ["--learning-rate", "1e-3", "--epochs", "2", "--batch-size", "32"];
  return smallT5(out, {
    python: values.python,
    texts: join(out, "data/t5/train.jsonl"),
    size: [],
    recipe: [...data, ...steps],
    deft: (...args) => deft(args),
  });
}

function pruned(model: ModelName): string {
  const folder = join(out, `${model}-wanda`);
  if (existsSync(folder)) return folder;
  const { data, base } = MODELS[model];
  const from = ["--model", base(), ...data.slice(0, 4), "--threads", values.threads];
  deft(["compress", ...from, "--prune", "wanda:0.5", "--output", folder]);
  return folder;
}

function finishedRun({ folder, flags: _flags, ...cell }: Plan): FinishedRun {
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const lines = (name: string) =>
    read(name)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
  const usage = existsSync(join(folder, "usage.json"))
    ? (JSON.parse(read("usage.json")) as { maxRSS: number; userCPUTime: number })
    : null;
  return {
    ...cell,
    record: JSON.parse(read("run.json")) as FinishedRun["record"],
    events: lines("events.jsonl") as FinishedRun["events"],
    outcomes: lines("predictions.jsonl") as FinishedRun["outcomes"],
    peakBytes: usage === null ? null : usage.maxRSS * 1024,
    cpuSeconds: usage === null ? null : usage.userCPUTime / 1e6,
  };
}

mkdirSync(out, { recursive: true });
const wanted = plans().filter(({ folder }) => new RegExp(values.only).test(folder));
if (!values.table) {
  if (!existsSync(join(out, "data"))) await writeData(values.data, join(out, "data"), { train: 1600, heldOut: 2000 });
  for (const { folder, flags } of wanted) {
    if (isFinished(folder)) continue;
    const started = Date.now();
    deft(["train", ...flags(), "--output", fresh(folder)], join(folder, "usage.json"));
    process.stderr.write(`${folder}: ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
  }
}
const finished = wanted.filter(({ folder }) => isFinished(folder)).map(finishedRun);
const report = methodsReport(finished);
writeFileSync(join(out, "methods.json"), `${JSON.stringify(report, null, 2)}\n`);
console.log(methodsTables(report));
if (values.page !== "") intoPage(values.page, methodsTables(report));
