// How a training step's time and memory grow with batch, length, width and depth, ours and PyTorch's, and what opening more data takes.
//   npx tsx bench/growth.bench.ts [--axis batch,length,width,depth,data] [--output docs/explanation/performance] [--steps 4]
// Processor time of one thread, in which other programs count little, and the peak resident memory of a process for each point.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Curve, drawCurves, standaloneSvg } from "../src/report/figures/chart.ts";
import { seriesColor } from "../src/report/palette.ts";
import { benchCheckpoint, Peer, python } from "./peer.ts";
import { median } from "./rounds.ts";

const { values } = parseArgs({
  options: {
    axis: { type: "string", default: "batch,length,width,depth,data" },
    output: { type: "string", default: "docs/explanation/performance" },
    steps: { type: "string", default: "4" },
  },
});

/** One shape: a BERT of so many layers and so wide, and its batch. */
interface Point {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  readonly length: number;
}
const MINILM: Point = { layers: 6, width: 384, batch: 16, length: 128 };
const AXES: Readonly<
  Record<string, { readonly key: keyof Point; readonly label: string; readonly at: readonly number[] }>
> = {
  batch: { key: "batch", label: "examples a step (MiniLM, 128 tokens each)", at: [4, 8, 16, 32, 64] },
  length: { key: "length", label: "tokens of an example (MiniLM, 16 examples)", at: [32, 64, 128, 256, 512] },
  width: { key: "width", label: "width (6 layers, 16 × 128)", at: [192, 384, 768, 1024] },
  depth: { key: "layers", label: "layers (width 384, 16 × 128)", at: [3, 6, 12, 24] },
};
const ROWS = [1_000, 10_000, 100_000, 1_000_000];

/** What a point took: processor seconds, and bytes of resident memory at most. */
interface Cost {
  readonly seconds: number;
  readonly peak: number;
}
type Costs = readonly { readonly at: number; readonly deft: Cost; readonly torch?: Cost }[];

function batchOf({ batch, length }: Point) {
  const rows = (of: (row: number, at: number) => number) =>
    Array.from({ length: batch }, (_, row) => Array.from({ length }, (__, at) => of(row, at)));
  return {
    tokenIds: rows((row, at) => 5 + ((row * 7919 + at * 31) % 900)),
    attentionMask: rows(() => 1),
    typeIds: rows(() => 0),
    labels: Array.from({ length: batch }, (_, row) => row % 2),
  };
}

/** The median step of a process of its own, the first two left out. */
async function stepCost(command: string, args: readonly string[], point: Point): Promise<Cost> {
  const checkpoint = benchCheckpoint(`bert-${point.layers}x${point.width}`);
  const options = { checkpoint, threads: 1, density: true, dropout: 0.1 };
  const given = command === python ? { ...options, compile: false } : options;
  const peer = new Peer(command, command, [...args, JSON.stringify(given)]);
  await peer.read();
  const times: number[] = [];
  for (let step = 0; step < 2 + Number(values.steps); step++)
    times.push((await peer.ask({ do: "step", batch: batchOf(point) }))["processorMs"]! / 1000);
  const { peak } = await peer.ask({ do: "memory" });
  peer.end();
  return { seconds: median(times.slice(2)), peak: peak! };
}

async function growing(axis: string): Promise<Costs> {
  const { key, at } = AXES[axis]!;
  const costs: { at: number; deft: Cost; torch: Cost }[] = [];
  for (const value of at) {
    const point = { ...MINILM, [key]: value };
    const deft = await stepCost(process.execPath, ["--import", "tsx", "bench/worker.ts"], point);
    const torch = await stepCost(python, ["bench/peer.py"], point);
    costs.push({ at: value, deft, torch });
    console.log(axis, value, costText("deft", deft), costText("PyTorch", torch));
  }
  return costs;
}

/** What `deft train --dry-run` takes before its first step, for tables of so many lines: data read, checked and encoded. */
function opening(): Costs {
  const folder = mkdtempSync(join(tmpdir(), "deft-growth-"));
  const words = [
    "a",
    "plain",
    "film",
    "with",
    "some",
    "good",
    "scenes",
    "and",
    "one",
    "that",
    "is",
    "not",
    "so",
    "dull",
  ];
  try {
    return ROWS.map((rows) => {
      const lines = ["sentence,label"];
      for (let row = 0; row < rows; row++)
        lines.push(
          `${Array.from({ length: 16 }, (_, i) => words[(row * 7 + i * i + (row >> 3)) % words.length]).join(" ")},${row % 2}`,
        );
      writeFileSync(join(folder, "train.csv"), `${lines.join("\n")}\n`);
      const args = ["train", "--dry-run", "--model", ".cache/minilm/model", "--task", "text-classification"];
      const data = ["--data", join(folder, "train.csv"), "--limit-eval", "100", "--threads", "1"];
      const timed = [
        "-c",
        "import resource,subprocess,sys\nsubprocess.run(sys.argv[1:],check=True,stdout=2)\nu=resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(u.ru_utime+u.ru_stime,u.ru_maxrss*1024)",
      ];
      const { stdout, status, stderr } = spawnSync(
        python,
        [...timed, process.execPath, "dist/cli/main.js", ...args, ...data],
        {
          encoding: "utf8",
        },
      );
      if (status !== 0) throw new Error(stderr);
      const [seconds, peak] = stdout.trim().split(" ").map(Number) as [number, number];
      console.log("data", rows, costText("deft", { seconds, peak }));
      return { at: rows, deft: { seconds, peak } };
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const costText = (name: string, { seconds, peak }: Cost) =>
  `${name} ${seconds.toFixed(3)} s ${(peak / 1e9).toFixed(2)} GB`;

function curvesOf(costs: Costs, of: (cost: Cost) => number): Curve[] {
  const curve = (name: string, index: number, side: "deft" | "torch"): Curve => ({
    name,
    color: seriesColor(index),
    points: costs.flatMap(({ at, [side]: cost }) => (cost === undefined ? [] : [{ x: at, y: of(cost) }])),
  });
  const ours = curve("deft", 0, "deft");
  return costs[0]!.torch === undefined ? [ours] : [ours, curve("PyTorch + peft", 1, "torch")];
}

function drawAxis(axis: string, costs: Costs): void {
  const label = AXES[axis]?.label ?? "lines of the training file";
  const what = axis === "data" ? "until the first step" : "of a step, one thread";
  for (const [kind, of, y] of [
    ["time", (cost: Cost) => cost.seconds, `processor seconds ${what}`],
    ["memory", (cost: Cost) => cost.peak / 1e9, "GB of resident memory at most"],
  ] as const) {
    const title = `${y} by ${label}`;
    const { svg } = drawCurves({
      label: title,
      curves: curvesOf(costs, of),
      x: { label, ...(axis === "data" ? { type: "log" as const } : {}) },
      y: { label: y, zero: true },
      dots: true,
    });
    writeFileSync(join(values.output, `${axis}-${kind}.svg`), `${standaloneSvg({ svg, title })}\n`);
  }
}

mkdirSync(values.output, { recursive: true });
const record = join(values.output, "growth.json");
const known = existsSync(record) ? (JSON.parse(readFileSync(record, "utf8")) as Record<string, Costs>) : {};
for (const axis of values.axis.split(",")) {
  known[axis] = axis === "data" ? opening() : await growing(axis);
  drawAxis(axis, known[axis]!);
  writeFileSync(record, `${JSON.stringify(known, null, 2)}\n`);
}
