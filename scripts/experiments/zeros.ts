// Score against exact density: a swap with refit of plain PEFT alone, training on real zeros, and the paper's loss on GELU beside them.
//   npx tsx scripts/experiments/zeros.ts --model MINILM --glue GLUE-FOLDER --squad SQUAD-FOLDER --t5 SMALL-T5 --output OUT [--only REGEX] [--table]
// Resumable: what OUT holds is not run again. --table only reads what is there; --page docs/explanation/zeros.md puts the tables there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Density } from "../../src/density/index.ts";
import { fresh, isFinished, keepJson, deft as runDeft } from "./deft-process.ts";
import { intoPage } from "./markdown.ts";
import { TASKS, writeZerosData, type ZerosTask } from "./zeros-data.ts";
import { type Measured, zerosTables } from "./zeros-table.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: ".cache/minilm/model" },
    glue: { type: "string", default: "" },
    squad: { type: "string", default: "" },
    t5: { type: "string", default: "" },
    output: { type: "string" },
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "1,2,3" },
    table: { type: "boolean", default: false },
    page: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    deft: { type: "string", default: "node --import tsx src/cli/main.ts" },
  },
});
if (values.output === undefined) throw new Error("--output: expected a folder, got nothing");
const out = resolve(values.output);
const deft = (...args: string[]) => runDeft(values.deft, [...args, "--threads", values.threads]);

/** Shares of non-zero activations that are asked for. */
const DENSITIES = [0.05, 0.02, 0.1, 0.2] as const;

/** How runs are trained, beside their task. */
const RECIPE = ["--method", "lora", "--targets", "all-linear", "--learning-rate", "1e-3", "--keep", "last"];
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  plain: ["--density-weight", "0"],
  paper: ["--density-weight", "1"],
  zeros: ["--activation", "relu", "--density-budget", "0.0275", "--fit-steps", "0"],
  fitted: ["--activation", "relu", "--density-budget", "0.0275"],
  taught: ["--activation", "relu", "--density-budget", "0.0275", "--fit-steps", "0"],
};

interface Point {
  readonly task: ZerosTask;
  readonly seed: number;
  readonly variant: string;
  /** Share of activations that a swap leaves; null: none. */
  readonly density: number | null;
  /** Each MLP of the swapped model is trained alone, as by default; otherwise only its output is fitted. */
  readonly isFitted: boolean;
}

function points(): Point[] {
  const seeds = values.seeds.split(",").map(Number);
  return seeds.flatMap((seed) =>
    (Object.keys(TASKS) as ZerosTask[]).flatMap((task) => {
      const trained = (variant: string) => ({ task, seed, variant, density: null, isFitted: false });
      const swapped = (density: number, isFitted: boolean) => ({ ...trained("plain"), density, isFitted });
      return [
        trained("plain"),
        ...DENSITIES.map((density) => swapped(density, true)),
        trained("fitted"),
        ...DENSITIES.map((density) => swapped(density, false)),
        trained("zeros"),
        trained("paper"),
        ...(TASKS[task].isTaught ? [trained("taught")] : []),
      ];
    }),
  );
}

const nameOf = ({ task, seed, variant, density, isFitted }: Point) =>
  [task, seed, variant, ...(density === null ? [] : [String(100 * density)]), ...(isFitted ? ["fitted"] : [])].join(
    "-",
  );

async function train(point: Point): Promise<string> {
  const { task, seed, variant } = point;
  const folder = join(out, "runs", nameOf({ ...point, density: null, isFitted: false }));
  if (isFinished(folder)) return folder;
  const data = join(out, "data", task);
  if (!existsSync(data)) await writeZerosData(values, data, task);
  const { flags, steps } = TASKS[task];
  const own = [...flags, ...RECIPE, ...VARIANTS[variant]!, "--max-steps", String(steps), "--seed", String(seed)];
  const teacher = variant === "taught" ? ["--teacher", await train({ ...point, variant: "plain", density: null })] : [];
  deft(
    "train",
    ...teacher,
    "--model",
    task === "t5" ? values.t5 : values.model,
    "--data",
    data,
    ...own,
    "--output",
    fresh(folder),
  );
  return folder;
}

async function made(point: Point): Promise<string> {
  const run = await train(point);
  if (point.density === null) return run;
  const folder = join(out, "small", nameOf(point));
  const texts = point.isFitted ? [] : ["--fit-steps", "0", "--calibration-examples", "1024"];
  const flags = ["--activation", "relu", "--density-budget", String(point.density), ...texts, "--limit-eval", "40"];
  if (!existsSync(join(folder, "compression.json"))) deft("compress", run, ...flags, "--output", fresh(folder));
  return folder;
}

async function measure(point: Point): Promise<void> {
  const file = join(out, "measured", `${nameOf(point)}.json`);
  if (existsSync(file)) return;
  const folder = await made(point);
  const { stated, metric } = TASKS[point.task];
  const said = JSON.parse(deft("eval", folder, "--data", join(out, "data", point.task, ...stated), "--json")) as {
    readonly examples: number;
    readonly metrics: Readonly<Record<string, number>>;
    readonly density: Readonly<Record<"encoder" | "decoder", Density | undefined>>;
  };
  const stacks = [said.density.encoder!, ...(said.density.decoder === undefined ? [] : [said.density.decoder])];
  const measured: Measured = {
    ...point,
    examples: said.examples,
    score: said.metrics[metric]!,
    exact: stacks.map(({ exact }) => exact),
    above: stacks.map(({ thresholds }) => thresholds["0.01"]!),
  };
  keepJson(file, measured);
  process.stdout.write(
    `${nameOf(point)}: ${measured.score.toFixed(4)} at ${measured.exact.map((share) => (100 * share).toFixed(2)).join(" and ")} %\n`,
  );
}

if (!values.table)
  for (const point of points().filter((one) => new RegExp(values.only).test(nameOf(one)))) await measure(point);

const found = readdirSync(join(out, "measured"))
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(out, "measured", name), "utf8")) as Measured);
const tables = zerosTables(found);
if (values.page === "") process.stdout.write(`${tables}\n`);
else intoPage(values.page, tables);
