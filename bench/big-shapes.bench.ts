// Training steps of large shapes: the whole step in one program against stage by stage, each in its own process, interleaved.
//   npx tsx bench/big-shapes.bench.ts --shape roberta-large --method lora --ways whole,staged --rounds 5 [--batch 8 --length 128]
//   npx tsx bench/big-shapes.bench.ts --shape flan-t5-xl --format nf4 --method lora --ways staged --rounds 1 --generate 8
// A way that ends in "+gates" has gates that are read off the gradient: --ways staged,staged+gates.
// Peak memory: VmHWM (all resident pages) and the largest RssAnon, RssFile seen every 20 ms. A page of the weights counts in RssFile
// once for each program that maps it; Pss, after the steps, counts it once.
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { between, moment } from "../src/cli/bench-clock.ts";
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
import {
  noHeadline,
  oneThreadCount,
  type PhaseTime,
  ratioText,
  replyOf,
  roundsText,
  takeRounds,
  timesText,
  took,
} from "./rounds.ts";

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
    threads: { type: "string", default: "1,all" },
    generate: { type: "string", default: "0" },
    "no-density": { type: "boolean", default: false },
    /** JSON of `CompileOptions`. */
    compile: { type: "string", default: "{}" },
    worker: { type: "string" },
  },
});
const isT5 = values.shape.includes("t5");
const backend = nodeBackend({ threads: oneThreadCount(values.threads) });

interface Answer extends PhaseTime {
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
    const began = moment();
    if (ask === "memory") return { peak: proc("VmHWM"), ...seen, pss: proc("Pss", "smaps_rollup") };
    if (ask === "generate") {
      const trained = new Map<string, Tensor>(await optimizer.readParameters());
      await optimizer.dispose();
      const tokens = await generate(base, trained);
      return { ...between(began, moment()), tokens };
    }
    const rates = { learningRate: 1e-4, densityWeight: 1, epsilon: 1e-2 };
    const gateFeeds = gates.sites.length === 0 ? null : gates.feeds;
    const { loss } = await optimizer.step(++steps, [batchOf(steps)], { ...rates, gateFeeds });
    if (gateFeeds !== null) gates.note(steps, optimizer.gateReadings);
    return { ...between(began, moment()), loss };
  };
  process.on("message", async (ask) => process.send!(await answer(String(ask))));
  process.send!(moment() satisfies Answer);
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

async function main(): Promise<void> {
  // written here: generating would be counted as the step's memory
  await bigCheckpoint(values.shape, values.format);
  const ways = values.ways.split(",");
  const children: ChildProcess[] = [];
  for (const way of ways) {
    const child = fork(import.meta.filename, [...process.argv.slice(2), "--worker", way], {
      execArgv: ["--import", "tsx"],
    });
    console.log(way, "ready after", (await replyOf<Answer>(child)).ms.toFixed(0), "ms");
    children.push(child);
  }
  const sides = children.map((child, i) => async (round: number) => {
    const answer = await replyOf<Answer>(child, "step");
    const { ms, processorMs, loss } = answer;
    console.log(
      `${ways[i]} step ${round + 1}: ${ms.toFixed(0)} ms (${processorMs.toFixed(0)} of processors), loss ${loss!.toFixed(5)}`,
    );
    return answer;
  });
  // of several rounds the first warms up
  const wanted = Number(values.rounds);
  const rounds = await takeRounds(sides, wanted > 1 ? { rounds: wanted - 1, warmup: 1 } : { rounds: 1 });
  const gigabytes = (megabytes: number) => `${(megabytes / 1024).toFixed(2)} GiB`;
  for (const [i, child] of children.entries()) {
    const { peak, anon, file, pss } = await replyOf<Memory>(child, "memory");
    const ratio = (clock: keyof PhaseTime) => ratioText(rounds, took(i, clock), took(0, clock));
    const ratios =
      rounds.isReliable === false
        ? noHeadline(rounds)
        : `ratio ${ratio("ms")}, of processor time ${ratio("processorMs")}`;
    console.log(
      `${values.shape} ${values.format} ${values.method} ${ways[i]}: ${timesText(rounds, i)}; ${ratios};`,
      `VmHWM ${gigabytes(peak)}, RssAnon ${gigabytes(anon)}, RssFile ${gigabytes(file)}, Pss ${gigabytes(pss)}`,
    );
    if (Number(values.generate) > 0) {
      const { ms, processorMs, tokens } = await replyOf<Answer>(child, "generate");
      const after = await replyOf<Memory>(child, "memory");
      console.log(
        `generation: ${tokens} tokens in ${ms.toFixed(0)} ms (${processorMs.toFixed(0)} of processors), VmHWM ${gigabytes(after.peak)}, RssAnon ${gigabytes(after.anon)}`,
      );
    }
    child.kill();
  }
  console.log(roundsText(rounds));
}

if (values.worker === undefined) await main();
else await worker(values.worker);
