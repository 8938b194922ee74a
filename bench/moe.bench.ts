// Groups of neurons chosen by a router, with the stock operator `com.microsoft.MoE`: against the dense MLP and against a static
// cut to the same share of the neurons. Interleaved in one process, ratios round by round.
//   npx tsx bench/moe.bench.ts [--cases 128x384,512x384,1024x384,128x768,512x768,1024x768,1x768,1x1024] [--experts 16,32]
//     [--shares 4,8] [--rounds 15] [--threads 1,all] [--clock cpu]
// A case is tokens × hidden size, with four times as many neurons; a share 4 chooses E / 4 of E groups for each token. The router's
// product and its choice are part of what is timed. ReLU; the results of the operator are held against a masked dense MLP first.
import { parseArgs } from "node:util";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { add, Graph, matmul, relu, type Value } from "../src/graph/index.ts";
import { emit, type OnnxModel, type OnnxTensor, readModel, writeModel } from "../src/onnx/index.ts";
import { randomStream } from "../src/tensor/index.ts";
import {
  clocksOf,
  gainText,
  oneThreadCount,
  type PhaseTime,
  ratioOf,
  roundsText,
  takeRounds,
  timed,
  timesText,
  took,
} from "./rounds.ts";

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "128x384,512x384,1024x384,128x768,512x768,1024x768,1x768,1x1024" },
    experts: { type: "string", default: "16,32" },
    shares: { type: "string", default: "4,8" },
    rounds: { type: "string", default: "15" },
    threads: { type: "string", default: "1,all" },
    clock: { type: "string", default: "wall" },
  },
});
const threads = oneThreadCount(values.threads);
const CLOCKS = clocksOf(values.clock);

/** More than a cache holds, as in a real step, where one token reads every matrix once. */
const BYTES_OF_A_STEP = 192 * 2 ** 20;
const random = randomStream(1, "moe");

interface Shape {
  readonly tokens: number;
  readonly hidden: number;
  readonly neurons: number;
  readonly groups: number;
  /** Groups that a token chooses. */
  readonly chosen: number;
  /** MLPs in a row of a program, each with matrices of its own. */
  readonly copies: number;
}

/** An MLP's numbers: `[F, D]`, `[F]`, `[D, F]`, `[D]`, and a router `[D, E]`. */
interface MlpNumbers {
  readonly into: Float32Array;
  readonly intoBias: Float32Array;
  readonly out: Float32Array;
  readonly outBias: Float32Array;
  readonly router: Float32Array;
}

const noise = (size: number, scale: number): Float32Array =>
  Float32Array.from({ length: size }, () => (random.uniform() - 0.5) * scale);

const stored = (shape: readonly number[], data: Float32Array): OnnxTensor => ({
  dtype: "float32",
  shape,
  data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

function drawn({ hidden, neurons, groups }: Shape): MlpNumbers {
  return {
    into: noise(neurons * hidden, 0.1),
    intoBias: noise(neurons, 0.1),
    out: noise(neurons * hidden, 0.1),
    outBias: noise(hidden, 0.1),
    router: noise(hidden * groups, 0.1),
  };
}

/** `[D, F]` → for each group of neurons `[D, F / E]`. */
function columnsByGroup(out: Float32Array, { hidden, neurons, groups }: Shape): Float32Array {
  const size = neurons / groups;
  const parts = new Float32Array(out.length);
  for (let e = 0; e < groups; e++)
    for (let d = 0; d < hidden; d++)
      parts.set(out.subarray(d * neurons + e * size, d * neurons + (e + 1) * size), (e * hidden + d) * size);
  return parts;
}

/** The first neurons of each MLP, all of them or as many as the chosen groups have. */
function denseModel(shape: Shape, mlps: readonly MlpNumbers[], kept: number): Uint8Array {
  const { hidden, neurons } = shape;
  const graph = new Graph();
  const x = graph.input("x", "float32", ["N", hidden]);
  const tensors = new Map<string, Float32Array>();
  const outputs: Record<string, Value> = {};
  for (const [i, { into, intoBias, out, outBias }] of mlps.entries()) {
    const parameter = (name: string, dims: readonly number[], data: Float32Array) => {
      tensors.set(`${name}${i}`, data);
      return graph.parameter(`${name}${i}`, dims);
    };
    const columns = new Float32Array(hidden * kept);
    for (let d = 0; d < hidden; d++) columns.set(out.subarray(d * neurons, d * neurons + kept), d * kept);
    const first = parameter("into", [kept, hidden], into.subarray(0, kept * hidden));
    const z = add(matmul(x, first, { transB: true }), parameter("intoBias", [kept], intoBias.subarray(0, kept)));
    const second = parameter("out", [hidden, kept], columns);
    outputs[`y${i}`] = add(matmul(relu(z), second, { transB: true }), parameter("outBias", [hidden], outBias));
  }
  const place = ({ name }: { readonly name: string }) => {
    const data = tensors.get(name)!;
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  };
  return emit(outputs, { place }).bytes;
}

/** The same MLPs, of which each token computes the groups that its router ranks highest. */
function groupedModel(shape: Shape, mlps: readonly MlpNumbers[]): Uint8Array {
  const { hidden, neurons, groups, chosen } = shape;
  const size = neurons / groups;
  const graph = new Graph();
  const one = graph.input("x", "float32", ["N", hidden]);
  const frame = readModel(emit({ y0: relu(one) }, { place: () => new Uint8Array() }).bytes);
  const number = (value: number) => stored([1], Float32Array.of(value));
  const tensors = new Map<string, OnnxTensor>([
    ["k", { dtype: "int64", shape: [1], data: new Uint8Array(BigInt64Array.of(BigInt(chosen)).buffer) }],
    ["last", { dtype: "int64", shape: [1], data: new Uint8Array(BigInt64Array.of(BigInt(chosen - 1)).buffer) }],
    ["zero", number(0)],
    ["never", number(-1e4)],
    ["count", number(chosen)],
  ]);
  const nodes: OnnxModel["nodes"][number][] = [];
  mlps.forEach(({ into, intoBias, out, outBias, router }, i) => {
    tensors.set(`router${i}`, stored([hidden, groups], router));
    tensors.set(`into${i}`, stored([groups, size, hidden], into));
    tensors.set(`intoBias${i}`, stored([groups, size], intoBias));
    tensors.set(`out${i}`, stored([groups, hidden, size], columnsByGroup(out, shape)));
    tensors.set(`outBias${i}`, stored([hidden], outBias));
    const node = (type: string, inputs: string[], outputs: string[], attributes = {}, domain = "") =>
      nodes.push({ name: `${type}${i}_${outputs[0]}`, type, domain, inputs, outputs, attributes });
    // every chosen group counts whole: of equal logits the softmax gives 1 / k each
    node("MatMul", ["x", `router${i}`], [`logits${i}`]);
    node("TopK", [`logits${i}`, "k"], [`top${i}`, `places${i}`], { axis: -1 });
    node("Gather", [`top${i}`, "last"], [`least${i}`], { axis: 1 });
    node("GreaterOrEqual", [`logits${i}`, `least${i}`], [`isChosen${i}`]);
    node("Where", [`isChosen${i}`, "zero", "never"], [`ranked${i}`]);
    node(
      "MoE",
      ["x", `ranked${i}`, `into${i}`, `intoBias${i}`, `out${i}`],
      [`mean${i}`],
      { k: chosen, activation_type: "relu", normalize_routing_weights: 1 },
      "com.microsoft",
    );
    node("Mul", [`mean${i}`, "count"], [`sum${i}`]);
    node("Add", [`sum${i}`, `outBias${i}`], [`y${i}`]);
  });
  return writeModel({ ...frame, nodes, tensors, outputs: mlps.map((_, i) => `y${i}`) });
}

/** The largest difference of the operator from an MLP whose other neurons are masked, over the largest output. */
async function checkGroups(): Promise<void> {
  const shape: Shape = { tokens: 9, hidden: 32, neurons: 128, groups: 16, chosen: 4, copies: 1 };
  const { tokens, hidden, neurons, groups, chosen } = shape;
  const mlp = drawn(shape);
  const session = await InferenceSession.create(groupedModel(shape, [mlp]), { intraOpNumThreads: 1 });
  const x = noise(tokens * hidden, 2);
  const got = (await session.run({ x: new OrtTensor("float32", x, [tokens, hidden]) }))["y0"]!.data as Float32Array;
  let [worst, largest] = [0, 0];
  for (let n = 0; n < tokens; n++) {
    const row = x.subarray(n * hidden, (n + 1) * hidden);
    const dot = (at: (d: number) => number) => row.reduce((sum, value, d) => sum + value * at(d), 0);
    const logits = Array.from({ length: groups }, (_, e) => dot((d) => mlp.router[d * groups + e]!));
    const least = [...logits].sort((a, b) => b - a)[chosen - 1]!;
    const a = Array.from({ length: neurons }, (_, f) =>
      logits[Math.floor((f * groups) / neurons)]! >= least
        ? Math.max(0, mlp.intoBias[f]! + dot((d) => mlp.into[f * hidden + d]!))
        : 0,
    );
    for (let d = 0; d < hidden; d++) {
      const y = a.reduce((sum, value, f) => sum + value * mlp.out[d * neurons + f]!, mlp.outBias[d]!);
      worst = Math.max(worst, Math.abs(y - got[n * hidden + d]!));
      largest = Math.max(largest, Math.abs(y));
    }
  }
  await session.release();
  console.log(
    `against a masked dense MLP: largest difference ${(worst / largest).toExponential(1)} of the largest output`,
  );
}

/** The programs in turn over the same input; three rounds are not counted. Times are of one MLP. */
function interleaved(sessions: readonly InferenceSession[], { tokens, hidden, copies }: Shape) {
  const inputs: OrtTensor[] = [];
  const sides = sessions.map((session) => async (round: number): Promise<PhaseTime> => {
    const x = (inputs[round] ??= new OrtTensor("float32", noise(tokens * hidden, 2), [tokens, hidden]));
    const { ms, processorMs } = await timed(() => session.run({ x }));
    return { ms: ms / copies, processorMs: processorMs / copies };
  });
  return takeRounds(sides, { rounds: Number(values.rounds), warmup: 3 });
}

async function benchCase(tokens: number, hidden: number, groups: number, share: number): Promise<void> {
  const neurons = 4 * hidden;
  const copies = tokens > 1 ? 1 : Math.ceil(BYTES_OF_A_STEP / (2 * hidden * neurons * 4));
  const shape: Shape = { tokens, hidden, neurons, groups, chosen: groups / share, copies };
  const mlps = Array.from({ length: copies }, () => drawn(shape));
  const models = [
    denseModel(shape, mlps, neurons),
    denseModel(shape, mlps, neurons / share),
    groupedModel(shape, mlps),
  ];
  const options = {
    intraOpNumThreads: threads,
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  const sessions: InferenceSession[] = [];
  for (const model of models) sessions.push(await InferenceSession.create(model, options));
  const rounds = await interleaved(sessions, shape);
  console.log(`${tokens} × ${hidden}/${neurons}, ${shape.chosen} of ${groups}`);
  for (const [i, name] of ["dense", "cut", "MoE"].entries()) console.log(`  ${name.padEnd(6)} ${timesText(rounds, i)}`);
  console.log(`  ${roundsText(rounds)}`);
  const gain = (slow: number, fast: number) => gainText(rounds, slow, fast, CLOCKS);
  console.log(`  to dense ${gain(0, 2)}\n  to the cut ${gain(1, 2)}\n  cut to dense ${gain(0, 1)}`);
  const reached = ratioOf(rounds, took(0, CLOCKS[0]), took(2, CLOCKS[0]))?.median;
  const ideal = ratioOf(rounds, took(0, CLOCKS[0]), took(1, CLOCKS[0]))?.median;
  if (reached !== undefined && ideal !== undefined)
    console.log(
      `  ${((100 * reached) / share).toFixed(0)} % of E/k, ${((100 * reached) / ideal).toFixed(0)} % of the cut`,
    );
  for (const session of sessions) await session.release();
}

const numbers = (text: string) => text.split(",").map(Number);
await checkGroups();
for (const named of values.cases.split(",")) {
  const [tokens, hidden] = named.split("x").map(Number) as [number, number];
  for (const share of numbers(values.shares))
    for (const groups of numbers(values.experts)) await benchCase(tokens, hidden, groups, share);
}
