// A training step over a float base and over quantised ones: time, memory and size, interleaved, each in its own process.
//   npx tsx bench/quant.bench.ts --shape minilm|roberta-base|roberta-large --rounds 8 [--batch 8 --length 64] [--formats nf4,int8] [--threads 1,all]
//   npx tsx bench/quant.bench.ts --products: forward and backward of one product over a stored matrix, by shape and rows
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { backward } from "../src/autodiff/index.ts";
import { between, moment } from "../src/cli/bench-clock.ts";
import { Graph, matmul, mul, reduceSum, type StoredFormat } from "../src/graph/index.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint, openSafetensors, writeSafetensors } from "../src/hub/index.ts";
import { blockLinears, encoderModel, type Model, sanitize } from "../src/models/index.ts";
import { compose } from "../src/nn/index.ts";
import { lora } from "../src/peft/index.ts";
import { openQuantized, quantizedCheckpoint, quantizedHooks, quantizeMatrix } from "../src/quant/index.ts";
import type { Program } from "../src/runtime/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import type { ModelBatch } from "../src/tasks/index.ts";
import { float32, int64, memoryWeights, type Tensor, type Weights } from "../src/tensor/index.ts";
import { Optimizer } from "../src/train/index.ts";
import {
  noHeadline,
  oneThreadCount,
  type PhaseTime,
  ratioText,
  replyOf,
  roundsText,
  takeRounds,
  timed,
  timesText,
  took,
} from "./rounds.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "roberta-base" },
    rounds: { type: "string", default: "8" },
    batch: { type: "string", default: "8" },
    length: { type: "string", default: "64" },
    threads: { type: "string", default: "1,all" },
    formats: { type: "string", default: "float32,nf4,int4,int8" },
    products: { type: "boolean", default: false },
    worker: { type: "string" },
  },
});

const files = nodeFiles();
const backend = nodeBackend({ threads: oneThreadCount(values.threads), sleepThreads: true });

/** A line of /proc: kilobytes as megabytes; 0 where there is no /proc. */
function procMegabytes(file: string, key: string): number {
  if (!existsSync(file)) return 0;
  const line = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(file, "utf8"));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

async function openBase(format: string) {
  const folder = `.cache/bench/${values.shape}`;
  const { config, weights } = await openCheckpoint(files, folder);
  const model = encoderModel(config);
  const base = sanitize(model.config, weights);
  if (format === "float32") return { model, weights: base, hooks: {}, bytes: matrixBytes(model, base) };
  const file = `${folder}/quantised-${format}.safetensors`;
  const started = performance.now();
  const names = new Set(blockLinears(model).map(({ path }) => `${path}.weight`));
  const isNew = (await files.stat(file)) === null;
  if (isNew) await files.write(file, writeSafetensors(quantizedCheckpoint(base, names, format as StoredFormat)));
  const quantiseMs = isNew ? performance.now() - started : null;
  const opened = (await openQuantized(await openSafetensors(files, file), file))!;
  return {
    model,
    weights: opened.weights,
    hooks: quantizedHooks(opened.layouts),
    bytes: matrixBytes(model, opened.weights),
    quantiseMs,
  };
}

/** Bytes in which the block matrices are held. */
function matrixBytes(model: Model, weights: Weights): number {
  let bytes = 0;
  for (const { path } of blockLinears(model)) {
    const weight = weights.get(`${path}.weight`)!;
    for (const part of weight.parts?.values() ?? [weight]) bytes += part.span?.byteLength ?? 4;
  }
  return bytes;
}

async function worker(format: string): Promise<void> {
  const { model, weights, hooks, bytes, quantiseMs = null } = await openBase(format);
  const method = lora();
  const optimizer = await Optimizer.open({
    model,
    method: { ...method, hooks: compose(hooks, method.hooks) },
    head: { kind: "classification", numLabels: 2 },
    weights,
    backend,
    seed: 1,
    accumulate: 1,
    weightDecay: 0.01,
    maxGradNorm: null,
    density: { positions: "attended" },
  });
  const [rows, length] = [Number(values.batch), Number(values.length)];
  const ids = (make: (i: number) => number) =>
    int64(
      [rows, length],
      Array.from({ length: rows * length }, (_, i) => make(i)),
    );
  const batch: ModelBatch = {
    inputs: {
      tokenIds: ids((i) => 5 + ((i * 7919) % 900)),
      attentionMask: ids(() => 1),
      typeIds: ids(() => 0),
      labels: int64(
        [rows],
        Array.from({ length: rows }, (_, i) => i % 2),
      ),
    },
    indices: Array.from({ length: rows }, (_, i) => i),
    attendedTokens: rows * length,
  };
  let step = 0;
  process.on("message", async () => {
    const began = moment();
    const { loss } = await optimizer.step(++step, [batch], { learningRate: 1e-4, densityWeight: 1, epsilon: 1e-2 });
    process.send!({
      ...between(began, moment()),
      loss,
      matrixMB: bytes / 1e6,
      peakMB: procMegabytes("/proc/self/status", "VmHWM"),
      anonymousMB: procMegabytes("/proc/self/status", "RssAnon"),
      quantiseMs,
    });
  });
  process.send!("ready");
}

interface Answer extends PhaseTime {
  readonly loss: number;
  readonly matrixMB: number;
  readonly peakMB: number;
  readonly anonymousMB: number;
  readonly quantiseMs: number | null;
}

async function steps(): Promise<void> {
  const formats = values.formats.split(",");
  const children: ChildProcess[] = [];
  for (const format of formats) {
    const child = fork(process.argv[1]!, [...process.argv.slice(2), "--worker", format], {
      execArgv: process.execArgv,
    });
    await replyOf(child);
    children.push(child);
  }
  const sides = children.map((child) => () => replyOf<Answer>(child, "step"));
  const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 2 });
  for (const child of children) child.kill();
  const last = rounds.counted.at(-1)!;
  for (const [i, format] of formats.entries()) {
    const { matrixMB, peakMB, anonymousMB, loss, quantiseMs } = last[i]!;
    const ratio = (clock: keyof PhaseTime) => ratioText(rounds, took(i, clock), took(0, clock));
    const ratios =
      rounds.isReliable === false
        ? noHeadline(rounds)
        : `${ratio("ms")}×, of its processor time ${ratio("processorMs")}×`;
    console.log(
      `${format.padEnd(8)} step ${timesText(rounds, i)}; ${ratios}  ` +
        `matrices ${matrixMB.toFixed(1)} MB (${(matrixMB / last[0]!.matrixMB).toFixed(3)}×)  peak resident ${peakMB} MB, ` +
        `of it not mapped ${anonymousMB} MB  loss ${loss.toFixed(5)}` +
        (quantiseMs === null ? "" : `  quantised in ${(quantiseMs / 1000).toFixed(1)} s`),
    );
  }
  console.log(roundsText(rounds));
}

const FORMATS = ["float32", "nf4", "int4", "int8"] as const;

/** One product and its gradient: float, the kernel or stock operators forward, restored backward. */
async function products(): Promise<void> {
  for (const [n, k] of [
    [384, 384],
    [1536, 384],
    [768, 768],
    [3072, 768],
    [1024, 4096],
  ] as const) {
    const matrix = float32(
      [n, k],
      Float32Array.from({ length: n * k }, () => Math.random() - 0.5),
    );
    for (const rows of [1, 16, 128, 1024]) {
      const x = float32(
        [rows, k],
        Float32Array.from({ length: rows * k }, () => Math.random() - 0.5),
      );
      console.log(`${rows} × ${k} × ${n}:`);
      for (const what of ["forward", "gradient"] as const) await timeProducts(what, matrix, x);
    }
  }
}

/** The products of all formats in turn. */
async function timeProducts(what: "forward" | "gradient", matrix: Tensor, x: Tensor): Promise<void> {
  const scale = float32([x.shape[0]!, matrix.shape[0]!], new Float32Array(x.shape[0]! * matrix.shape[0]!).fill(1));
  const programs: Program[] = [];
  for (const format of FORMATS) programs.push(await compileProduct(format, what, matrix));
  const sides = programs.map((program) => () => timed(() => program.run({ x, scale })));
  const rounds = await takeRounds(sides, { rounds: 10, warmup: 2 });
  for (const [i, format] of FORMATS.entries()) {
    const ratio = i === 0 ? "" : `; ${ratioText(rounds, took(i), took(0))}`;
    console.log(`  ${what.padEnd(8)} ${format.padEnd(7)} ${timesText(rounds, i)}${ratio}`);
  }
  console.log(`  ${roundsText(rounds)}`);
  for (const program of programs) await program.dispose();
}

function compileProduct(
  format: (typeof FORMATS)[number],
  what: "forward" | "gradient",
  matrix: Tensor,
): Promise<Program> {
  const graph = new Graph();
  const [n, k] = matrix.shape as readonly [number, number];
  const input = graph.input("x", "float32", ["M", k]);
  const scale = graph.input("scale", "float32", ["M", n]);
  const layout = { format: format as StoredFormat, shape: [n, k] as const, nested: format === "nf4" };
  const stored = graph.parameter("w.weight", [n, k]);
  const hooks = quantizedHooks(new Map(format === "float32" ? [] : [["w.weight", layout]]));
  const site = { path: "w", graph, at: <T>(build: () => T) => build() };
  const weight = hooks.weight!(site as unknown as Parameters<NonNullable<typeof hooks.weight>>[0], stored, "linear");
  const y = matmul(input, weight, { transB: true });
  const [dx] = backward(reduceSum(mul(y, scale)), [input]);
  const tensors: [string, Tensor][] =
    format === "float32"
      ? [["w.weight", matrix]]
      : Array.from(quantizeMatrix("w", matrix, format), ([part, value]) => [`w.weight.${part}`, value]);
  const weights = memoryWeights(tensors);
  return backend.compile(what === "forward" ? { y } : { dx: dx! }, { weights });
}

if (values.worker !== undefined) await worker(values.worker);
else if (values.products) await products();
else await steps();
