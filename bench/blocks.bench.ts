// Whole MLP blocks dropped from a T5 of true shape: encoder pass, decoding of a token, and memory, against the share dropped.
//   npx tsx bench/blocks.bench.ts [--shape flan-t5-xl] [--dropped 0,8,17,24] [--rounds 5] [--length 384] [--tokens 8] [--threads 2]
// A process for each variant, asked in turn; weights are random float32, in one file that all of them map, so its pages are in
// memory once. Blocks go evenly from both stacks. Resident memory is each process's own: what it has mapped and touched, and the rest.
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { openGenerator } from "../src/infer/index.ts";
import { sanitize, t5Model } from "../src/models/index.ts";
import { headOnly, type Method } from "../src/peft/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import { buildTaskGraph } from "../src/tasks/index.ts";
import { elementCount, int64 } from "../src/tensor/index.ts";
import { bigCheckpoint } from "./big-shapes-checkpoint.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "flan-t5-xl" },
    dropped: { type: "string", default: "0,8,17,24" },
    rounds: { type: "string", default: "5" },
    length: { type: "string", default: "384" },
    tokens: { type: "string", default: "8" },
    threads: { type: "string", default: "2" },
    worker: { type: "string" },
  },
});

/** One round, or with `memory` what the process holds. */
interface Answer {
  readonly encodeMs: number;
  readonly tokenMs: number;
  readonly rssBytes: number;
  readonly weightBytes: number;
}

const FROZEN: Method = { ...headOnly(), trains: () => false };

/** The MLPs that go: spread evenly, so that both stacks lose the same share. */
function droppedBlocks(count: number, total: number): ReadonlySet<number> {
  return new Set(Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * total) / count)));
}

async function worker(count: number): Promise<void> {
  const folder = await bigCheckpoint(values.shape, "float32");
  const { config, weights: stored } = await openCheckpoint(nodeFiles(), folder);
  const whole = t5Model(config, undefined, stored).mlps;
  const gone = droppedBlocks(count, whole.length);
  const sizes = whole.map(({ neurons }, i) => (gone.has(i) ? 0 : neurons));
  const model = t5Model({ ...config, mlp_sizes: sizes }, undefined, stored);
  const weights = sanitize(model.config, stored);
  const { parameters } = buildTaskGraph({ model, method: FROZEN, head: { kind: "language-model" } });
  const weightBytes = parameters.reduce((sum, { shape }) => sum + 4 * elementCount(shape.map(Number)), 0);
  const steps: number[] = [];
  const observe = { outputs: () => ({}), step: () => void steps.push(performance.now()) };
  const backend = nodeBackend({ threads: Number(values.threads), sleepThreads: true });
  const generator = await openGenerator({ model, method: FROZEN, weights, backend, observe });
  const [length, tokens] = [Number(values.length), Number(values.tokens)];
  const ids = Array.from({ length }, (_, i) => 5 + ((i * 7919) % 900));
  const inputs = {
    tokenIds: int64([1, length], ids),
    attentionMask: int64(
      [1, length],
      ids.map(() => 1),
    ),
  };
  process.on("message", async () => {
    steps.length = 0;
    const started = performance.now();
    await generator.generate(new Map(), { inputs }, { maxNewTokens: tokens, minNewTokens: tokens });
    const gaps = steps.slice(1).map((at, i) => at - steps[i]!);
    const tokenMs = median(gaps);
    const encodeMs = steps[0]! - started - tokenMs;
    const rssBytes = 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
    process.send!({ encodeMs, tokenMs, rssBytes, weightBytes } satisfies Answer);
  });
  process.send!("ready");
}

const sorted = (xs: readonly number[]) => [...xs].sort((a, b) => a - b);
const median = (xs: readonly number[]) => sorted(xs)[xs.length >> 1]!;
const percent = (ratio: number) => `${((ratio - 1) * 100).toFixed(1)} %`;

/** The change against the first variant, round by round: median and extremes. */
function change(of: readonly number[], first: readonly number[]): string {
  const ratios = sorted(of.map((ms, i) => ms / first[i]!));
  return `${percent(median(ratios))} (${percent(ratios[0]!)} to ${percent(ratios.at(-1)!)})`;
}

async function main(): Promise<void> {
  await bigCheckpoint(values.shape, "float32");
  const counts = values.dropped.split(",").map(Number);
  const reply = (child: ChildProcess) =>
    new Promise<unknown>((done, fail) => {
      child.once("message", done);
      child.once("exit", (code) => fail(new Error(`a worker ended with ${code}`)));
    });
  const peers: { readonly count: number; readonly child: ChildProcess; readonly answers: Answer[] }[] = [];
  for (const count of counts) {
    const options = { execArgv: ["--import", "tsx"] };
    const child = fork(import.meta.filename, [...process.argv.slice(2), "--worker", String(count)], options);
    await reply(child);
    peers.push({ count, child, answers: [] });
  }
  // the first round touches every page and is not counted
  for (let round = 0; round <= Number(values.rounds); round++)
    for (const { child, answers } of round % 2 === 0 ? peers : [...peers].reverse()) {
      child.send("go");
      const answer = (await reply(child)) as Answer;
      if (round > 0) answers.push(answer);
    }
  const first = peers[0]!.answers;
  const column = (of: readonly Answer[], key: keyof Answer) => of.map((answer) => answer[key]);
  for (const { count, child, answers } of peers) {
    const last = answers.at(-1)!;
    console.log(
      `${values.shape}, ${count} MLPs dropped: encoder pass of ${values.length} tokens ${median(column(answers, "encodeMs")).toFixed(0)} ms, ` +
        `${change(column(answers, "encodeMs"), column(first, "encodeMs"))}; a token ${median(column(answers, "tokenMs")).toFixed(0)} ms, ` +
        `${change(column(answers, "tokenMs"), column(first, "tokenMs"))}; weights ${(last.weightBytes / 2 ** 30).toFixed(2)} GiB, ` +
        `${percent(last.weightBytes / first[0]!.weightBytes)}; resident ${(last.rssBytes / 2 ** 30).toFixed(2)} GiB, ` +
        `${percent(last.rssBytes / first.at(-1)!.rssBytes)}`,
    );
    child.kill();
  }
}

if (values.worker === undefined) await main();
else await worker(Number(values.worker));
