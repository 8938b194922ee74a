// Class weights against PyTorch: losses, gradients and 20 steps, alone and beside a teacher; micro-batches; the weights that balance.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { backward } from "../../src/autodiff/index.ts";
import { Graph, mul, reduceSum } from "../../src/graph/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { type ModelBatch, readingHead } from "../../src/tasks/index.ts";
import { float32, int64, scalarOf, type Tensor } from "../../src/tensor/index.ts";
import { openOptimizer, type StepResult, stepScales } from "../../src/train/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { methodOf, openCase } from "./records.ts";
import { expectParity } from "./suite.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-weights-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const backend = nodeBackend({ threads: 1 });

describeWithPython("class weights as PyTorch's", (python) => {
  test("classes, several labels, tags: losses, gradients, 20 steps", { timeout: 300_000 }, async () => {
    const made = await runPython("scripts/golden/class_weights.py", ["--out", folder], { interpreter: python });
    expect(made.trim().split("\n")).toHaveLength(6);
    const cache = join(folder, "cache");
    expect(await expectParity(join(folder, "labels"), { cache })).toBe(3);
    expect(await expectParity(join(folder, "taught"), { cache })).toBe(3);
  });
});

interface Golden {
  readonly name: string;
  readonly kind: "class" | "token" | "several";
  readonly logits: Rows;
  readonly labels: Rows;
  readonly weights: readonly number[];
  readonly loss: number;
  readonly gradient: Rows;
}
type Rows = readonly (number | Rows)[];

const GOLDEN = (
  JSON.parse(readFileSync(new URL("../golden/label-metrics.json", import.meta.url), "utf8")) as {
    readonly losses: readonly Golden[];
  }
).losses;

const KINDS = { class: "classification", token: "token-classification", several: "multi-label" } as const;
const flat = (rows: Rows) => (rows as number[]).flat(3) as unknown as number[];

/** The rows of a recorded case from `from` to `to`, as a batch. */
function rowsOf({ kind, logits, labels }: Golden, from: number, to: number): ModelBatch & { logits: Tensor } {
  const [some, given] = [logits.slice(from, to), labels.slice(from, to)];
  const shape = kind === "class" ? [to - from] : [to - from, (given[0] as Rows).length];
  const width = flat([logits[0]!]).length;
  const inner = kind === "token" ? [shape[1]!, width / shape[1]!] : [width];
  return {
    logits: float32([to - from, ...inner], flat(some)),
    inputs: {
      tokenIds: int64(
        [to - from, 1],
        Array.from({ length: to - from }, () => 0),
      ),
      labels: kind === "several" ? float32(shape, flat(given)) : int64(shape, flat(given)),
    },
    indices: Array.from({ length: to - from }, (_, i) => i),
    attendedTokens: to - from,
  };
}

describe("recorded losses and gradients", () => {
  test.each(GOLDEN.flatMap((one) => [1, 2].map((parts) => ({ ...one, parts }))))(
    "$name, in $parts parts",
    async (one) => {
      const { kind, weights, parts } = one;
      const graph = new Graph();
      const dims = kind === "token" ? ["B", "S", weights.length] : ["B", weights.length];
      const logits = graph.input("logits", "float32", dims);
      const head = { kind: KINDS[kind], numLabels: weights.length };
      const { losses } = readingHead(head).losses({ logits }, head, { classWeights: weights });
      const [{ scale, values, count }] = losses as [(typeof losses)[0]];
      const loss = mul(reduceSum(values), graph.input(scale, "float32", []));
      const program = await backend.compile({ loss, gradient: backward(loss, [logits])[0]! }, { weights: new Map() });
      const half = Math.ceil(one.labels.length / 2);
      const all = one.labels.length;
      const batches = parts === 1 ? [rowsOf(one, 0, all)] : [rowsOf(one, 0, half), rowsOf(one, half, all)];
      const scales = stepScales({ lossScales: [{ scale, count }], numVirtualTokens: {} }, batches, "attended");
      let sum = 0;
      const gradient: number[] = [];
      for (const { inputs, logits: fed } of batches) {
        const got = await program.run({
          logits: fed,
          labels: inputs.labels!,
          [scale]: float32([], [scales[scale]!]),
        });
        sum += scalarOf(got.loss!);
        gradient.push(...(got.gradient!.data as Float32Array));
      }
      await program.dispose();
      expect(sum).toBeCloseTo(one.loss, 6);
      for (const [i, want] of flat(one.gradient).entries()) expect(gradient[i]).toBeCloseTo(want, 6);
    },
  );
});

const one = await openCase("test/golden/encoders", "bert-gelu.lora-qv", join(folder, "cache"));
/** Rows of length alike, so that a batch is cut without padding of its own. */
const large = one.batches.find(({ inputs }) => inputs.attentionMask!.data.every((attended) => Number(attended) === 1))!;

function rows({ dtype, shape, data }: Tensor, from: number, to: number): Tensor {
  const width = data.length / shape[0]!;
  return { dtype, shape: [to - from, ...shape.slice(1)], data: data.slice(from * width, to * width) } as Tensor;
}

/** Three steps of a batch that is cut. */
async function steps(
  classWeights: readonly number[] | null,
  cuts: readonly (readonly [number, number])[],
  staged = false,
): Promise<StepResult[]> {
  const { model, head, weights, record } = one;
  const optimizer = await openOptimizer({
    staged,
    model,
    head,
    weights,
    method: methodOf(record.method),
    classWeights,
    density: { positions: "attended" },
    weightDecay: 0.01,
    maxGradNorm: 1,
    backend,
    seed: 0,
    accumulate: cuts.length,
  });
  const count = large.indices.length;
  // both classes, unevenly
  const labels = int64(
    [count],
    Array.from({ length: count }, (_, i) => Number(i === 0)),
  );
  const batches = cuts.map(([from, to]) => ({
    inputs: Object.fromEntries(
      Object.entries({ ...large.inputs, labels }).map(([name, tensor]) => [name, rows(tensor, from, to)]),
    ),
    indices: Array.from({ length: to - from }, (_, i) => i),
    attendedTokens: (large.attendedTokens * (to - from)) / count,
  }));
  const results: StepResult[] = [];
  for (let step = 1; step <= 3; step++)
    results.push(await optimizer.step(step, batches, { learningRate: 1e-2, densityWeight: 1, epsilon: 1e-2 }));
  await optimizer.dispose();
  return results;
}

const whole = [[0, large.indices.length]] as const;
const cut = [
  [0, 1],
  [1, large.indices.length],
] as const;
const RESULTS = ["loss", "taskLoss", "densityLoss", "gradNorm"] as const;

test.each([
  ["micro-batches", cut, false],
  ["stage by stage", whole, true],
  ["micro-batches stage by stage", cut, true],
] as const)("%s: the same steps as at once", async (_, cuts, staged) => {
  const expected = await steps([0.5, 3], whole);
  const got = await steps([0.5, 3], cuts, staged);
  got.forEach((result, i) => {
    for (const key of RESULTS)
      expect(Math.abs(result[key] - expected[i]![key]), `${key} of step ${i}`).toBeLessThan(2e-6);
  });
});

test("weights that are all alike change nothing but rounding", async () => {
  const [plain, alike, other] = await Promise.all([null, [4, 4], [0.5, 3]].map((weights) => steps(weights, cut)));
  plain!.forEach((result, i) => {
    for (const key of RESULTS)
      expect(Math.abs(result[key] - alike![i]![key]), `${key} of step ${i}`).toBeLessThan(2e-6);
  });
  expect(other![0]!.taskLoss).not.toBeCloseTo(plain![0]!.taskLoss, 3);
});
