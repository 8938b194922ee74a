// Recomputation changes when forward results are made, never what they are.
import { expect, test } from "vitest";
import { backward, cheapToRecompute } from "../../src/autodiff/index.ts";
import {
  add,
  Graph,
  gelu,
  layerNorm,
  matmul,
  mul,
  reachable,
  reduceMean,
  square,
  type Value,
} from "../../src/graph/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, memoryWeights } from "../../src/tensor/index.ts";

function build(recompute: boolean): Record<string, Value> {
  const graph = new Graph();
  const weight = graph.parameter("weight", [6, 6]);
  const bias = graph.parameter("bias", [6], { trainable: true });
  const gamma = graph.parameter("gamma", [6], { trainable: true });
  let x = graph.input("x", "float32", ["N", 6]);
  for (let layer = 0; layer < 3; layer++) {
    const a = gelu(add(matmul(x, weight, { transB: true }), bias));
    x = layerNorm(add(mul(a, a), x), gamma, bias).y;
  }
  const loss = reduceMean(square(x));
  const gradients = backward(loss, [bias, gamma], recompute ? { recompute: cheapToRecompute } : {});
  return { loss, dBias: gradients[0]!, dGamma: gradients[1]! };
}

const numbers = (length: number, phase: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7 + phase));

test("gradients are the same bits with recomputation, and cheap forward results have a copy", async () => {
  const feeds = {
    x: float32([4, 6], numbers(24, 0)),
    bias: float32([6], numbers(6, 1)),
    gamma: float32([6], numbers(6, 2)),
  };
  const weights = memoryWeights([["weight", float32([6, 6], numbers(36, 3))]]);
  const results = [];
  for (const recompute of [false, true]) {
    const outputs = build(recompute);
    const copies = reachable(Object.values(outputs)).filter((node) => node.copyOf !== null);
    expect(copies.length > 0).toBe(recompute);
    expect(copies.every((node) => cheapToRecompute(node))).toBe(true);
    const program = await nodeBackend({ threads: 1 }).compile(outputs, { weights });
    results.push(await program.run(feeds));
    await program.dispose();
  }
  expect(results[1]).toEqual(results[0]);
});
