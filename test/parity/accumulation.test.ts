// Micro-batches, and parts of one batch, add up to the large batch: losses, gradient norm, updates, energies of neurons, density, and what gates are read off.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { nodeBackend } from "../../src/runtime/node.ts";
import { IGNORED_LABEL, type ModelBatch, partsOf } from "../../src/tasks/index.ts";
import { float32, int64, type Tensor } from "../../src/tensor/index.ts";
import { GateImportance, type GateReadings, Optimizer, type StepResult } from "../../src/train/index.ts";
import { attendedIn, methodOf, openCase, type ParityCase } from "./records.ts";

const cache = mkdtempSync(join(tmpdir(), "deft-accumulation-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** A batch with columns of padding added up to `length`. */
function paddedTo(batch: ModelBatch, length: number, padTokenId: number): ModelBatch {
  const { tokenIds, attentionMask, typeIds } = batch.inputs;
  const widened = {
    tokenIds: widen(tokenIds!, length, padTokenId),
    attentionMask: widen(attentionMask!, length, 0),
    ...(typeIds ? { typeIds: widen(typeIds, length, 0) } : {}),
  };
  return { ...batch, inputs: { ...batch.inputs, ...widened } };
}

function widen({ shape, data }: Tensor, length: number, fill: number): Tensor {
  const [rows, before] = shape as readonly [number, number];
  const at = (i: number) => (i % length < before ? Number(data[Math.floor(i / length) * before + (i % length)]) : fill);
  return int64(
    [rows, length],
    Array.from({ length: rows * length }, (_, i) => at(i)),
  );
}

/** A batch with columns of no label added up to `length`. */
function labelledTo(batch: ModelBatch, length: number): ModelBatch {
  return { ...batch, inputs: { ...batch.inputs, labels: widen(batch.inputs.labels!, length, IGNORED_LABEL) } };
}

/** Batches of one length as one. */
function joined(batches: readonly ModelBatch[]): ModelBatch {
  const stack = (name: string): Tensor => {
    const all = batches.map(({ inputs }) => inputs[name]!);
    const shape = [all.reduce((rows, one) => rows + one.shape[0]!, 0), ...all[0]!.shape.slice(1)];
    return int64(
      shape,
      all.flatMap(({ data }) => Array.from(data as BigInt64Array, Number)),
    );
  };
  const inputs = Object.fromEntries(Object.keys(batches[0]!.inputs).map((name) => [name, stack(name)]));
  return {
    inputs,
    indices: Array.from({ length: inputs.attentionMask!.shape[0]! }, (_, i) => i),
    attendedTokens: attendedIn(inputs.attentionMask!),
  };
}

interface Run {
  readonly steps: readonly StepResult[];
  readonly readings: readonly GateReadings[];
  readonly energies: readonly (typeof Optimizer.prototype.energies)[];
  readonly parameters: ReadonlyMap<string, Tensor>;
}

async function run(
  one: ParityCase,
  positions: "attended" | "all",
  batches: readonly ModelBatch[],
  epsilon: number,
): Promise<Run> {
  const { model, head, weights, record } = one;
  const optimizer = await Optimizer.open({
    model,
    head,
    weights,
    method: methodOf(record.method),
    density: { positions },
    gates: { kind: "importance" },
    neuronEnergies: true,
    activeShare: true,
    weightDecay: 0.01,
    maxGradNorm: 1,
    backend: nodeBackend({ threads: 1 }),
    seed: 0,
    accumulate: batches.length,
  });
  const steps: StepResult[] = [];
  const readings: GateReadings[] = [];
  const energies: (typeof optimizer.energies)[] = [];
  // as before the first step: every MLP's density loss counts alike
  const gateFeeds = new GateImportance(optimizer.graph.gates).feeds;
  expect(optimizer.graph.gates).toHaveLength(model.mlps.length);
  for (let step = 1; step <= 3; step++) {
    steps.push(await optimizer.step(step, batches, { learningRate: 1e-3, densityWeight: 1, epsilon, gateFeeds }));
    readings.push(optimizer.gateReadings);
    energies.push(optimizer.energies);
  }
  const parameters = new Map(
    [...(await optimizer.readParameters())].map(([name, { shape, data }]) => [
      name,
      float32(shape, data.slice() as Float32Array),
    ]),
  );
  await optimizer.dispose();
  return { steps, readings, energies, parameters };
}

function expectClose(small: Run, large: Run): void {
  small.steps.forEach((got, i) => {
    for (const key of ["loss", "taskLoss", "densityLoss", "density", "gradNorm"] as const) {
      expect(Math.abs(got[key]! - large.steps[i]![key]!), `${key} of step ${i}`).toBeLessThan(1e-6);
    }
  });
  small.readings.forEach((got, i) => {
    for (const [site, want] of large.readings[i]!) {
      const { squares, sum, count } = got.get(site)!;
      expect(want.squares).toBeGreaterThan(0);
      expect(Math.abs(squares - want.squares), `${site} in step ${i}`).toBeLessThan(1e-4 * want.squares);
      expect(count).toBe(want.count);
      for (const [d, value] of sum.entries()) expect(value).toBeCloseTo(want.sum[d]!, 4);
    }
  });
  small.energies.forEach((got, i) => {
    for (const [site, want] of large.energies[i]!)
      for (const [f, value] of got.get(site)!.entries())
        expect(Math.abs(value - want[f]!), `${site} ${f}`).toBeLessThan(1e-5 * Math.max(...want.map(Math.abs)));
  });
  expect([...small.parameters.keys()]).toEqual([...large.parameters.keys()]);
  for (const [name, { data }] of large.parameters) {
    // a softmax over positions does not see what is added to all of them: its gradient is nothing but rounding
    if (name === "qa_outputs.bias") continue;
    const gaps = Array.from(data as Float32Array, (want, i) =>
      Math.abs(Number(small.parameters.get(name)!.data[i]) - want),
    );
    expect(Math.max(...gaps), name).toBeLessThan(1e-6);
  }
}

test("attended positions: four micro-batches of unequal length", async () => {
  const one = await openCase("test/golden/encoders", "bert-gelu.adapter-pfeiffer", cache);
  const { padTokenId } = one.model.config;
  expect(new Set(one.batches.map(({ inputs }) => inputs.tokenIds!.shape[1])).size).toBe(4);
  const large = joined(one.batches.map((batch) => paddedTo(batch, 11, padTokenId)));
  expectClose(await run(one, "attended", one.batches, 1e-2), await run(one, "attended", [large], 1e-2));
});

test("all positions: four micro-batches padded alike, as padding counts", async () => {
  const one = await openCase("test/golden/encoders", "bert-gelu.lora-qv", cache);
  const padded = one.batches.map((batch) => paddedTo(batch, 11, one.model.config.padTokenId));
  expectClose(await run(one, "all", padded, 1e-2), await run(one, "all", [joined(padded)], 1e-2));
});

test.each(["t5-v10.lora-qv", "t5-v11.adapter-pfeiffer"])(
  "texts and labels of unequal length, means over label tokens and over both stacks: %s",
  async (name) => {
    const one = await openCase("test/golden/t5", name, cache);
    const { padTokenId } = one.model.config;
    const length = (input: string) => Math.max(...one.batches.map(({ inputs }) => inputs[input]!.shape[1]!));
    const padded = one.batches.map((batch) =>
      labelledTo(paddedTo(batch, length("tokenIds"), padTokenId), length("labels")),
    );
    const large = joined(padded);
    expectClose(await run(one, "attended", one.batches, 1e-2), await run(one, "attended", [large], 1e-2));
    expectClose(await run(one, "all", padded, 1e-2), await run(one, "all", [large], 1e-2));
  },
);

test.each([
  ["encoders", "bert-gelu.lora-qv", 30],
  ["encoders", "bert-span.lora-qv", 1],
  ["t5", "t5-v11.adapter-pfeiffer", 40],
])("parts of one batch: %s %s, of %s tokens at most", async (kind, name, mostTokens) => {
  const one = await openCase(`test/golden/${kind}`, name, cache);
  const length = (input: string) => Math.max(...one.batches.map(({ inputs }) => inputs[input]!.shape[1] ?? 0));
  const padded = one.batches
    .map((batch) => paddedTo(batch, length("tokenIds"), one.model.config.padTokenId))
    .map((batch) => (one.model.writes ? labelledTo(batch, length("labels")) : batch));
  const large = joined(padded);
  const parts = partsOf(large, mostTokens);
  expect(parts.length).toBeGreaterThan(2);
  for (const positions of ["attended", "all"] as const)
    expectClose(await run(one, positions, parts, 1e-2), await run(one, positions, [large], 1e-2));
});

test("answers, of which some lie outside the text", async () => {
  const one = await openCase("test/golden/encoders", "bert-span.lora-qv", cache);
  // positions outside count from the padded length up
  const outside = ({ shape, data }: Tensor, from: number) =>
    int64(
      shape,
      Array.from(data as BigInt64Array, (at) => (Number(at) < from ? Number(at) : 99)),
    );
  const batches = one.batches.map((batch) => {
    const { startPositions, endPositions, tokenIds } = batch.inputs;
    const from = tokenIds!.shape[1]!;
    const moved = {
      startPositions: outside(startPositions!, from),
      endPositions: outside(endPositions!, from),
    };
    return { ...batch, inputs: { ...batch.inputs, ...moved } };
  });
  const padded = batches.map((batch) => paddedTo(batch, 11, one.model.config.padTokenId));
  expectClose(await run(one, "attended", padded, 1e-2), await run(one, "attended", [joined(padded)], 1e-2));
});
