// Rates that differ by parameter and by step: model biases, and the density weight's rise and fall.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { lora } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { Optimizer, type StepEvent, train } from "../../src/train/index.ts";
import { openCase } from "./records.ts";

const cache = mkdtempSync(join(tmpdir(), "deft-rates-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

const LEARNING_RATE = 1e-3;

async function open(biasRate: number) {
  const { model, head, weights, batches } = await openCase("test/golden/encoders", "bert-gelu.adapter-pfeiffer", cache);
  const optimizer = await Optimizer.open({
    model,
    head,
    weights,
    method: lora({ targets: "all-linear", bias: "lora_only", dropout: 0 }),
    density: { positions: "attended" },
    weightDecay: 0,
    maxGradNorm: null,
    biasRate,
    backend: nodeBackend({ threads: 1 }),
    seed: 0,
    accumulate: 1,
  });
  return { optimizer, batch: batches[0]!, model };
}

test("Adam's first step is as long as the rate: the model's biases move by `biasRate` of them, all else by one", async () => {
  const { optimizer, batch } = await open(10);
  const before = new Map(
    Array.from(await optimizer.readParameters(), ([name, { data }]) => [name, data.slice() as Float32Array]),
  );
  await optimizer.step(1, [batch], { learningRate: LEARNING_RATE, densityWeight: 1, epsilon: 1e-2 });
  for (const [name, { data }] of await optimizer.readParameters()) {
    const longest = Math.max(...(data as Float32Array).map((value, i) => Math.abs(value - before.get(name)![i]!)));
    const isBias = name.startsWith("bert.") && name.endsWith(".bias");
    // LoRA's A has no gradient while B is zero, and key biases none at all but rounding
    if (name.endsWith("lora_A.weight") || name.endsWith("key.bias")) continue;
    expect(longest / LEARNING_RATE, name).toBeCloseTo(isBias ? 10 : 1, 1);
  }
  await optimizer.dispose();
});

test("the density weight rises over its warm-up, stays, and falls to 0 over its cool-down", async () => {
  const { optimizer, batch } = await open(1);
  const weights: number[] = [];
  const events = train({
    optimizer,
    batches: { batchesPerEpoch: 10, epoch: () => ({ batch: () => batch, describe: () => "the batch" }) },
    accumulate: 1,
    totalSteps: 10,
    schedule: { name: "constant", learningRate: 0, warmupSteps: 0, totalSteps: 10 },
    density: { weight: 2, warmupSteps: 4, cooldownSteps: 4, epsilon: { from: 1e-2, to: 1e-2 }, annealSteps: 10 },
    chanceLoss: 1,
    evaluate: () =>
      Promise.resolve({
        split: "dev",
        examples: 1,
        loss: 1,
        metrics: { accuracy: 1 },
        density: { encoder: EMPTY, layers: [] },
      }),
    metricName: "accuracy",
    keepRule: "best",
    evalSteps: null,
    patience: null,
    checkpoints: null,
    describe: {
      task: "t",
      model: "m",
      method: "lora",
      epochs: 1,
      batchSize: 1,
      trainExamples: 1,
      evalExamples: 1,
      trainableParameters: 1,
      totalParameters: 1,
      seed: 0,
      backend: "cpu",
      threads: 1,
    },
    rssBytes: () => 0,
  });
  for await (const event of events) if (event.type === "step") weights.push((event satisfies StepEvent).densityWeight);
  expect(weights).toEqual([0.5, 1, 1.5, 2, 2, 2, 1.5, 1, 0.5, 0]);
  await optimizer.dispose();
});

const EMPTY = { paper: 0, exact: 0, thresholds: {}, deadNeurons: 0, rareNeurons: 0, neurons: 0 };
