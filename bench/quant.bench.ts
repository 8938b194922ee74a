// A training step over a float base and over quantised ones: time, memory and size, interleaved, each in its own process.
//   npx tsx bench/quant.bench.ts --shape minilm|roberta-base|roberta-large --rounds 8 [--batch 8 --length 64] [--formats nf4,int8]
//   npx tsx bench/quant.bench.ts --products: forward and backward of one product over a stored matrix, by shape and rows
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { backward } from "../src/autodiff/index.ts";
import { Graph, matmul, mul, reduceSum, type StoredFormat } from "../src/graph/index.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint, openSafetensors, writeSafetensors } from "../src/hub/index.ts";
import { blockLinears, encoderModel, type Model, sanitize } from "../src/models/index.ts";
import { compose } from "../src/nn/index.ts";
import { lora } from "../src/peft/index.ts";
import { openQuantized, quantizedCheckpoint, quantizedHooks, quantizeMatrix } from "../src/quant/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import type { ModelBatch } from "../src/tasks/index.ts";
import { float32, int64, memoryWeights, type Tensor, type Weights } from "../src/tensor/index.ts";
import { Optimizer } from "../src/train/index.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "roberta-base" },
    rounds: { type: "string", default: "8" },
    batch: { type: "string", default: "8" },
    length: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    formats: { type: "string", default: "float32,nf4,int4,int8" },
    products: { type: "boolean", default: false },
    worker: { type: "string" },
  },
});

const files = nodeFiles();
const backend = nodeBackend({ threads: Number(values.threads), sleepThreads: true });

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
    const started = performance.now();
    const { loss } = await optimizer.step(++step, [batch], { learningRate: 1e-4, densityWeight: 1, epsilon: 1e-2 });
    process.send!({
      ms: performance.now() - started,
      loss,
      matrixMB: bytes / 1e6,
      peakMB: procMegabytes("/proc/self/status", "VmHWM"),
      anonymousMB: procMegabytes("/proc/self/status", "RssAnon"),
      quantiseMs,
    });
  });
  process.send!("ready");
}

interface Answer {
  readonly ms: number;
  readonly loss: number;
  readonly matrixMB: number;
  readonly peakMB: number;
  readonly anonymousMB: number;
  readonly quantiseMs: number | null;
}

const next = <T>(child: ChildProcess) =>
  new Promise<T>((resolve) => child.once("message", (value) => resolve(value as T)));

async function steps(): Promise<void> {
  const formats = values.formats.split(",");
  const children = new Map<string, ChildProcess>();
  for (const format of formats) {
    const child = fork(process.argv[1]!, [...process.argv.slice(2), "--worker", format], {
      execArgv: process.execArgv,
    });
    await next(child);
    children.set(format, child);
  }
  const answers = new Map<string, Answer[]>(formats.map((format) => [format, []]));
  for (let round = 0; round < Number(values.rounds) + 2; round++) {
    for (const format of round % 2 ? [...formats].reverse() : formats) {
      const child = children.get(format)!;
      child.send("step");
      const answer = await next<Answer>(child);
      if (round >= 2) answers.get(format)!.push(answer);
    }
  }
  for (const child of children.values()) child.kill();
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1]!;
  const first = answers.get(formats[0]!)!;
  for (const [format, list] of answers) {
    const last = list.at(-1)!;
    const ratio = median(list.map(({ ms }, i) => ms / first[i]!.ms));
    console.log(
      `${format.padEnd(8)} step ${median(list.map(({ ms }) => ms)).toFixed(0)} ms (${ratio.toFixed(2)}×)  ` +
        `matrices ${last.matrixMB.toFixed(1)} MB (${(last.matrixMB / first[0]!.matrixMB).toFixed(3)}×)  peak resident ${last.peakMB} MB, ` +
        `of it not mapped ${last.anonymousMB} MB  loss ${last.loss.toFixed(5)}` +
        (last.quantiseMs === null ? "" : `  quantised in ${(last.quantiseMs / 1000).toFixed(1)} s`),
    );
  }
}

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
      const line: string[] = [];
      for (const format of ["float32", "nf4", "int4", "int8"] as const) {
        const [forward, both] = await timeProduct(format, matrix, x);
        line.push(`${format} ${forward.toFixed(2)} / ${both.toFixed(2)}`);
      }
      console.log(`${rows} × ${k} × ${n}:`.padEnd(20), line.join("   "));
    }
  }
}

async function timeProduct(format: StoredFormat | "float32", matrix: Tensor, x: Tensor): Promise<[number, number]> {
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
  const feeds = { x, scale: float32([x.shape[0]!, n], new Float32Array(x.shape[0]! * n).fill(1)) };
  const times: number[] = [];
  for (const outputs of [{ y }, { dx: dx! }]) {
    const program = await backend.compile(outputs, { weights });
    const runs: number[] = [];
    for (let i = 0; i < 12; i++) {
      const started = performance.now();
      await program.run(feeds);
      runs.push(performance.now() - started);
    }
    await program.dispose();
    times.push(runs.slice(2).sort((a, b) => a - b)[2]!);
  }
  return times as [number, number];
}

if (values.worker !== undefined) await worker(values.worker);
else if (values.products) await products();
else await steps();
