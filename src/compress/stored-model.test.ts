// Weights beside a model are read one at a time, when they are written.
import { expect, test } from "vitest";
import { Graph, matmul } from "../graph/index.ts";
import { Scope } from "../nn/index.ts";
import { float32, type Weights } from "../tensor/index.ts";
import { deployGraph } from "./deploy.ts";
import { deployedFiles } from "./stored-model.ts";

/** `x · Aᵀ · Bᵀ · Cᵀ` over matrices of 64 × 64, and the names of those that were read. */
function chain(precision: "fp32" | "int8" | "q4") {
  const graph = new Graph();
  const scope = Scope.root(graph, { frozen: true });
  const names = ["a", "b", "c"];
  const product = names.reduce(
    (x, name) => matmul(x, scope.child(name).parameter("weight", [64, 64]), { transB: true }),
    graph.input("x", "float32", ["rows", 64]),
  );
  const read: string[] = [];
  const weights: Weights = new Map(
    names.map((name, at) => [
      `${name}.weight`,
      {
        dtype: "float32",
        shape: [64, 64],
        read: async () => {
          read.push(name);
          return float32(
            [64, 64],
            Array.from({ length: 4096 }, (_, i) => Math.sin(i + at)),
          );
        },
      },
    ]),
  );
  return { model: deployGraph({ y: product }, weights, precision), read };
}

test.each([
  ["fp32", 3 * 4 * 4096],
  ["int8", 3 * (4096 + 4 * 64)],
  ["q4", 3 * (2048 + 4 * 128)],
] as const)("%s: each weight is read once, as its turn comes", async (precision, bytes) => {
  const { model, read } = chain(precision);
  const {
    data,
    sizeBytes,
    model: written,
  } = await deployedFiles(model, "m_data", { inlineLimit: 0, dataLimit: 20_000 });
  expect(read).toEqual([]);
  expect(data.map(({ name }) => name)).toEqual(precision === "fp32" ? ["m_data", "m_data_1", "m_data_2"] : ["m_data"]);
  let total = 0;
  for (const { chunks } of data)
    for await (const chunk of chunks()) {
      total += chunk.length;
      expect(read.length).toBe(Math.ceil(total / (bytes / 3)));
    }
  expect(read).toEqual(["a", "b", "c"]);
  expect(total).toBe(bytes);
  expect(sizeBytes).toBe(written.length + bytes);
});

test("below the limit the model holds everything", async () => {
  const { model, read } = chain("int8");
  const { data, model: written, sizeBytes } = await deployedFiles(model, "m_data");
  expect({ data, read }).toEqual({ data: [], read: ["a", "b", "c"] });
  expect(written.length).toBe(sizeBytes);
  expect(written.length).toBeGreaterThan(3 * 4096);
});
