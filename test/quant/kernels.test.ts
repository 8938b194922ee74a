// What a program over a stored matrix runs: the kernel forward, a copy restored for the gradient, and nothing folded away.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/index.ts";
import { Graph, matmul, reachable, reduceSum, type StoredFormat, square, type Value } from "../../src/graph/index.ts";
import { linear, Scope } from "../../src/nn/index.ts";
import { quantizedHooks, quantizeMatrix, restoreMatrix } from "../../src/quant/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, memoryWeight, randomStream, type Tensor, type Weight } from "../../src/tensor/index.ts";
import { backends } from "../support/backends.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-kernels-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function drawn(shape: readonly [number, number], seed: number): Tensor {
  const random = randomStream(seed, "numbers");
  return float32(
    shape,
    Float32Array.from({ length: shape[0] * shape[1] }, () => random.normal()),
  );
}

/** Two layers that share nothing but x, as two layers of a model do not; with the gradient of x. */
function build(format: StoredFormat | null, shape: readonly [number, number]) {
  const matrix = drawn(shape, 1);
  const name = "block.0.dense.weight";
  const layout = { format: format ?? "nf4", shape, nested: format === "nf4" };
  const graph = new Graph();
  const scope = Scope.root(graph, { hooks: quantizedHooks(new Map(format === null ? [] : [[name, layout]])) });
  const x = graph.input("x", "float32", ["M", shape[1]]);
  const y = linear(scope.child("block.0.dense"), x, shape[0], { bias: false });
  const [dx] = backward(reduceSum(square(y)), [x]);
  const parts = quantizeMatrix(name, matrix, format ?? "nf4");
  const weight: Weight =
    format === null
      ? memoryWeight(matrix)
      : {
          ...memoryWeight(restoreMatrix(layout, parts)),
          parts: new Map(Array.from(parts, ([part, value]) => [part, memoryWeight(value)])),
        };
  return { outputs: { y, dx: dx! }, weights: new Map([[name, weight]]), restored: restoreMatrix(layout, parts) };
}

/** The operators of one run, with how often each ran. */
async function ran(outputs: Readonly<Record<string, Value>>, weights: ReadonlyMap<string, Weight>, columns: number) {
  const prefix = join(folder, `profile${readdirSync(folder).length}`);
  const program = await nodeBackend({ threads: 1 }).compile(outputs, { weights, profilePrefix: prefix });
  await program.run({ x: drawn([3, columns], 2) });
  program.endProfiling();
  await program.dispose();
  const file = readdirSync(folder).find((name) => join(folder, name).startsWith(prefix))!;
  const events = JSON.parse(readFileSync(join(folder, file), "utf8")) as {
    name: string;
    args?: { op_name?: string };
  }[];
  const counts: Record<string, number> = {};
  for (const { name, args } of events)
    if (name.endsWith("_kernel_time")) counts[args!.op_name!] = (counts[args!.op_name!] ?? 0) + 1;
  return counts;
}

describe("a product over a stored matrix", () => {
  test.each([
    // the scales of the forward pass and of the copy, and the copy's table
    ["nf4", { MatMulBnb4: 1, Gather: 3 }],
    ["int4", { MatMulNBits: 1, Gather: 1 }],
    ["int8", { DequantizeLinear: 2 }],
  ] as const)("of %s runs its kernel, and restores at every run", async (format, expected) => {
    const { outputs, weights } = build(format, [96, 64]);
    expect(await ran(outputs, weights, 64)).toMatchObject(expected);
    const restored = reachable(Object.values(outputs)).filter(({ op }) => op === "dequantize");
    expect(restored.map(({ copyOf }) => copyOf === null)).toEqual([true, false]);
  });

  test("whose rows are no whole blocks is restored by stock operators", async () => {
    const { outputs, weights } = build("nf4", [96, 40]);
    const counts = await ran(outputs, weights, 40);
    expect(counts).not.toHaveProperty("MatMulBnb4");
    expect(counts).toMatchObject({ Gather: 4 });
  });

  test.each(
    (["nf4", "int4", "int8"] as const).flatMap((format) =>
      (
        [
          [96, 64],
          [64, 192],
          [5, 7],
          [33, 40],
        ] as const
      ).map((shape) => [format, shape] as const),
    ),
  )("of %s %j is that over the restored matrix, and its gradient", async (format, shape) => {
    const { outputs, weights, restored } = build(format, shape);
    const plain = build(null, shape);
    const x = drawn([3, shape[1]], 2);
    for (const backend of backends) {
      const programs = await Promise.all([
        backend.compile(outputs, { weights }),
        backend.compile(plain.outputs, { weights: new Map([["block.0.dense.weight", memoryWeight(restored)]]) }),
      ]);
      const [got, want] = await Promise.all(programs.map((program) => program.run({ x })));
      for (const name of ["y", "dx"]) {
        const [a, b] = [got![name]!.data as Float32Array, want![name]!.data as Float32Array];
        const largest = Math.max(...b.map(Math.abs));
        const gap = Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
        expect(gap, `${backend.name} ${name}`).toBeLessThan(2e-6 * largest);
      }
      for (const program of programs) await program.dispose();
    }
  });

  test("is not a kernel's where it is transposed, or scaled", async () => {
    const { outputs, weights } = build("nf4", [64, 64]);
    const node = reachable([outputs.y]).find(({ op }) => op === "dequantize")!;
    const x = node.outputs[0]!.graph.input("x", "float32", ["M", 64]);
    const scaled = matmul(x, node.outputs[0]!, { transB: true, alpha: 0.5 });
    const counts = await ran({ scaled }, weights, 64);
    expect(counts).not.toHaveProperty("MatMulBnb4");
  });
});
