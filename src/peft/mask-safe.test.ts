import { expect, test } from "vitest";
import { Graph, reachable } from "../graph/index.ts";
import { compose, linear, Scope } from "../nn/index.ts";
import { float32, memoryWeights, type Tensor } from "../tensor/index.ts";
import { lora } from "./lora.ts";
import { mergedWeights } from "./method-of.ts";

const BASE = { dropout: 0, targets: ["query"], rank: 1, alpha: 2 } as const;

test("the merged update skips the base's zeros, and nothing else", async () => {
  const trained = new Map<string, Tensor>([
    ["a.query.lora_A.weight", float32([1, 3], [1, 10, 100])],
    ["a.query.lora_B.weight", float32([2, 1], [1, -1])],
  ]);
  const base = memoryWeights([["a.query.weight", float32([2, 3], [5, 0, -0, 0, 0.5, 1])]]);
  const merged = async (options: object) => {
    const weights = mergedWeights(base, trained, lora({ ...BASE, ...options }).settings);
    return Array.from((await weights.get("a.query.weight")!.read()).data, Number);
  };
  expect(await merged({})).toEqual([7, 20, 200, -2, -19.5, -199]);
  expect(await merged({ maskSafe: true })).toEqual([7, 0, 0, 0, -19.5, -199]);
  expect(await merged({ maskSafe: true, alphaPattern: { "a.query": 4 } })).toEqual([9, 0, 0, 0, -39.5, -399]);
});

test("one product without dropout, a second with it, and no parameter beside a table", () => {
  const build = (dropout: number) => {
    const graph = new Graph();
    const noise = { seed: graph.input("seed", "uint32", []) };
    const { hooks } = lora({ ...BASE, dropout, targets: "all-linear", maskSafe: true });
    const root = Scope.root(graph, { hooks: compose(hooks), noise });
    const y = linear(root.child("a.query"), graph.input("x", "float32", ["B", 3]), 2);
    const table = root.child("embeddings.word_embeddings");
    const stored = table.parameter("weight", [4, 4], "table");
    expect(table.hooks.weight!(table, stored, "table")).toBe(stored);
    const products = reachable([y]).filter(({ op }) => op === "matmul").length;
    return { products, names: root.parameters.map(({ name }) => name) };
  };
  const names = ["weight", "lora_A.weight", "lora_B.weight", "bias"].map((name) => `a.query.${name}`);
  expect(build(0)).toEqual({ products: 2, names: [...names, "embeddings.word_embeddings.weight"] });
  expect(build(0.1).products).toBe(3);
});
