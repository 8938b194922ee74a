// The machine's GEMM peak as ONNX Runtime reaches it: constant weights, many repetitions, the best of each shape.
//   npx tsx bench/gemm.bench.ts [--threads 1,all]
import { parseArgs } from "node:util";
import { Graph, matmul } from "../src/graph/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import { float32, memoryWeights } from "../src/tensor/index.ts";
import { noHeadline, oneThreadCount, roundsText, takeRounds, timed, timesText, took } from "./rounds.ts";

const { values } = parseArgs({ options: { threads: { type: "string", default: "1,all" } } });
const threads = oneThreadCount(values.threads);
const SHAPES = [
  [1024, 768, 768],
  [1024, 768, 3072],
  [1024, 3072, 768],
  [1024, 1024, 4096],
  [2048, 384, 1536],
] as const;

let peak = 0;
let isReliable = true;
for (const [m, k, n] of SHAPES) {
  const graph = new Graph();
  const y = matmul(graph.input("x", "float32", ["M", k]), graph.parameter("w", [k, n]));
  const weights = memoryWeights([["w", float32([k, n], new Float32Array(k * n).fill(0.01))]]);
  const program = await nodeBackend({ threads }).compile({ y }, { weights, mapWeights: false });
  const feeds = { x: float32([m, k], new Float32Array(m * k).fill(0.5)) };
  const into = await program.run(feeds);
  const rounds = await takeRounds([() => timed(() => program.run(feeds, into))], { rounds: 40 });
  const best = (2 * m * k * n) / Math.min(...rounds.counted.map(took(0))) / 1e6;
  peak = Math.max(peak, best);
  const why = rounds.isReliable === false ? `; ${noHeadline(rounds)}` : "";
  isReliable &&= why === "";
  console.log(`${m} × ${k} × ${n}: ${best.toFixed(0)} GFLOP/s; ${timesText(rounds, 0)}${why}`);
  console.log(`  ${roundsText(rounds)}`);
  await program.dispose();
}
console.log(isReliable ? `peak ${peak.toFixed(0)} GFLOP/s` : "no headline: too few rounds were quiet");
