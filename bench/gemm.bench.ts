// The machine's GEMM peak as ONNX Runtime reaches it: constant weights, many repetitions, the best of each shape.
//   npx tsx bench/gemm.bench.ts [--threads 2]
import { parseArgs } from "node:util";
import { Graph, matmul } from "../src/graph/index.ts";
import { nodeBackend } from "../src/runtime/node.ts";
import { float32, memoryWeights } from "../src/tensor/index.ts";

const { values } = parseArgs({ options: { threads: { type: "string", default: "2" } } });
const SHAPES = [
  [1024, 768, 768],
  [1024, 768, 3072],
  [1024, 3072, 768],
  [1024, 1024, 4096],
  [2048, 384, 1536],
] as const;

let peak = 0;
for (const [m, k, n] of SHAPES) {
  const graph = new Graph();
  const y = matmul(graph.input("x", "float32", ["M", k]), graph.parameter("w", [k, n]));
  const weights = memoryWeights([["w", float32([k, n], new Float32Array(k * n).fill(0.01))]]);
  const program = await nodeBackend({ threads: Number(values.threads) }).compile({ y }, { weights, mapWeights: false });
  const feeds = { x: float32([m, k], new Float32Array(m * k).fill(0.5)) };
  const into = await program.run(feeds);
  let best = 0;
  for (let i = 0; i < 40; i++) {
    const started = performance.now();
    await program.run(feeds, into);
    best = Math.max(best, (2 * m * k * n) / (performance.now() - started) / 1e6);
  }
  peak = Math.max(peak, best);
  console.log(`${m} × ${k} × ${n}: ${best.toFixed(0)} GFLOP/s`);
  await program.dispose();
}
console.log(`peak ${peak.toFixed(0)} GFLOP/s`);
