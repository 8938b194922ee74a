// Training steps of large shapes: the whole step in one program against stage by stage, each in its own process, interleaved.
//   npx tsx bench/big-shapes.bench.ts --shape roberta-large --method lora --ways whole,staged --rounds 5 [--batch 8 --length 128]
//   npx tsx bench/big-shapes.bench.ts --shape flan-t5-xl --format nf4 --method lora --ways staged --rounds 1 --generate 8
// A way that ends in "+gates" has gates that are read off the gradient: --ways staged,staged+gates.
// Peak memory: VmHWM (all resident pages) and the largest RssAnon, RssFile seen every 20 ms. A page of the weights counts in RssFile
// once for each program that maps it; Pss, after the steps, counts it once.
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { openGenerator } from "../src/infer/index.ts";
import { anyModel, sanitize } from "../src/models/index.ts";
import { compose } from "../src/nn/index.ts";
import { adapter, full, lora, type Method } from "../src/peft/index.ts";
import { openQuantized, quantizedHooks } from "../src/quant/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import type { ModelBatch } from "../src/tasks/index.ts";
import { int64, type Tensor } from "../src/tensor/index.ts";
import { GateImportance, openOptimizer, type TrainStep } from "../src/train/index.ts";
import { bigCheckpoint } from "./big-shapes-checkpoint.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "roberta-large" },
    format: { type: "string", default: "float32" },
    method: { type: "string", default: "lora" },
    ways: { type: "string", default: "whole,staged" },
    rounds: { type: "string", default: "5" },
    batch: { type: "string", default: "8" },
    length: { type: "string", default: "128" },
    target: { type: "string", default: "32" },
    threads: { type: "string", default: "2" },
    generate: { type: "string", default: "0" },
    "no-density": { type: "boolean", default: false },
    /** JSON of `CompileOptions`. */
    compile: { type: "string", default: "{}" },
    worker: { type: "string" },
  },
});
const isT5 = values.shape.includes("t5");
const backend = nodeBackend({ threads: Number(values.threads) });

interface Answer {
  readonly ms: number;
  /** Of all threads. */
  readonly cpuMs?: number;
  readonly loss?: number;
  readonly tokens?: number;
}
interface Memory {
  readonly peak: number;
  readonly anon: number;
  readonly file: number;
  readonly pss: number;
}

const proc = (key: string, file = "status") =>
  Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/self/${file}`, "utf8"))?.[1] ?? 0) / 1024;

function methodOf(name: string): Method {
  if (name === "full") return full();
  if (name === "adapter") return adapter({});
  return lora({ rank: 8, dropout: 0.1, targets: isT5 ? ["q", "v"] : ["query", "value"] });
}

async function openModel() {
  const folder = await bigCheckpoint(values.shape, values.format);
  const { config, weights: stored } = await openCheckpoint(nodeFiles(), folder);
  const quantized = await openQuantized(stored, folder);
  const model = anyModel(config, undefined, stored);
  const weights = sanitize(model.config, quantized?.weights ?? stored);
  const method = methodOf(values.method);
  const hooks = quantized ? compose(quantizedHooks(quantized.layouts), method.hooks) : method.hooks;
  return { model, weights, method: { ...method, hooks } };
}

function batchOf(seed: number): ModelBatch {
  const [rows, length, target] = [Number(values.batch), Number(values.length), Number(values.target)];
  const ids = (width: number, make: (i: number) => number) =>
    int64(
      [rows, width],
      Array.from({ length: rows * width }, (_, i) => make(i)),
    );
  const tokenIds = ids(length, (i) => 5 + ((i * 7919 + seed) % 900));
  const attentionMask = ids(length, () => 1);
  const labels = isT5
    ? ids(target, (i) => 5 + ((i * 104729 + seed) % 900))
    : int64(
        [rows],
        Array.from({ length: rows }, (_, i) => i % 2),
      );
  return {
    inputs: { tokenIds, attentionMask, labels, ...(isT5 ? {} : { typeIds: ids(length, () => 0) }) },
    indices: Array.from({ length: rows }, (_, i) => i),
    attendedTokens: rows * length,
  };
}

function openStepper(
  way: string,
  { model, weights, method }: Awaited<ReturnType<typeof openModel>>,
): Promise<TrainStep> {
  return openOptimizer({
    staged: way.startsWith("staged"),
    gates: way.endsWith("+gates") ? { kind: "importance" } : null,
    model,
    method,
    head: isT5 ? { kind: "language-model" } : { kind: "classification", numLabels: 2 },
    weights,
    backend,
    seed: 1,
    accumulate: 1,
    weightDecay: 0.01,
    maxGradNorm: 1,
    density: values["no-density"] ? null : { positions: "attended" },
    compile: JSON.parse(values.compile) as Record<string, boolean>,
  });
}

/** Answers "step", "generate" and "memory". */
async function worker(way: string): Promise<void> {
  const seen = { anon: 0, file: 0 };
  const look = () => {
    seen.anon = Math.max(seen.anon, proc("RssAnon"));
    seen.file = Math.max(seen.file, proc("RssFile"));
  };
  setInterval(look, 20).unref();
  const base = await openModel();
  const optimizer = await openStepper(way, base);
  const gates = new GateImportance(optimizer.graph.gates);
  let steps = 0;
  const answer = async (ask: string): Promise<Answer | Memory> => {
    const started = performance.now();
    if (ask === "memory") return { peak: proc("VmHWM"), ...seen, pss: proc("Pss", "smaps_rollup") };
    if (ask === "generate") {
      const trained = new Map<string, Tensor>(await optimizer.readParameters());
      await optimizer.dispose();
      const tokens = await generate(base, trained);
      return { ms: performance.now() - started, tokens };
    }
    const rates = { learningRate: 1e-4, densityWeight: 1, epsilon: 1e-2 };
    const before = process.cpuUsage();
    const gateFeeds = gates.sites.length === 0 ? null : gates.feeds;
    const { loss } = await optimizer.step(++steps, [batchOf(steps)], { ...rates, gateFeeds });
    if (gateFeeds !== null) gates.note(steps, optimizer.gateReadings);
    const { user, system } = process.cpuUsage(before);
    return { ms: performance.now() - started, cpuMs: (user + system) / 1000, loss };
  };
  process.on("message", async (ask) => process.send!(await answer(String(ask))));
  process.send!({ ms: performance.now() });
}

/** Greedy, of two texts at most; gives the tokens written. */
async function generate(
  { model, weights, method }: Awaited<ReturnType<typeof openModel>>,
  trained: ReadonlyMap<string, Tensor>,
): Promise<number> {
  if (!model.writes) throw new Error("--generate: expected an encoder–decoder");
  const compile = JSON.parse(values.compile) as Record<string, boolean>;
  const generator = await openGenerator({ model, method, weights, backend, compile });
  const { tokenIds, attentionMask } = batchOf(0).inputs;
  const first = ({ shape, data }: Tensor): Tensor => {
    const [rows, width] = [Math.min(2, shape[0]!), shape[1]!];
    return int64([rows, width], Array.from(data.slice(0, rows * width) as BigInt64Array, Number));
  };
  const inputs = { tokenIds: first(tokenIds!), attentionMask: first(attentionMask!) };
  const written = await generator.generate(trained, { inputs }, { maxNewTokens: Number(values.generate) });
  await generator.dispose();
  return written.flat().reduce((sum, { tokenIds: ids }) => sum + ids.length, 0);
}

const median = (xs: readonly number[]) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)]!;

async function main(): Promise<void> {
  // written here: generating would be counted as the step's memory
  await bigCheckpoint(values.shape, values.format);
  const peers: {
    readonly way: string;
    readonly child: ChildProcess;
    readonly times: number[];
    readonly cpu: number[];
  }[] = [];
  const reply = <T>(child: ChildProcess, ask?: string) =>
    new Promise<T>((done, fail) => {
      child.once("message", (message) => done(message as T));
      child.once("exit", (code) => fail(new Error(`ended with ${code}`)));
      if (ask !== undefined) child.send(ask);
    });
  for (const way of values.ways.split(",")) {
    const child = fork(import.meta.filename, [...process.argv.slice(2), "--worker", way], {
      execArgv: ["--import", "tsx"],
    });
    console.log(way, "ready after", (await reply<Answer>(child)).ms.toFixed(0), "ms");
    peers.push({ way, child, times: [], cpu: [] });
  }
  // the first round warms up, where there is a second
  for (let round = 0; round < Number(values.rounds); round++)
    for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) {
      const { ms, cpuMs, loss } = await reply<Answer>(peer.child, "step");
      console.log(
        peer.way,
        `step ${round + 1}: ${ms.toFixed(0)} ms (${cpuMs!.toFixed(0)} of processors), loss ${loss!.toFixed(5)}`,
      );
      if (round === 0 && values.rounds !== "1") continue;
      peer.times.push(ms);
      peer.cpu.push(cpuMs!);
    }
  const gigabytes = (megabytes: number) => `${(megabytes / 1024).toFixed(2)} GiB`;
  for (const { way, child, times, cpu } of peers) {
    const { peak, anon, file, pss } = await reply<Memory>(child, "memory");
    const ratio = median(times.map((ms, i) => ms / peers[0]!.times[i]!)).toFixed(2);
    const cpuRatio = median(cpu.map((ms, i) => ms / peers[0]!.cpu[i]!)).toFixed(2);
    console.log(
      `${values.shape} ${values.format} ${values.method} ${way}: median ${median(times).toFixed(0)} ms, ratio ${ratio} (processor time ${median(cpu).toFixed(0)} ms, ${cpuRatio}),`,
      `VmHWM ${gigabytes(peak)}, RssAnon ${gigabytes(anon)}, RssFile ${gigabytes(file)}, Pss ${gigabytes(pss)}`,
    );
    if (Number(values.generate) > 0) {
      const { ms, tokens } = await reply<Answer>(child, "generate");
      const after = await reply<Memory>(child, "memory");
      console.log(
        `generation: ${tokens} tokens in ${ms.toFixed(0)} ms, VmHWM ${gigabytes(after.peak)}, RssAnon ${gigabytes(after.anon)}`,
      );
    }
    child.kill();
  }
}

if (values.worker === undefined) await main();
else await worker(values.worker);
