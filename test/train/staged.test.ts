// A step stage by stage is the step of one graph: every gradient by name, the losses, the parameters after some steps.
import { describe, expect, it } from "vitest";
import { blockLinears } from "../../src/models/index.ts";
import { compose } from "../../src/nn/index.ts";
import { full } from "../../src/peft/index.ts";
import { openQuantized, quantizedCheckpoint, quantizedHooks } from "../../src/quant/index.ts";
import type { ModelBatch } from "../../src/tasks/index.ts";
import { scalarOf, streamSeed, type Tensor, zeros } from "../../src/tensor/index.ts";
import {
  buildStep,
  initialParameters,
  Optimizer,
  type OptimizerOptions,
  StagedOptimizer,
  stepScales,
} from "../../src/train/index.ts";
import { blockTap, cutStages, type Kept } from "../../src/train/staged/staged-cut.ts";
import { backend, batchOf, distance, METHODS, type ModelName, optionsOf } from "../support/tiny-training.ts";

const RATES = { learningRate: 1e-2, densityWeight: 0.7, epsilon: 1e-2 };

/** The gradients of the one graph at the first values, for step 1. */
async function wholeGradients(
  options: OptimizerOptions,
  batch: ModelBatch,
  seed: number,
): Promise<Map<string, Tensor>> {
  const graph = buildStep(options);
  const program = await backend.compile(graph.gradient, { weights: options.weights });
  const parameters = await initialParameters([...graph.trainable, ...graph.buffers], options.weights, options.seed);
  const scalars = { ...stepScales(graph, [batch], "attended"), ...RATES };
  const outputs = await program.run({
    ...Object.fromEntries(parameters),
    ...Object.fromEntries(graph.trainable.map(({ name, shape }) => [`grad.${name}`, zeros("float32", shape)])),
    ...batch.inputs,
    ...Object.fromEntries(
      Object.entries(scalars).map(([name, value]) => [
        name,
        { dtype: "float32", shape: [], data: Float32Array.of(value) } as const,
      ]),
    ),
    dropoutSeed: { dtype: "uint32", shape: [], data: Uint32Array.of(seed) },
  });
  await program.dispose();
  return new Map(graph.trainable.map(({ name }) => [name, outputs[`next.grad.${name}`]!]));
}

type MethodName = keyof typeof METHODS;

const PAIRS: Readonly<Partial<Record<ModelName, readonly MethodName[]>>> = {
  bert: ["lora", "adapter", "prompt", "prefix", "head", "full"],
  roberta: ["lora", "adapter", "full"],
  t5: ["lora", "prefix", "full"],
  "t5 v1.1": ["lora", "adapter", "prompt", "full"],
};

describe("gradients stage by stage, dropout and density loss on", () => {
  for (const [model, methods] of Object.entries(PAIRS) as [ModelName, readonly MethodName[]][]) {
    it.each(methods)(`${model}, %s: those of one graph by name`, async (method) => {
      const options = optionsOf(model, METHODS[method](model));
      const batch = batchOf(model, 3, 7, 1);
      const staged = await StagedOptimizer.open(options);
      await staged.step(1, [batch], RATES);
      const whole = await wholeGradients(options, batch, streamSeed(options.seed, "dropout", 1, 0) >>> 0);
      expect([...staged.gradients.keys()]).toEqual([...whole.keys()]);
      for (const [parameter, expected] of whole) {
        // a key's bias moves all scores of a row alike: its gradient is 0 but for rounding
        if (parameter.endsWith("key.bias")) continue;
        expect(distance(staged.gradients.get(parameter)!, expected), parameter).toBeLessThan(1e-5);
      }
      await staged.dispose();
    });
  }
});

it("gradients over an NF4 base, whose matrices are restored in every stage", async () => {
  const plain = optionsOf("t5 v1.1", METHODS.lora("t5 v1.1"));
  const matrices = blockLinears(plain.model).map(({ path }) => `${path}.weight`);
  const base = (await openQuantized(quantizedCheckpoint(plain.weights, new Set(matrices), "nf4"), "test"))!;
  const hooks = compose(quantizedHooks(base.layouts), plain.method.hooks);
  const options = { ...plain, weights: base.weights, method: { ...plain.method, hooks } };
  const batch = batchOf("t5 v1.1", 3, 7, 1);
  const staged = await StagedOptimizer.open(options);
  await staged.step(1, [batch], RATES);
  const whole = await wholeGradients(options, batch, streamSeed(options.seed, "dropout", 1, 0) >>> 0);
  const float = await wholeGradients(plain, batch, streamSeed(options.seed, "dropout", 1, 0) >>> 0);
  for (const [name, expected] of whole)
    expect(distance(staged.gradients.get(name)!, expected), name).toBeLessThan(1e-5);
  // it was the four bits that were compared
  expect([...whole].some(([name, gradient]) => distance(gradient, float.get(name)!) > 1e-2)).toBe(true);
  await staged.dispose();
});

it("a stage is a block: it reads what one block handed on, and keeps no more", () => {
  const tap = blockTap();
  const { method, ...options } = optionsOf("bert", METHODS.lora("bert"));
  const { gradient } = buildStep({ ...options, method: { ...method, hooks: compose(tap.hooks, method.hooks) } });
  const { loss, taskLoss } = gradient;
  const stages = cutStages({ loss: loss!, taskLoss: taskLoss! }, tap.blocks);
  expect([...tap.blocks.keys()]).toEqual([0, 1, 2].map((n) => `bert.encoder.layer.${n}`));
  const big = (kept: readonly Kept[]) => kept.filter(({ value }) => value.shape.length > 0).length;
  expect(stages.map(({ reads, makes }) => [big(reads), big(makes)])).toEqual([
    [0, 1],
    [1, 1],
    [1, 1],
    [1, 0],
  ]);
  // the density loss of each block crosses as one number
  expect(stages.map(({ makes }) => makes.length)).toEqual([1, 2, 2, 0]);
});

it("T5: the encoder's end is made once, and each decoder block makes its own keys of it", () => {
  const tap = blockTap();
  const { method, ...options } = optionsOf("t5", METHODS.lora("t5"));
  const { gradient } = buildStep({ ...options, method: { ...method, hooks: compose(tap.hooks, method.hooks) } });
  const stages = cutStages({ loss: gradient["loss"]! }, tap.blocks);
  expect(stages.length).toBe(1 + 2 + 3);
  const keys = /^decoder\.block\.(\d)\.layer\.1\.EncDecAttention\.[kv]$/;
  for (const [at, { makes }] of stages.entries())
    for (const { value } of makes) {
      const block = keys.exec(value.node.site)?.[1];
      if (block !== undefined) expect(at).toBe(3 + Number(block));
    }
  // stage 2 is the encoder's last block and its end
  expect(stages[2]!.makes.filter(({ value }) => value.shape.length > 0).length).toBe(1);
});

describe("steps", () => {
  it("of either kind go on from the other's state, with accumulation", async () => {
    const options = {
      ...optionsOf("bert", METHODS.lora("bert")),
      accumulate: 2,
      neuronEnergies: true,
      activeShare: true,
    };
    const [whole, staged] = [await Optimizer.open(options), await StagedOptimizer.open(options)];
    for (let step = 1; step <= 4; step++) {
      const batches = [batchOf("bert", 3, 6, step), batchOf("bert", 2, 9, 10 + step)];
      const [one, other] = [await whole.step(step, batches, RATES), await staged.step(step, batches, RATES)];
      expect(other.taskLoss).toBeCloseTo(one.taskLoss, 5);
      expect(other.densityLoss).toBeCloseTo(one.densityLoss, 5);
      expect(Math.abs(other.gradNorm / one.gradNorm - 1)).toBeLessThan(1e-4);
      expect(other.density).toBeCloseTo(one.density!, 3);
      expect([...staged.energies.keys()]).toEqual([...whole.energies.keys()]);
      for (const [site, energies] of whole.energies)
        energies.forEach((energy, f) => {
          expect(staged.energies.get(site)![f]).toBeCloseTo(energy, 4);
        });
      // the next step begins alike, so that rounding does not add up
      await whole.restore(await staged.readState());
    }
    await whole.dispose();
    await staged.dispose();
  });

  it("go on bit for bit from a restored state", async () => {
    const options = optionsOf("roberta", METHODS.adapter());
    const straight = await StagedOptimizer.open(options);
    const copy = (tensors: ReadonlyMap<string, Tensor>) =>
      new Map(Array.from(tensors, ([name, t]) => [name, { ...t, data: t.data.slice() }]));
    for (let step = 1; step <= 2; step++) await straight.step(step, [batchOf("roberta", 3, 8, step)], RATES);
    const { parameters, m, v } = await straight.readState();
    const resumed = await StagedOptimizer.open({ ...options, seed: 5 });
    await resumed.restore({ parameters: copy(parameters), m: copy(m), v: copy(v) });
    for (let step = 3; step <= 5; step++) {
      const results = [];
      for (const one of [straight, resumed])
        results.push(await one.step(step, [batchOf("roberta", 2, 5 + step, step)], RATES));
      expect(results[1]).toEqual(results[0]);
    }
    const after = await resumed.readParameters();
    for (const [name, { data }] of await straight.readParameters()) expect(after.get(name)!.data).toEqual(data);
    await straight.dispose();
    await resumed.dispose();
  });

  it("updates in place as AdamW into other memory does", async () => {
    const options = { ...optionsOf("bert", full()), maxGradNorm: null };
    const [whole, staged] = [await Optimizer.open(options), await StagedOptimizer.open(options)];
    const before = new Map(Array.from(await staged.readParameters(), ([name, t]) => [name, t.data.slice()]));
    const batch = batchOf("bert", 3, 6, 1);
    const graph = whole.graph;
    await staged.step(1, [batch], RATES);
    const update = await backend.compile(graph.update);
    const scalar = (value: number) => ({ dtype: "float32", shape: [], data: Float32Array.of(value) }) as const;
    const fed: Record<string, Tensor> = {
      learningRate: scalar(RATES.learningRate),
      correction1: scalar(1 - 0.9),
      correction2: scalar(Math.sqrt(1 - 0.999)),
    };
    for (const { name, shape } of graph.trainable) {
      fed[name] = { dtype: "float32", shape, data: before.get(name)! };
      fed[`m.${name}`] = zeros("float32", shape);
      fed[`v.${name}`] = zeros("float32", shape);
      fed[`grad.${name}`] = staged.gradients.get(name)!;
    }
    const outputs = await update.run(fed);
    expect(scalarOf(outputs["gradNorm"]!)).toBeGreaterThan(0);
    const after = await staged.readParameters();
    for (const { name } of graph.trainable) expect(after.get(name)!.data, name).toEqual(outputs[`next.${name}`]!.data);
    await update.dispose();
    await whole.dispose();
    await staged.dispose();
  });
});
