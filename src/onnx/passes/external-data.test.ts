// Weights beside a model are read one at a time, when they are written.
import { expect, test } from "vitest";
import { deployGraph } from "../../export/optimize.ts";
import { Graph, matmul } from "../../graph/index.ts";
import { Scope } from "../../nn/index.ts";
import { float32, type Weights } from "../../tensor/index.ts";
import { readModel, writeModel } from "../model.ts";
import { deployedFiles, readStored } from "./external-data.ts";

/** `x · Aᵀ · Bᵀ · Cᵀ` over matrices of 64 × 64, and the names of those that were read. */
function chain(precision: "fp32" | "int8" | "q4") {
  const graph = new Graph();
  const scope = Scope.root(graph, { frozen: true });
  const names = ["a", "b", "c"];
  const product = names.reduce(
    (x, name) => matmul(x, scope.child(name).parameter("weight", [64, 64], "linear"), { transB: true }),
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

const PRECISIONS = [
  ["fp32", 3 * 4 * 4096],
  ["int8", 3 * (4096 + 4 * 64)],
  ["q4", 3 * (2048 + 4 * 128)],
] as const;

test.each(PRECISIONS)("%s, beside the model: each weight is read once, as its turn comes", async (precision, bytes) => {
  const { model, read } = chain(precision);
  const { data, model: own } = deployedFiles(model, "m", { inlineLimit: 0, dataLimit: 20_000 });
  expect(data.map(({ name }) => name)).toEqual(precision === "fp32" ? ["m_data", "m_data_1", "m_data_2"] : ["m_data"]);
  expect((await joined(own.chunks())).length).toBe(own.sizeBytes);
  expect(read).toEqual([]);
  let total = 0;
  for (const { chunks } of data)
    for await (const chunk of chunks()) {
      total += chunk.length;
      expect(read.length).toBe(Math.ceil(total / (bytes / 3)));
    }
  expect(read).toEqual(["a", "b", "c"]);
  expect([total, data.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)]).toEqual([bytes, bytes]);
});

test.each(PRECISIONS)("%s, inside: the same, and the model reads as it was", async (precision) => {
  const { model, read } = chain(precision);
  const { data, model: own } = deployedFiles(model, "m");
  expect({ data, read }).toEqual({ data: [], read: [] });
  const bytes = await joined(own.chunks());
  expect(read).toEqual(["a", "b", "c"]);
  expect(bytes.length).toBe(own.sizeBytes);
  const whole = await readStored(model);
  expect(writeModel(whole)).toEqual(bytes);
  const { nodes, tensors, outputs } = readModel(bytes);
  expect({ nodes, outputs }).toEqual({ nodes: whole.nodes, outputs: whole.outputs });
  for (const [name, tensor] of tensors) expect(tensor, name).toEqual(whole.tensors.get(name));
});

async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const bytes: number[] = [];
  for await (const chunk of chunks) for (const byte of chunk) bytes.push(byte);
  return Uint8Array.from(bytes);
}
