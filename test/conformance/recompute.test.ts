// Recomputation changes when forward results are made, never what they are.
import { expect, test } from "vitest";
import { backward, cheapToRecompute, lightToRecompute } from "../../src/autodiff/index.ts";
import {
  add,
  cast,
  Graph,
  gelu,
  layerNorm,
  lessEqual,
  matmul,
  mul,
  type Node,
  reachable,
  reciprocal,
  reduceMean,
  square,
  type Value,
} from "../../src/graph/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, memoryWeights } from "../../src/tensor/index.ts";

type Chosen = ((node: Node) => boolean) | null;

/** Three layers with a mask, a density loss and GELU. */
function build(recompute: Chosen): Record<string, Value> {
  const graph = new Graph();
  const weight = graph.parameter("weight", [6, 6]);
  const bias = graph.parameter("bias", [6], { trainable: true });
  const gamma = graph.parameter("gamma", [6], { trainable: true });
  let x = graph.input("x", "float32", ["N", 6]);
  let density: Value = graph.scalar(0);
  for (let layer = 0; layer < 3; layer++) {
    const a = gelu(add(matmul(x, weight, { transB: true }), bias));
    density = add(density, reduceMean(reciprocal(add(square(a), 0.1))));
    x = mul(x, cast(lessEqual(x, 0.9), "float32"));
    x = layerNorm(add(mul(a, a), x), gamma, bias).y;
  }
  const loss = add(reduceMean(square(x)), density);
  const gradients = backward(loss, [bias, gamma], recompute === null ? {} : { recompute });
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
  const ops: string[][] = [];
  for (const recompute of [null, lightToRecompute, cheapToRecompute] satisfies Chosen[]) {
    const outputs = build(recompute);
    const copies = reachable(Object.values(outputs)).filter((node) => node.copyOf !== null);
    ops.push([...new Set(copies.map(({ op }) => op))].sort());
    expect(copies.every((node) => recompute!(node))).toBe(true);
    const program = await nodeBackend({ threads: 1 }).compile(outputs, { weights });
    results.push(await program.run(feeds));
    await program.dispose();
  }
  expect(ops).toEqual([
    [],
    ["add", "cast", "gelu", "mul", "reciprocal"],
    ["add", "cast", "gelu", "lessEqual", "mul", "reciprocal"],
  ]);
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});
