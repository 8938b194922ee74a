// Whole MLP blocks dropped from a T5 of true shape: encoder pass, decoding of a token, and memory, against the share dropped.
//   npx tsx bench/blocks.bench.ts [--shape flan-t5-xl] [--dropped 0,8,17,24] [--rounds 5] [--length 384] [--tokens 8] [--threads 1,all]
// A process for each variant, asked in turn; weights are random float32, in one file that all of them map, so its pages are in
// memory once. Blocks go evenly from both stacks. Resident memory is each process's own: what it has mapped and touched, and the rest.
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { between, type Moment, moment } from "../src/cli/bench-clock.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openCheckpoint } from "../src/hub/index.ts";
import { openGenerator } from "../src/infer/index.ts";
import { sanitize, t5Model } from "../src/models/index.ts";
import { headOnly, type Method } from "../src/peft/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import { buildTaskGraph } from "../src/tasks/index.ts";
import { elementCount, int64 } from "../src/tensor/index.ts";
import { bigCheckpoint } from "./big-shapes-checkpoint.ts";
import {
  median,
  noHeadline,
  oneThreadCount,
  type PhaseTime,
  type Rounds,
  ratioOf,
  replyOf,
  roundsText,
  spreadText,
  takeRounds,
} from "./rounds.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "flan-t5-xl" },
    dropped: { type: "string", default: "0,8,17,24" },
    rounds: { type: "string", default: "5" },
    length: { type: "string", default: "384" },
    tokens: { type: "string", default: "8" },
    threads: { type: "string", default: "1,all" },
    worker: { type: "string" },
  },
});
const threads = oneThreadCount(values.threads);

/** One round, or with `memory` what the process holds. */
interface Answer {
  readonly encode: PhaseTime;
  readonly token: PhaseTime;
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
  const steps: Moment[] = [];
  const observe = { outputs: () => ({}), step: () => void steps.push(moment()) };
  const backend = nodeBackend({ threads, sleepThreads: true });
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
    const started = moment();
    await generator.generate(new Map(), { inputs }, { maxNewTokens: tokens, minNewTokens: tokens });
    const gaps = steps.slice(1).map((at, i) => between(steps[i]!, at));
    const first = between(started, steps[0]!);
    const of = (clock: keyof PhaseTime) => median(gaps.map((gap) => gap[clock]));
    const token = { ms: of("ms"), processorMs: of("processorMs") };
    // the first token waits for the text to be read
    const encode = { ms: first.ms - token.ms, processorMs: first.processorMs - token.processorMs };
    const rssBytes = 1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
    process.send!({ encode, token, rssBytes, weightBytes } satisfies Answer);
  });
  process.send!("ready");
}

const percent = (ratio: number) => `${((ratio - 1) * 100).toFixed(1)} %`;

/** What a phase of a variant takes, and the change against the first variant. */
function phaseText(rounds: Rounds<Answer>, side: number, phase: "encode" | "token"): string {
  const of = (which: number, clock: keyof PhaseTime) => (answers: readonly Answer[]) => answers[which]![phase][clock];
  const change = (clock: keyof PhaseTime) => {
    const ratio = ratioOf(rounds, of(side, clock), of(0, clock));
    return ratio && `${percent(ratio.median)} (${percent(ratio.low)} to ${percent(ratio.high)})`;
  };
  const text = (clock: keyof PhaseTime) => {
    const changed = change(clock);
    return `${spreadText(rounds, of(side, clock))}${changed === null ? "" : `, ${changed}`}`;
  };
  return `wall ${text("ms")}, processor ${text("processorMs")}`;
}

async function main(): Promise<void> {
  await bigCheckpoint(values.shape, "float32");
  const counts = values.dropped.split(",").map(Number);
  const children: ChildProcess[] = [];
  for (const count of counts) {
    const options = { execArgv: ["--import", "tsx"] };
    const child = fork(import.meta.filename, [...process.argv.slice(2), "--worker", String(count)], options);
    await replyOf(child);
    children.push(child);
  }
  const sides = children.map((child) => () => replyOf<Answer>(child, "go"));
  // the round before touches every page
  const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 1 });
  const last = rounds.counted.at(-1)!;
  for (const [i, count] of counts.entries()) {
    const { weightBytes, rssBytes } = last[i]!;
    console.log(
      `${values.shape}, ${count} MLPs dropped: encoder pass of ${values.length} tokens ${phaseText(rounds, i, "encode")}; ` +
        `a token ${phaseText(rounds, i, "token")}; weights ${(weightBytes / 2 ** 30).toFixed(2)} GiB, ` +
        `${percent(weightBytes / last[0]!.weightBytes)}; resident ${(rssBytes / 2 ** 30).toFixed(2)} GiB, ` +
        `${percent(rssBytes / last[0]!.rssBytes)}`,
    );
    children[i]!.kill();
  }
  console.log(roundsText(rounds));
  if (rounds.isReliable === false) console.log(noHeadline(rounds));
}

if (values.worker === undefined) await main();
else await worker(Number(values.worker));
