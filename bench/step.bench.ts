// Training step, memory and evaluation against PyTorch + transformers + peft, interleaved in one run.
//   npx tsx bench/step.bench.ts --shape minilm|roberta-base|roberta-large|flan-t5-small|flan-t5-base --do step|eval --rounds 12 [--batch 16 --length 128 --answer 32]
//     [--memory low|balanced|fast] [--peer-onnx FILE] (ONNX Runtime on a standard export, in evaluation) [--compile] (torch.compile beside eager) [--no-density] [--first] (new processes each round: start to first answer) [--threads 1,all]
import { parseArgs } from "node:util";
import { benchCheckpoint, Peer, python } from "./peer.ts";
import {
  median,
  noHeadline,
  oneThreadCount,
  type PhaseTime,
  type Rounds,
  ratioText,
  roundsText,
  takeRounds,
  timesText,
  took,
} from "./rounds.ts";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "minilm" },
    rounds: { type: "string", default: "12" },
    warmup: { type: "string", default: "3" },
    batch: { type: "string", default: "16" },
    length: { type: "string", default: "128" },
    answer: { type: "string", default: "32" },
    threads: { type: "string", default: "1,all" },
    dropout: { type: "string", default: "0.1" },
    do: { type: "string", default: "step" },
    compile: { type: "boolean", default: false },
    memory: { type: "string", default: "balanced" },
    "peer-onnx": { type: "string" },
    "no-density": { type: "boolean", default: false },
    "ours-only": { type: "boolean", default: false },
    first: { type: "boolean", default: false },
    recompute: { type: "boolean", default: false },
    options: { type: "string", default: "{}" },
  },
});
const threads = oneThreadCount(values.threads);

function fixedBatch(batch: number, length: number, seed: number) {
  let state = seed * 7919 + 1;
  const next = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  const lengths = Array.from({ length: batch }, (_, i) =>
    i === 0 ? length : Math.max(4, Math.round(length * (0.4 + 0.6 * next()))),
  );
  const rows = <T>(make: (row: number, at: number) => T) =>
    lengths.map((_, row) => Array.from({ length }, (__, at) => make(row, at)));
  return {
    tokenIds: rows((row, at) => (at < lengths[row]! ? 5 + Math.floor(next() * 900) : 1)),
    attentionMask: rows((row, at) => (at < lengths[row]! ? 1 : 0)),
    typeIds: rows(() => 0),
    labels: values.shape.includes("t5") ? answers(batch, next) : lengths.map((_, i) => i % 2),
  };
}

/** Token labels of random lengths, with no label behind their end. */
function answers(batch: number, next: () => number): number[][] {
  const longest = Number(values.answer);
  return Array.from({ length: batch }, (_, row) => {
    const length = row === 0 ? longest : Math.max(2, Math.round(longest * (0.4 + 0.6 * next())));
    return Array.from({ length: longest }, (__, at) => (at < length ? 5 + Math.floor(next() * 900) : -100));
  });
}

/** Multiply–adds of a step's matrix products, twice: forward, and backward with respect to activations (weights are frozen). */
function stepFlops(shape: string, batch: number, length: number): number {
  if (shape.includes("t5")) return t5Flops(shape, batch, length, Number(values.answer));
  const [layers, hidden, inner] = {
    minilm: [6, 384, 1536],
    "roberta-base": [12, 768, 3072],
    "roberta-large": [24, 1024, 4096],
  }[shape]!;
  const tokens = batch * length;
  const linear = 2 * tokens * (4 * hidden! ** 2 + 2 * hidden! * inner!);
  const attention = 4 * tokens * length * hidden!;
  return layers! * (2 * linear + 3 * attention);
}

/** The same of a gated T5: self-attention of both stacks, cross-attention, and the vocabulary. */
function t5Flops(shape: string, batch: number, length: number, answer: number): number {
  const [layers, hidden, width, inner] = { "flan-t5-small": [8, 512, 384, 1024], "flan-t5-base": [12, 768, 768, 2048] }[
    shape
  ] as [number, number, number, number];
  const linear = (tokens: number, size: number) => 2 * 2 * tokens * size;
  const attention = (queries: number, keys: number) => 3 * 4 * batch * queries * keys * width;
  const [read, written] = [batch * length, batch * answer];
  const [projections, mlp] = [4 * hidden * width, 3 * hidden * inner];
  const encoder = linear(read, projections + mlp) + attention(length, length);
  const decoder =
    linear(written, 1.5 * projections + mlp) +
    linear(read, projections / 2) +
    attention(answer, answer) +
    attention(answer, length);
  return layers * (encoder + decoder) + linear(written, 32128 * hidden);
}

const folder = benchCheckpoint(values.shape);
const common = {
  checkpoint: folder,
  threads,
  density: !values["no-density"],
  dropout: Number(values.dropout),
};
type Maker = () => Peer;
const makers: { readonly name: string; readonly make: Maker }[] = [];
function addMaker(name: string, command: string, args: readonly string[], options: object): void {
  const given = [...args, JSON.stringify({ ...common, ...options })];
  makers.push({ name, make: () => new Peer(name, command, given) });
}
const own = { compile: JSON.parse(values.options) as object, memory: values.memory, recompute: values.recompute };
addMaker("deft", process.execPath, ["--import", "tsx", "bench/worker.ts"], own);
if (!values["ours-only"]) addMaker("torch eager", python, ["bench/peer.py"], { compile: false });
if (values["peer-onnx"] !== undefined)
  addMaker("onnxruntime", process.execPath, ["--import", "tsx", "bench/onnx-worker.ts"], { file: values["peer-onnx"] });
if (values.compile) addMaker("torch.compile", python, ["bench/peer.py"], { compile: true });

/** From the start of a process to its first answer: imports, opening the checkpoint, compiling, one step or evaluation. */
async function firstAnswer(make: Maker, round: number): Promise<Answer> {
  const started = performance.now();
  const peer = make();
  await peer.read();
  const { value } = await peer.ask({ do: values.do, batch: batchOf(round) });
  const ms = performance.now() - started;
  const { processorMs } = await peer.ask({ do: "memory" });
  peer.end();
  return { ms, processorMs: processorMs!, value: value! };
}

interface Answer extends PhaseTime {
  readonly value: number;
}

const batchOf = (round: number) => fixedBatch(Number(values.batch), Number(values.length), round);

/** What both ways of measuring say of a side: times and, for all but ours, ratios to ours. */
function sideText(rounds: Rounds<PhaseTime>, side: number): string {
  const times = timesText(rounds, side);
  if (side === 0) return times;
  if (rounds.isReliable === false) return `${times}; ${noHeadline(rounds)}`;
  const ratio = (clock: keyof PhaseTime) => ratioText(rounds, took(side, clock), took(0, clock));
  return `${times}; ratio to deft ${ratio("ms")}, of its processor time ${ratio("processorMs")}`;
}

async function firsts(): Promise<void> {
  // the round before brings the files into the page cache
  const sides = makers.map(
    ({ make }) =>
      (round: number) =>
        firstAnswer(make, round),
  );
  const rounds = await takeRounds(sides, { rounds: Number(values.rounds), warmup: 1 });
  for (const [side, { name }] of makers.entries())
    console.log(name.padEnd(14), `start to first ${values.do}`, sideText(rounds, side));
  console.log(roundsText(rounds));
}

async function inTurn(): Promise<void> {
  const peers = makers.map(({ make }) => make());
  for (const peer of peers)
    console.log(peer.name.padEnd(14), "ready after", (await peer.read())["ms"]!.toFixed(0), "ms");
  const sides = peers.map(
    (peer) => async (round: number) => (await peer.ask({ do: values.do, batch: batchOf(round) })) as unknown as Answer,
  );
  const rounds = await takeRounds(sides, {
    rounds: Number(values.rounds),
    warmup: Number(values.warmup),
    onWarmup: (round, answers) => {
      for (const [i, { ms, value }] of answers.entries())
        console.log(peers[i]!.name.padEnd(14), `warm-up ${round}:`, ms.toFixed(0), "ms, value", value.toFixed(5));
    },
  });
  const flops = stepFlops(values.shape, Number(values.batch), Number(values.length));
  for (const [side, peer] of peers.entries()) {
    const memory = await peer.ask({ do: "memory" });
    const speed = flops / median(rounds.counted.map(took(side))) / 1e6;
    console.log(
      `${peer.name.padEnd(14)} ${values.do} ${sideText(rounds, side)}; peak ${(memory["peak"]! / 1e6).toFixed(0)} MB`,
      values.do === "step" ? `${speed.toFixed(0)} GFLOP/s` : "",
    );
    peer.end();
  }
  console.log(roundsText(rounds));
}

if (values.first) await firsts();
else await inTurn();
