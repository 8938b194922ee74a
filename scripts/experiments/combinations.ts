// The table of combinations: a dense and a smaller model, whole and pruned, each in float32, int8, qdq and q4.
//   npx tsx scripts/experiments/combinations.ts --model MINILM --data SST-2-FOLDER --output OUT [--times] [--page docs/explanation/compress.md]
// Resumable: what OUT holds is not made again. --times measures latencies too, for which the machine must be quiet.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeExamples, openDataset, splitOf } from "../../src/data/index.ts";
import { logitsOf } from "../../src/evaluate/encoder-logits.ts";
import { scoreLogits } from "../../src/evaluate/task-scores.ts";
import { INPUT_NAMES, type Precision } from "../../src/export/index.ts";
import { onnxFile } from "../../src/jobs/export/onnx-files.ts";
import type { BenchReport } from "../../src/jobs/index.ts";
import { maxLengthOf, openTarget, usableLength } from "../../src/load/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { nodeBackend } from "../../src/runtime/node.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: ".cache/minilm/model" },
    data: { type: "string", default: "" },
    output: { type: "string" },
    times: { type: "boolean", default: false },
    page: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "40" },
    deft: { type: "string", default: "node --import tsx src/cli/main.ts" },
  },
  allowNegative: true,
});
if (values.output === undefined) throw new Error("--output: expected a folder, got nothing");
const out = values.output;

const TASK = ["--task", "sst2", "--data", values.data];
const RECIPE = "--method lora --targets all-linear --learning-rate 1e-3 --max-steps 400 --batch-size 16".split(" ");
const PLAIN = ["--density-weight", "0", "--seed", "1"];
const REMOVAL = ["--keep-neurons", "0.25", "--removal-start", "0.2", "--removal-end", "0.6"];
const PRECISIONS: readonly Precision[] = ["fp32", "int8", "qdq", "q4"];

/** A row's model before it is put into fewer bits. */
interface Variant {
  readonly neurons: "all" | "a quarter";
  readonly base: "whole" | "wanda 50 %";
  readonly name: string;
}

const VARIANTS: readonly Variant[] = (["all", "a quarter"] as const).flatMap((neurons) =>
  (["whole", "wanda 50 %"] as const).map((base) => ({
    neurons,
    base,
    name: `${neurons === "all" ? "dense" : "removed"}-${base === "whole" ? "whole" : "wanda"}`,
  })),
);

interface Row extends Variant {
  readonly precision: Precision;
  readonly fileBytes: number;
  /** Share of right answers on SST-2's dev. */
  readonly score: number;
  readonly examples: number;
  /** Root of the mean squared difference of a logit from the same model's in float32. */
  readonly logitsChange: number;
  /** Median over rounds of its time over the dense model's in float32, by batch size; absent: not measured. */
  readonly times?: Readonly<Record<string, number>>;
}

function deft(args: readonly string[]): string {
  const [program = "node", ...first] = values.deft.split(" ");
  const made = spawnSync(program, [...first, ...args, "-q"], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (made.status !== 0) throw new Error(`deft ${args.join(" ")}: exit code ${made.status}\n${made.stderr}`);
  return made.stdout;
}

/** Makes a folder once: one that lacks `proof` was left by an interruption. */
function once(folder: string, proof: string, make: (folder: string) => void): string {
  if (existsSync(join(folder, proof))) return folder;
  rmSync(folder, { recursive: true, force: true });
  make(folder);
  return folder;
}

const threads = ["--threads", values.threads];

function baseOf({ base }: Variant): string {
  if (base === "whole") return values.model;
  return once(join(out, "minilm-wanda"), "config.json", (folder) => {
    deft(["compress", "--model", values.model, ...TASK, ...threads, "--prune", "wanda:0.5", "--output", folder]);
  });
}

/** A finished run; of neurons that training switched off, the model without them. */
function modelOf(variant: Variant): string {
  const removal = variant.neurons === "all" ? [] : REMOVAL;
  const run = once(join(out, "runs", variant.name), "adapter", (folder) => {
    deft([
      "train",
      "--model",
      baseOf(variant),
      ...TASK,
      ...RECIPE,
      ...PLAIN,
      ...removal,
      ...threads,
      "--output",
      folder,
    ]);
  });
  if (variant.neurons === "all") return run;
  return once(join(out, "small", variant.name), "compression.json", (folder) => {
    deft(["compress", run, ...threads, "--output", folder]);
  });
}

function exported(variant: Variant): string {
  return once(join(out, "onnx", variant.name), "config.json", (folder) => {
    const wanted = ["--format", "onnx", "--precision", PRECISIONS.join(",")];
    deft(["export", modelOf(variant), ...wanted, ...threads, "--output", folder]);
  });
}

const environment = nodeEnvironment();

/** The texts of SST-2's dev as a run reads them. */
async function devOf(run: string) {
  const opened = await openTarget(environment, { kind: "run", folder: run }, {});
  const dataset = await openDataset(environment.files, { task: "sst2", data: values.data, splits: ["dev"] });
  const maxLength = usableLength(opened.base, maxLengthOf(opened));
  const examples = await encodeExamples(splitOf(dataset, "dev").examples(), opened.base.tokenizer, { maxLength });
  return { task: dataset.task, head: opened.head, examples };
}

interface Scored {
  readonly score: number;
  readonly examples: number;
  readonly logits: readonly number[];
}

/** The exported file itself, opened and asked. */
async function scored(file: string, run: string): Promise<Scored> {
  const known = `${file}.score.json`;
  if (existsSync(known)) return JSON.parse(readFileSync(known, "utf8")) as Scored;
  const { task, head, examples } = await devOf(run);
  const program = await nodeBackend({ threads: Number(values.threads) }).open({
    bytes: readFileSync(file),
    inputs: INPUT_NAMES.map((name) => ({ name, dtype: "int64", shape: ["batch_size", "sequence_length"] })),
    outputs: [{ name: "logits", dtype: "float32", shape: ["batch_size", 2] }],
    external: [],
    hasCopies: false,
    hasStoredMatrices: false,
    nonEmpty: [],
    sites: new Map(),
  });
  const logits = await logitsOf(program, head, examples);
  await program.dispose();
  const result = {
    score: scoreLogits(logits, examples, { task, head, pointing: {} }).metrics.accuracy!,
    examples: examples.count,
    logits: Array.from(logits),
  };
  writeFileSync(known, JSON.stringify(result));
  return result;
}

async function rowsOf(variant: Variant, bench: BenchReport | null): Promise<Row[]> {
  const folder = exported(variant);
  const rows: Row[] = [];
  let float: readonly number[] = [];
  for (const precision of PRECISIONS) {
    const file = join(folder, "onnx", onnxFile("model", precision));
    const { logits, ...result } = await scored(file, join(out, "runs", variant.name));
    if (precision === "fp32") float = logits;
    const squares = logits.reduce((sum, value, i) => sum + (value - float[i]!) ** 2, 0);
    const timed = bench?.rows.filter((row) => benchName(row.run) === variant.name && row.precision === precision);
    rows.push({
      ...variant,
      precision,
      fileBytes: readFileSync(file).length,
      ...result,
      logitsChange: Math.sqrt(squares / logits.length),
      ...(timed === undefined ? {} : { times: Object.fromEntries(timed.map((row) => [row.batch, row.ratioToFirst])) }),
    });
    process.stderr.write(`${variant.name} ${precision}: ${result.score.toFixed(4)}\n`);
  }
  return rows;
}

const benchName = (folder: string) => folder.split("/").at(-1)!;
const BENCH = join(out, "bench.json");

/** All models side by side; the dense run comes first, as what the others are compared with and whose texts are read. */
function measure(): void {
  const [first, ...others] = VARIANTS.map((variant) => [variant, exported(variant)] as const);
  const targets = [join(out, "runs", first![0].name), ...others.map(([, folder]) => folder)];
  const how = ["--precision", PRECISIONS.join(","), "--batches", "1,32", "--rounds", values.rounds];
  writeFileSync(BENCH, deft(["bench", ...targets, ...how, ...threads, "--json"]));
}

function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const whole = rows.find(({ name, precision }) => name === row.name && precision === "fp32")!;
    const change = 100 * (row.score - whole.score);
    const time = (batch: number) => row.times?.[batch]?.toFixed(2) ?? "–";
    return [
      row.neurons,
      row.base,
      row.precision,
      (row.fileBytes / 1e6).toFixed(1),
      (100 * row.score).toFixed(1),
      row === whole ? "" : `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)}`,
      row === whole ? "" : row.logitsChange.toFixed(3),
      time(1),
      time(32),
    ];
  });
  const head = [
    "neurons",
    "base",
    "weights",
    "file, MB",
    "dev, %",
    "by fewer bits",
    "logits ±",
    "time, batch 1",
    "batch 32",
  ];
  return [head, head.map(() => "---"), ...cells].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

mkdirSync(out, { recursive: true });
if (values.times) measure();
const bench = existsSync(BENCH) ? (JSON.parse(readFileSync(BENCH, "utf8")) as BenchReport) : null;
const rows: Row[] = [];
for (const variant of VARIANTS) rows.push(...(await rowsOf(variant, bench)));
writeFileSync(join(out, "combinations.json"), `${JSON.stringify(rows, null, 2)}\n`);
console.log(table(rows));
if (values.page !== "") {
  const [start, end] = ["<!-- combinations:start -->\n", "<!-- combinations:end -->"];
  const [before = "", rest = ""] = readFileSync(values.page, "utf8").split(start);
  const [, after = ""] = rest.split(end);
  writeFileSync(values.page, `${before}${start}${table(rows)}\n${end}${after}`);
}
