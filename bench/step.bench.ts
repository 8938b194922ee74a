// Training step, memory and evaluation against PyTorch + transformers + peft, interleaved in one run.
//   npx tsx bench/step.bench.ts --shape minilm|roberta-base|roberta-large|flan-t5-small|flan-t5-base --do step|eval --rounds 12 [--batch 16 --length 128 --answer 32]
//     [--compile] (torch.compile beside eager) [--no-density] [--first] (new processes each round: start to first answer)
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    shape: { type: "string", default: "minilm" },
    rounds: { type: "string", default: "12" },
    warmup: { type: "string", default: "3" },
    batch: { type: "string", default: "16" },
    length: { type: "string", default: "128" },
    answer: { type: "string", default: "32" },
    threads: { type: "string", default: "2" },
    dropout: { type: "string", default: "0.1" },
    do: { type: "string", default: "step" },
    compile: { type: "boolean", default: false },
    "no-density": { type: "boolean", default: false },
    "ours-only": { type: "boolean", default: false },
    first: { type: "boolean", default: false },
    recompute: { type: "boolean", default: false },
    options: { type: "string", default: "{}" },
  },
});
const python = process.env["DEFT_PYTHON"] ?? ".venv/bin/python";

/** A benchmark process and its one-line-each conversation. */
class Peer {
  readonly name: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: string, args: readonly string[]) {
    this.name = name;
    this.#child = spawn(command, args, {
      stdio: ["pipe", "pipe", "inherit"],
    }) as unknown as ChildProcessWithoutNullStreams;
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async read(): Promise<Record<string, number>> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`${this.name} ended`);
      if (value.startsWith("{")) return JSON.parse(value) as Record<string, number>;
    }
  }

  async ask(request: unknown): Promise<Record<string, number>> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.read();
  }

  end(): void {
    this.#child.stdin.end();
  }
}

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

const median = (xs: readonly number[]) => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)]!;
const spread = (xs: readonly number[]) => `${Math.min(...xs).toFixed(0)}–${Math.max(...xs).toFixed(0)}`;

const folder = `.cache/bench/${values.shape}`;
if (!existsSync(`${folder}/model.safetensors`))
  execFileSync(python, ["bench/checkpoint.py", values.shape, folder], { stdio: "inherit" });
const common = {
  checkpoint: folder,
  threads: Number(values.threads),
  density: !values["no-density"],
  dropout: Number(values.dropout),
};
type Maker = () => Peer;
const makers: Maker[] = [
  () =>
    new Peer("deft", process.execPath, [
      "--import",
      "tsx",
      "bench/worker.ts",
      JSON.stringify({ ...common, compile: JSON.parse(values.options) as object, recompute: values.recompute }),
    ]),
];
if (!values["ours-only"])
  makers.push(() => new Peer("torch eager", python, ["bench/peer.py", JSON.stringify({ ...common, compile: false })]));
if (values.compile)
  makers.push(() => new Peer("torch.compile", python, ["bench/peer.py", JSON.stringify({ ...common, compile: true })]));

/** From the start of a process to its first answer: imports, opening the checkpoint, compiling, one step or evaluation. */
async function firstAnswer(make: Maker, round: number): Promise<{ readonly name: string; readonly ms: number }> {
  const started = performance.now();
  const peer = make();
  await peer.read();
  await peer.ask({ do: values.do, batch: fixedBatch(Number(values.batch), Number(values.length), round) });
  const ms = performance.now() - started;
  peer.end();
  return { name: peer.name, ms };
}

if (values.first) {
  const firsts = makers.map((): number[] => []);
  let names: string[] = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    names = [];
    for (const [i, make] of makers.entries()) {
      const { name, ms } = await firstAnswer(make, round);
      names.push(name);
      // round 0 brings the files into the page cache
      if (round > 0) firsts[i]!.push(ms);
    }
  }
  for (const [i, own] of firsts.entries()) {
    const ratios = firsts[0]!.map((ms, round) => ms / own[round]!);
    console.log(
      names[i]!.padEnd(14),
      `start to first ${values.do} ${median(own).toFixed(0)} ms (${spread(own)})`,
      `deft takes ${median(ratios).toFixed(2)} of it`,
    );
  }
  process.exit(0);
}

const peers = makers.map((make) => make());
for (const peer of peers) console.log(peer.name.padEnd(14), "ready after", (await peer.read())["ms"]!.toFixed(0), "ms");
const times = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
const processor = new Map<Peer, number[]>(peers.map((peer) => [peer, []]));
const rounds = Number(values.rounds);
const warmup = Number(values.warmup);
for (let round = 0; round < warmup + rounds; round++) {
  const batch = fixedBatch(Number(values.batch), Number(values.length), round);
  // whoever goes first changes each round
  for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) {
    const { ms, cpu, value } = await peer.ask({ do: values.do, batch });
    if (round >= warmup) {
      times.get(peer)!.push(ms!);
      processor.get(peer)!.push(cpu!);
    } else console.log(peer.name.padEnd(14), `warm-up ${round}:`, ms!.toFixed(0), "ms, value", value!.toFixed(5));
  }
}
const first = times.get(peers[0]!)!;
for (const peer of peers) {
  const own = times.get(peer)!;
  const ratios = own.map((ms, i) => ms / first[i]!);
  const processorRatios = processor.get(peer)!.map((ms, i) => ms / processor.get(peers[0]!)![i]!);
  const memory = await peer.ask({ do: "memory" });
  console.log(
    peer.name.padEnd(14),
    values.do,
    `median ${median(own).toFixed(0)} ms (${spread(own)})`,
    `processor ${median(processor.get(peer)!).toFixed(0)} ms, ${median(processorRatios).toFixed(2)} of deft's`,
    `ratio to deft ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`,
    `peak ${(memory["peak"]! / 1e6).toFixed(0)} MB`,
    values.do === "step"
      ? `${(stepFlops(values.shape, Number(values.batch), Number(values.length)) / median(own) / 1e6).toFixed(0)} GFLOP/s`
      : "",
  );
  peer.end();
}
