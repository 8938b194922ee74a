// What training adds to a method, against PyTorch: the loss of whole neurons, masks, energies, gates.
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { centreName, isGate, mlpGates } from "../../src/density/index.ts";
import { openSafetensors } from "../../src/hub/index.ts";
import { compose } from "../../src/nn/index.ts";
import { nodeFiles } from "../../src/node.ts";
import { learningRateAt } from "../../src/optim/index.ts";
import type { Method } from "../../src/peft/index.ts";
import { isNeuronMask, maskName, neuronMasks } from "../../src/prune/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { float32, scalarOf, type Tensor, zeros } from "../../src/tensor/index.ts";
import {
  buildStep,
  initialParameters,
  Optimizer,
  type StepOptions,
  shareScalars,
  stackShares,
  stepScales,
} from "../../src/train/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { Comparison } from "./comparison.ts";
import { methodOf, named, openCase, type ParityCase } from "./records.ts";
import { report } from "./suite.ts";

interface Objective {
  readonly positions: "attended" | "all";
  readonly epsilon: number;
  readonly weight: number;
  readonly neurons?: true;
  readonly masked?: true;
  readonly gated?: true;
  readonly importance?: true;
  readonly taskLoss: number;
  readonly densityLoss: number;
  readonly total: number;
  readonly noise: Readonly<Record<string, number>>;
}

interface Training {
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly steps: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly gateRate: number;
  readonly gateWeight: number;
  readonly learningRates: readonly number[];
  readonly taskLosses: readonly number[];
  readonly densityLosses: readonly number[];
  readonly totals: readonly number[];
  readonly gradNorms: readonly number[];
  readonly gates: readonly (readonly number[])[];
}

interface DensityRecord {
  readonly gateWeight: number;
  readonly thetas: readonly number[];
  readonly layerWeights: readonly number[];
  readonly objectives: Readonly<Record<string, Objective>>;
  readonly training: Training;
}

const cache = mkdtempSync(join(tmpdir(), "deft-density-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));
const backend = nodeBackend({ threads: 1 });

async function compareDensity(folder: string, name: string): Promise<void> {
  const one = await openCase(`test/golden/${name.startsWith("t5-") ? "t5" : "encoders"}`, name, cache);
  const record = JSON.parse(await readFile(join(folder, `${name}.json`), "utf8")) as DensityRecord;
  const tensors = new Map<string, Tensor>();
  for (const [key, weight] of await openSafetensors(nodeFiles(), join(folder, `${name}.safetensors`)))
    tensors.set(key, await weight.read());
  const comparison = new Comparison();
  for (const [key, objective] of Object.entries(record.objectives))
    await compareObjective(one, record, tensors, key, objective, comparison);
  await compareTraining(one, record.training, tensors, comparison);
  report(`${name}: density`, comparison);
}

function extended({ record }: ParityCase, { masked, gated }: Pick<Objective, "masked" | "gated">): Method {
  const method = methodOf(record.method);
  const extras = [...(masked ? [neuronMasks()] : []), ...(gated ? [mlpGates()] : [])];
  return { ...method, hooks: compose(method.hooks, ...extras) };
}

async function compareObjective(
  one: ParityCase,
  record: DensityRecord,
  tensors: ReadonlyMap<string, Tensor>,
  key: string,
  objective: Objective,
  comparison: Comparison,
): Promise<void> {
  const { model, head, weights, batches } = one;
  const { positions, epsilon, weight, neurons, gated, importance, masked } = objective;
  const graph = buildStep({
    model,
    head,
    method: extended(one, objective),
    training: false,
    density: { positions, ...(neurons ? { loss: "neurons" } : {}) },
    gates: gated ? { kind: "sigmoid", weight: record.gateWeight, rate: 1 } : importance ? { kind: "importance" } : null,
    neuronEnergies: masked === true,
    weightDecay: 0,
    maxGradNorm: null,
  });
  const program = await backend.compile(graph.gradient, { weights });
  const counts = Object.fromEntries(record.layerWeights.map((of, place) => [`layerWeight.${place}`, of]));
  const width = model.config.hiddenSize;
  const centre = float32(
    [width],
    Array.from({ length: width }, (_, d) => 0.1 * Math.cos(d)),
  );
  const centres = Object.fromEntries(graph.gates.map(({ site }) => [centreName(site), centre]));
  const scales = stepScales(graph, [batches[0]!], positions);
  const shares = shareScalars(stackShares(graph.numVirtualTokens, [batches[0]!]), 0);
  const scalars = { ...scales, ...shares, epsilon, densityWeight: weight, ...(importance ? counts : {}) };
  const zero = graph.trainable.map(({ name, shape }) => [`grad.${name}`, zeros("float32", shape)]);
  const got = await program.run({
    ...Object.fromEntries(await start(one, graph, record.thetas, tensors)),
    ...Object.fromEntries(zero),
    ...batches[0]!.inputs,
    ...centres,
    ...Object.fromEntries(Object.entries(scalars).map(([name, value]) => [name, float32([], [value])])),
  });
  await program.dispose();
  const place = `${one.record.case}: ${key}`;
  comparison.number("loss", `${place} task loss`, scalarOf(got.taskLoss!), objective.taskLoss);
  comparison.number("loss", `${place} density loss`, scalarOf(got.densityLoss!), objective.densityLoss);
  comparison.number("loss", `${place} total`, scalarOf(got.loss!), objective.total);
  const wanted = named(tensors, `grad/${key}/`);
  const ours = graph.trainable.map(({ name }) => name);
  comparison.sameNames(
    `${place} gradients`,
    ours,
    wanted.map(([name]) => name),
  );
  for (const [name, expected] of wanted)
    comparison.tensor("gradient", `${place} ${name}`, got[`next.grad.${name}`], expected, objective.noise[name]!);
  for (const [site, expected] of named(tensors, `sensitivity/${key}/`))
    comparison.tensor("gradient", `${place} sensitivity of ${site}`, got[`sensitivity.${site}`], expected);
  if (!masked) return;
  for (const [site, expected] of named(tensors, "energy/"))
    comparison.tensor("activation", `${place} energy of ${site}`, got[`energy.${site}`], expected);
}

/** The start of the case, with the record's masks and gates. */
async function start(
  one: ParityCase,
  { trainable, buffers }: ReturnType<typeof buildStep>,
  thetas: readonly number[],
  tensors: ReadonlyMap<string, Tensor>,
): Promise<Map<string, Tensor>> {
  const values = await initialParameters([...trainable, ...buffers], one.weights, 0);
  const gates = [...values.keys()].filter(isGate);
  for (const [i, name] of gates.entries()) values.set(name, float32([1], [thetas[i]!]));
  const masks = new Map(named(tensors, "mask/").map(([site, mask]) => [maskName(site), mask]));
  for (const name of values.keys()) if (isNeuronMask(name)) values.set(name, masks.get(name)!);
  return values;
}

async function compareTraining(
  one: ParityCase,
  log: Training,
  tensors: ReadonlyMap<string, Tensor>,
  comparison: Comparison,
): Promise<void> {
  const { model, head, weights, batches } = one;
  const options: StepOptions = {
    model,
    head,
    method: extended(one, { gated: true }),
    training: false,
    density: { positions: "attended" },
    gates: { kind: "sigmoid", weight: log.gateWeight, rate: log.gateRate / log.learningRate },
    weightDecay: log.weightDecay,
    maxGradNorm: log.maxGradNorm,
  };
  const optimizer = await Optimizer.open({ ...options, weights, backend, seed: 0, accumulate: 1 });
  for (let step = 0; step < log.steps; step++) {
    const learningRate = learningRateAt({ ...log, name: "linear", totalSteps: log.steps }, step);
    const batch = batches[step % batches.length]!;
    const got = await optimizer.step(step + 1, [batch], { learningRate, densityWeight: 1, epsilon: 1e-2 });
    const place = `${one.record.case} gates, step ${step}`;
    comparison.number("learningRate", `${place} learning rate`, learningRate, log.learningRates[step]!);
    comparison.number("trainingLoss", `${place} task loss`, got.taskLoss, log.taskLosses[step]!);
    comparison.number("trainingLoss", `${place} density loss`, got.densityLoss, log.densityLosses[step]!);
    comparison.number("trainingLoss", `${place} total`, got.loss, log.totals[step]!);
    comparison.number("gradNorm", `${place} norm`, got.gradNorm, log.gradNorms[step]!);
    const gates = [...(await optimizer.readParameters(isGate))];
    gates.forEach(([name, { data }], i) => {
      comparison.number("trainingLoss", `${place} ${name}`, 1 / (1 + Math.exp(-Number(data[0]))), log.gates[step]![i]!);
    });
  }
  const wanted = named(tensors, "final/");
  comparison.sameNames(
    `${one.record.case} gates final`,
    (await optimizer.readParameters()).keys(),
    wanted.map(([name]) => name),
  );
  for (const [name, expected] of wanted)
    comparison.tensor(
      "final",
      `${one.record.case} gates final ${name}`,
      (await optimizer.readParameters()).get(name),
      expected,
    );
  await optimizer.dispose();
}

const CASES = ["bert-gelu.lora-qv", "bert-gelu.adapter-pfeiffer", "t5-v10.lora-qv", "t5-v11.adapter-pfeiffer"];

describe("the loss of neurons, masks, energies and gates as PyTorch's", () => {
  test.each(CASES)("%s: losses, gradients by name, 20 steps with gates", (name) =>
    compareDensity("test/golden/density", name),
  );
});

describeWithPython("the committed records are what PyTorch makes", (python) => {
  test("made again, they compare alike", { timeout: 300_000 }, async () => {
    const made = await runPython("scripts/golden/density.py", ["--out", cache], { interpreter: python });
    expect(made.trim().split("\n")).toEqual(CASES);
    for (const name of CASES) await compareDensity(cache, name);
  });
});
