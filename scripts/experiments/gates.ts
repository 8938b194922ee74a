// Do gates order MLPs as removing them does? Runs of 100 and 400 steps on MiniLM, a BERT of 12 layers and a small T5, three seeds each:
// gates against ablation, and what is left of the score when a quarter or a third of the MLPs goes by gates, ablation, depth and chance.
//   npx tsx scripts/experiments/gates.ts --data SST-2-FOLDER --output OUT [--only REGEX] [--table] [--page docs/explanation/gates.md]
// Resumable: what OUT holds is not run again. --python names one with torch and transformers, for the two models that are made here.
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { fresh, isFinished, keepJson, deft as runDeft } from "./deft-process.ts";
import { measureGates } from "./gates-measure.ts";
import { gatesTables, type MeasuredRun } from "./gates-table.ts";
import { intoPage } from "./markdown.ts";
import { writeData } from "./methods-data.ts";
import { runScript, smallT5 } from "./small-t5.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: ".cache/minilm/model" },
    data: { type: "string", default: "" },
    output: { type: "string" },
    only: { type: "string", default: "" },
    table: { type: "boolean", default: false },
    page: { type: "string", default: "" },
    python: { type: "string", default: ".venv/bin/python" },
    deft: { type: "string", default: "node --import tsx src/cli/main.ts" },
  },
});
if (values.output === undefined) throw new Error("--output: expected a folder, got nothing");
const out = resolve(values.output);
const deft = (...args: string[]) => runDeft(values.deft, [...args, "--threads", "1"]);

type ModelName = "minilm" | "bert12" | "t5";
interface Variant {
  readonly name: string;
  readonly flags: readonly string[];
}

const TEXT = ["--task", "seq2seq", "--max-new-tokens", "4", "--max-length", "64"];
const CLASSES = ["--task", "sst2"];
const LORA = [
  "--method",
  "lora",
  "--targets",
  "all-linear",
  "--rank",
  "8",
  "--learning-rate",
  "1e-3",
  "--batch-size",
  "16",
];
/** How many MLPs go: a quarter and a third, of MiniLM's six one and two. */
const COUNTS: Readonly<Record<ModelName, readonly number[]>> = { minilm: [1, 2], bert12: [3, 4], t5: [2, 3] };
const DRAWS: Readonly<Record<number, number>> = { 100: 4, 400: 6 };
const PLAIN = ["--density-weight", "0"];
const SPARSE = ["--density-weight", "0.2"];
const VARIANTS: readonly Variant[] = [
  { name: "importance", flags: [...PLAIN, "--ada"] },
  { name: "sigmoid", flags: [...PLAIN, "--ada", "--gates", "sigmoid"] },
  { name: "plain", flags: PLAIN },
  { name: "importance-sparse", flags: [...SPARSE, "--ada"] },
  { name: "plain-sparse", flags: SPARSE },
];

/** The folder of a model, made where it is not there yet. */
function baseOf(model: ModelName): string {
  if (model === "minilm") return values.model;
  const folder = join(out, model);
  if (existsSync(join(folder, "config.json"))) return folder;
  const texts = join(out, "data/t5/train.jsonl");
  if (model === "bert12") {
    runScript(values.python, "small_bert.py", "--texts", texts, "--teacher", values.model, "--out", fresh(folder));
    return folder;
  }
  const steps = ["--learning-rate", "1e-3", "--max-steps", "1500", "--batch-size", "32"];
  const data = ["--data", join(out, "data/t5"), "--limit-train", "48000", "--limit-eval", "200"];
  const recipe = [...steps, ...TEXT, ...data];
  return smallT5(out, { python: values.python, texts, size: ["--layers", "4"], recipe, deft });
}

async function measured(model: ModelName, steps: number, variant: Variant, seed: number): Promise<void> {
  const name = nameOf(model, steps, variant.name, seed);
  const file = join(out, `${name}.json`);
  if (existsSync(file)) return;
  const started = Date.now();
  const folder = join(out, "runs", name);
  const data =
    model === "t5" ? [...TEXT, "--data", join(out, "data/text")] : [...CLASSES, "--data", join(out, "data/sst2")];
  const run = ["--max-steps", String(steps), "--seed", String(seed), "--limit-eval", "100", "--output"];
  if (!isFinished(folder))
    deft("train", "--model", baseOf(model), ...data, ...LORA, ...variant.flags, ...run, fresh(folder));
  const counts = variant.name.startsWith("plain") ? [] : COUNTS[model];
  const result = await measureGates(folder, {
    counts,
    draws: DRAWS[steps]!,
    seed,
    limit: model === "minilm" ? 1200 : 2400,
  });
  keepJson(file, { model, steps, variant: variant.name, seed, ...result });
  process.stderr.write(`${name}: ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
}

const nameOf = (model: ModelName, steps: number, variant: string, seed: number) =>
  `${model}-${steps}-${variant}-${seed}`;

if (!existsSync(join(out, "data"))) await writeData(values.data, join(out, "data"), { train: 8000, heldOut: 1528 });
const wanted = VARIANTS.flatMap((variant) =>
  (["minilm", "bert12", "t5"] as const).flatMap((model) =>
    [100, 400].flatMap((steps) => [1, 2, 3].map((seed) => ({ model, steps, variant, seed }))),
  ),
).filter(({ model, steps, variant, seed }) => new RegExp(values.only).test(nameOf(model, steps, variant.name, seed)));
if (!values.table) for (const { model, steps, variant, seed } of wanted) await measured(model, steps, variant, seed);
const files = wanted.map(({ model, steps, variant, seed }) =>
  join(out, `${nameOf(model, steps, variant.name, seed)}.json`),
);
const runs = files
  .filter((file) => existsSync(file))
  .map((file) => JSON.parse(readFileSync(file, "utf8")) as MeasuredRun);
const tables = gatesTables(runs);
console.log(tables);
if (values.page !== "") intoPage(values.page, tables);
