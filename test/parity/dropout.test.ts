// A whole model with dropout: its gradient is that of the masked loss, and evaluation has no masks.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { encoderModel, t5Model } from "../../src/models/index.ts";
import { adapter, lora } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { float32, scalarOf, type Tensor, zeros } from "../../src/tensor/index.ts";
import { buildStep, initialParameters, Optimizer, type StepOptions, stepScales } from "../../src/train/index.ts";
import { openCase } from "./records.ts";

const cache = mkdtempSync(join(tmpdir(), "deft-dropout-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

const one = await openCase("test/golden/encoders", "bert-gelu.lora-qv", cache);
const batch = one.batches[0]!;
const backend = nodeBackend({ threads: 1 });
const rates = { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.3, classifier_dropout: 0.4 };
const options: StepOptions = {
  model: encoderModel({ ...(one.config as object), ...rates }),
  method: lora({ rank: 4, alpha: 8, targets: ["query", "value"], dropout: 0.25 }),
  head: one.head,
  density: { positions: "attended" },
  weightDecay: 0,
  maxGradNorm: null,
};

const t5 = await openCase("test/golden/t5", "t5-v11.adapter-pfeiffer", cache);
const t5Options: StepOptions = {
  ...options,
  model: t5Model({ ...(t5.config as object), dropout_rate: 0.25 }, "config.json", t5.weights),
  method: adapter({ reductionFactor: 6 }),
  head: t5.head,
};

test.each([
  ["BERT", one, options],
  ["T5", t5, t5Options],
])("the gradient of %s is the slope of the masked loss along itself", async (_, { weights, batches }, made) => {
  const graph = buildStep(made);
  const { gradient, trainable } = graph;
  const batch = batches[0]!;
  const scales = { ...stepScales(graph, [batch], "attended"), epsilon: 1e-2, densityWeight: 1 };
  const scalars = Object.fromEntries(Object.entries(scales).map(([name, value]) => [name, float32([], [value])]));
  const start = await initialParameters(trainable, weights, 0);
  const program = await backend.compile(gradient, { weights });
  const zero = Object.fromEntries([...start].map(([name, { shape }]) => [`grad.${name}`, zeros("float32", shape)]));
  const run = (parameters: ReadonlyMap<string, Tensor>, seed: number) =>
    program.run({
      ...Object.fromEntries(parameters),
      ...zero,
      ...scalars,
      ...batch.inputs,
      dropoutSeed: { dtype: "uint32", shape: [], data: Uint32Array.of(seed) },
    });
  const outputs = await run(start, 21);
  const slopes = new Map(trainable.map(({ name }) => [name, outputs[`next.grad.${name}`]!.data as Float32Array]));
  const norm = Math.sqrt([...slopes.values()].flatMap((g) => [...g]).reduce((sum, g) => sum + g * g, 0));
  const moved = (distance: number) =>
    new Map(
      [...start].map(([name, { shape, data }]) => [
        name,
        float32(
          shape,
          (data as Float32Array).map((p, i) => p + (distance * slopes.get(name)![i]!) / norm),
        ),
      ]),
    );
  const lossAt = async (distance: number) => scalarOf((await run(moved(distance), 21)).loss!);
  const slope = ((await lossAt(0.01)) - (await lossAt(-0.01))) / 0.02;
  expect(Math.abs(slope / norm - 1)).toBeLessThan(2e-3);
  // the same numbers under another mask are another loss
  expect(scalarOf((await run(start, 21)).loss!)).toBe(scalarOf(outputs.loss!));
  expect(Math.abs(scalarOf((await run(start, 22)).loss!) - scalarOf(outputs.loss!))).toBeGreaterThan(1e-3);
  await program.dispose();
});

test("steps and seeds draw masks of their own, a repeated run the same", async () => {
  const losses = async (seed: number) => {
    const optimizer = await Optimizer.open({ ...options, weights: one.weights, backend, seed, accumulate: 1 });
    const made: number[] = [];
    // at rate 0 nothing but the mask changes
    for (let step = 1; step <= 3; step++) {
      made.push((await optimizer.step(step, [batch], { learningRate: 0, densityWeight: 0, epsilon: 1 })).taskLoss);
    }
    await optimizer.dispose();
    return made;
  };
  const first = await losses(1);
  expect(new Set(first).size).toBe(3);
  expect(await losses(1)).toEqual(first);
  expect((await losses(2)).some((loss) => first.includes(loss))).toBe(false);
});

test("evaluation asks for no seed", () => {
  const { graph } = buildTaskGraph(options);
  const inputs = graph.nodes.flatMap((node) =>
    node.op === "input" ? [(node.attributes as { name: string }).name] : [],
  );
  expect(inputs).toEqual(["tokenIds", "attentionMask", "typeIds", "labels"]);
});
