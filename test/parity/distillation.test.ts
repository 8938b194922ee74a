// Training with a teacher, against PyTorch: losses, every gradient by name and 20 steps; and that micro-batches add up to the large batch.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ConfigError } from "../../src/errors.ts";
import { headOnly } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { buildTaskGraph, type HeadKind } from "../../src/tasks/index.ts";
import { float32, type Tensor } from "../../src/tensor/index.ts";
import { openOptimizer, type StepResult } from "../../src/train/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { methodOf, openCase } from "./records.ts";
import { expectParity } from "./suite.ts";

const folder = mkdtempSync(join(tmpdir(), "deft-distillation-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const backend = nodeBackend({ threads: 1 });

describeWithPython("distillation as PyTorch's", (python) => {
  test("classes, several labels, scores, places, tags: losses, gradients, 20 steps", { timeout: 300_000 }, async () => {
    const made = await runPython("scripts/golden/distillation.py", ["--out", folder], { interpreter: python });
    const cases = made.trim().split("\n");
    expect(cases).toHaveLength(7);
    expect(await expectParity(folder, { cache: join(folder, "cache") })).toBe(7);
  });
});

const one = await openCase("test/golden/encoders", "bert-gelu.lora-qv", join(folder, "cache"));
/** Rows of length alike, so that a batch is cut without padding of its own. */
const large = one.batches.find(({ inputs }) => inputs.attentionMask!.data.every((attended) => Number(attended) === 1))!;
const teacherLogits = float32(
  [large.indices.length, 2],
  Array.from({ length: 2 * large.indices.length }, (_, i) => Math.sin(i) * 3),
);

function rows({ dtype, shape, data }: Tensor, from: number, to: number): Tensor {
  const width = data.length / shape[0]!;
  return { dtype, shape: [to - from, ...shape.slice(1)], data: data.slice(from * width, to * width) } as Tensor;
}

async function steps(
  staged: boolean,
  weight: number,
  cuts: readonly (readonly [number, number])[],
): Promise<StepResult[]> {
  const { model, head, weights, record } = one;
  const optimizer = await openOptimizer({
    staged,
    model,
    head,
    weights,
    method: methodOf(record.method),
    distillation: { weight },
    density: { positions: "attended" },
    weightDecay: 0.01,
    maxGradNorm: 1,
    backend,
    seed: 0,
    accumulate: cuts.length,
  });
  const batches = cuts.map(([from, to]) => {
    const inputs = Object.fromEntries(
      Object.entries({ ...large.inputs, teacherLogits }).map(([name, tensor]) => [name, rows(tensor, from, to)]),
    );
    const share = (to - from) / large.indices.length;
    return {
      inputs,
      indices: Array.from({ length: to - from }, (_, i) => i),
      attendedTokens: large.attendedTokens * share,
    };
  });
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

test.each([
  ["micro-batches", false, cut],
  ["stage by stage", true, whole],
  ["micro-batches stage by stage", true, cut],
] as const)("%s: the same steps as at once", async (_, staged, cuts) => {
  const expected = await steps(false, 0.7, whole);
  const got = await steps(staged, 0.7, cuts);
  got.forEach((result, i) => {
    for (const key of ["loss", "taskLoss", "densityLoss", "gradNorm"] as const)
      expect(Math.abs(result[key] - expected[i]![key]), `${key} of step ${i}`).toBeLessThan(2e-6);
  });
});

test("the weight goes from the labels' loss to the teacher's", async () => {
  const [none, half, all] = await Promise.all(
    [0, 0.5, 1].map(async (weight) => (await steps(false, weight, whole))[0]!),
  );
  expect(none!.taskLoss).not.toBeCloseTo(all!.taskLoss, 2);
  expect(half!.taskLoss).toBeCloseTo((none!.taskLoss + all!.taskLoss) / 2, 5);
});

test("texts are not distilled", () => {
  const head: HeadKind = { kind: "language-model" };
  const build = () => buildTaskGraph({ model: one.model, method: headOnly(), head, distillation: { weight: 0.5 } });
  expect(build).toThrow(ConfigError);
  expect(build).toThrow(/--teacher: expected a task of labels, or of answers that an encoder points at/);
});
