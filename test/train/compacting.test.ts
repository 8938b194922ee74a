// Neurons that leave the training graph: the run is that of masks but for rounding, and resumes to the bit.
import { afterEach, describe, expect, it } from "vitest";
import { isOp, reachable, type Shape } from "../../src/graph/index.ts";
import { memoryFiles } from "../../src/hub/index.ts";
import { runExtras, withExtras } from "../../src/load/index.ts";
import { type Method, lora as peftLora } from "../../src/peft/index.ts";
import { isNeuronMask, NeuronRemoval, type RemovalOptions } from "../../src/prune/index.ts";
import type { Backend } from "../../src/runtime/index.ts";
import { float32, type Tensor, type Weights } from "../../src/tensor/index.ts";
import { loadCheckpoint, saveCheckpoint, type TrainerState } from "../../src/train/checkpoint.ts";
import { NeuronSlices, reducedMlps } from "../../src/train/compacting/left-neurons.ts";
import {
  CompactingOptimizer,
  type CompactingOptions,
  type OptimizerState,
  openOptimizer,
  type StepResult,
  type TrainStep,
} from "../../src/train/index.ts";
import { batchOf, CONFIGS, distance, METHODS, type ModelName, optionsOf } from "../support/tiny-training.ts";

const STEPS = 14;
const RATES = { learningRate: 1e-3, densityWeight: 0.7, epsilon: 1e-2 };
/** Neurons go after each of steps 3 to 10; they leave after steps 4, 7 and 10. */
const SCHEDULE = { keep: 0.25, startStep: 2, endStep: 10, interval: 1 } as const;

interface Case {
  readonly model: ModelName;
  readonly method: Method;
  readonly accumulate?: number;
  readonly staged?: boolean;
  readonly scope?: RemovalOptions["scope"];
  readonly loss?: "neurons" | "activations" | null;
  readonly gates?: boolean;
  /** Every third number of the base is zero. */
  readonly isPruned?: boolean;
}

const opened: TrainStep[] = [];
afterEach(async () => {
  for (const optimizer of opened.splice(0)) await optimizer.dispose();
});

function setUp({ model: name, method, accumulate = 1, staged = false, scope = "layer", ...rest }: Case) {
  const { loss = "activations", gates = false, isPruned = false } = rest;
  const drawn = optionsOf(name, method);
  const plain = isPruned ? { ...drawn, weights: pruned(drawn.weights) } : drawn;
  const extras = {
    ...runExtras({ removal: null, gates: null }, plain.model),
    masks: true,
    shifts: !name.startsWith("t5"),
    gates,
  };
  const options: CompactingOptions = {
    ...plain,
    accumulate,
    staged,
    method: withExtras(method, extras),
    density: loss === null ? null : { positions: "attended", loss },
    gates: gates ? { kind: "sigmoid", weight: 0.1, rate: 1 } : null,
    neuronEnergies: true,
    activeShare: true,
    compaction: {
      config: CONFIGS[name],
      settled: withExtras(method, { ...extras, masks: false }),
      steps: [4, 7, SCHEDULE.endStep],
    },
  };
  const { model, weights } = options;
  const removal = () => new NeuronRemoval({ ...SCHEDULE, scope, sites: model.mlps, weights, method: method.settings });
  const batches = (step: number) =>
    Array.from({ length: accumulate }, (_, micro) => batchOf(name, 3, 6 + (step % 3), 100 * micro + step));
  return { options, removal, batches };
}

function pruned(weights: Weights): Weights {
  const zeroed = (data: Tensor["data"]) => (data as Float32Array).map((value, i) => (i % 3 === 0 ? 0 : value));
  return new Map(
    Array.from(weights, ([name, weight]) => {
      const read = async () => float32(weight.shape, zeroed((await weight.read()).data));
      return [name, weight.shape.length === 2 ? { ...weight, read } : weight];
    }),
  );
}

type SetUp = ReturnType<typeof setUp>;

const compacting = async ({ options }: SetUp) => track(await CompactingOptimizer.open(options));
const masked = async ({ options }: SetUp) => track(await openOptimizer(options));

function track<T extends TrainStep>(optimizer: T): T {
  opened.push(optimizer);
  return optimizer;
}

/** Steps `from + 1` to `to`; `behind` is called after each. */
async function run(
  optimizer: TrainStep,
  removal: NeuronRemoval,
  { batches }: SetUp,
  {
    from = 0,
    to = STEPS,
    behind = async () => {},
  }: { from?: number; to?: number; behind?: (step: number) => Promise<void> } = {},
): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (let step = from + 1; step <= to; step++) {
    results.push(await optimizer.step(step, batches(step), RATES));
    await removal.note(step, optimizer.energies, () => optimizer.readParameters());
    await behind(step);
  }
  return results;
}

/** What is left of tensors of the whole model when neurons that are gone are not looked at. */
function ofKept({ options: { model } }: SetUp, parameters: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const mlps = reducedMlps(model.mlps, new Map([...parameters].filter(([name]) => isNeuronMask(name))));
  const specs = Array.from(parameters, ([name, { shape }]) => ({ name, shape }));
  const sizeOf = new Map(mlps.map(({ site, of, kept }) => [site, { of, kept: kept.length }]));
  const smaller = specs.map(({ name, shape }) => {
    const mlp = mlps.find(({ site }) => [site.activation, site.out].some((path) => name.startsWith(`${path}.`)));
    const size = mlp && sizeOf.get(mlp.site)!;
    return { name, shape: shape.map((length) => (length === size?.of ? size.kept : length)) };
  });
  return new NeuronSlices(mlps, specs, smaller).allTaken(parameters);
}

const { lora, full, adapter, ia3, prefix, prompt } = METHODS;
const CASES: Readonly<Record<string, Case>> = {
  "LoRA on all linear layers of a BERT": { model: "bert", method: lora("bert") },
  "all of a BERT": { model: "bert", method: full() },
  "all of a RoBERTa, with the loss of neurons": { model: "roberta", method: full(), loss: "neurons" },
  "LoRA on a gated T5": { model: "t5 v1.1", method: lora("t5 v1.1") },
  "all of a gated T5": { model: "t5 v1.1", method: full(), loss: "neurons" },
  "a T5 without a factor": { model: "t5", method: lora("t5") },
  adapters: { model: "bert", method: adapter() },
  IA3: { model: "bert", method: ia3("bert") },
  "IA3 on a gated T5": { model: "t5 v1.1", method: ia3("t5 v1.1") },
  "prompt tuning": { model: "bert", method: prompt() },
  "prefix tuning": { model: "bert", method: prefix(), loss: null },
  "stage by stage": { model: "bert", method: lora("bert"), staged: true },
  "stage by stage, a gated T5": { model: "t5 v1.1", method: full(), staged: true },
  "in micro-batches": { model: "bert", method: lora("bert"), accumulate: 2, loss: "neurons" },
  "layers that compete": { model: "bert", method: lora("bert"), scope: "global" },
  "layers that compete, a T5": { model: "t5 v1.1", method: full(), scope: "global" },
  "a BERT that had lost neurons before": { model: "cut bert", method: full() },
  "mask-safe LoRA over zeros": {
    model: "bert",
    method: peftLora({ rank: 4, dropout: 0.1, targets: "all-linear", bias: "all", maskSafe: true }),
    isPruned: true,
  },
  "with gates": { model: "bert", method: lora("bert"), gates: true },
};

describe("a run whose neurons leave is the run whose neurons are masked", () => {
  it.each(Object.entries(CASES))("%s", async (_, given) => {
    const set = setUp(given);
    const [one, other] = [await masked(set), await compacting(set)];
    const [expected, actual] = [await run(one, set.removal(), set), await run(other, set.removal(), set)];
    for (const [i, { loss, taskLoss, densityLoss, density, gradNorm }] of expected.entries()) {
      const at = `step ${i + 1}`;
      expect(Math.abs(actual[i]!.loss / loss - 1), at).toBeLessThan(1e-5);
      expect(Math.abs(actual[i]!.taskLoss / taskLoss - 1), at).toBeLessThan(1e-5);
      expect(Math.abs(actual[i]!.densityLoss - densityLoss), at).toBeLessThan(1e-5 * Math.max(densityLoss, 0.1));
      expect(Math.abs(actual[i]!.density! - density!), at).toBeLessThan(1e-6);
      expect(Math.abs(actual[i]!.gradNorm / gradNorm - 1), at).toBeLessThan(1e-4);
    }
    const [whole, smaller] = [await one.readParameters(), await other.readParameters()];
    expect([...smaller.keys()].sort()).toEqual([...whole.keys()].sort());
    for (const [name, tensor] of whole) if (isNeuronMask(name)) expect(smaller.get(name)).toEqual(tensor);
    const kept = ofKept(set, smaller);
    for (const [name, tensor] of ofKept(set, whole)) {
      // a key's bias moves all scores of a row alike: its gradient is rounding, which AdamW makes steps of
      if (name.endsWith("key.bias")) continue;
      expect(smaller.get(name)!.shape).toEqual(whole.get(name)!.shape);
      expect(distance(kept.get(name)!, tensor), name).toBeLessThan(1e-5);
    }
  });
});

const STATE: Omit<TrainerState, "globalStep"> = {
  maxSteps: STEPS,
  bestMetric: null,
  bestStep: null,
  bestDensity: null,
  bestLoss: null,
  evaluatedStep: null,
  evaluationsWithoutGain: 0,
  meanTaskLoss: null,
  majorityEvaluations: 0,
  majorityFinding: null,
  warned: [],
  control: null,
  gates: null,
  fingerprint: "",
};

/** A run that writes a checkpoint behind every step. */
async function savedRun(set: SetUp) {
  const files = memoryFiles();
  const [optimizer, removal] = [await compacting(set), set.removal()];
  const results = await run(optimizer, removal, set, {
    behind: async (globalStep) => {
      const state = await optimizer.readState();
      await saveCheckpoint(files, "run", { ...STATE, globalStep }, state, { energies: removal.state });
    },
  });
  return { files, results, state: await optimizer.readState() };
}

/** The same run from its checkpoint after `from` steps; `change` is done to what was loaded. */
async function resumedRun(
  set: SetUp,
  files: ReturnType<typeof memoryFiles>,
  from: number,
  change: (state: OptimizerState) => OptimizerState = (state) => state,
) {
  const [optimizer, removal] = [await compacting(set), set.removal()];
  const { trainable, buffers } = optimizer.graph;
  const names = { trained: trainable.map(({ name }) => name), buffers: buffers.map(({ name }) => name) };
  const loaded = await loadCheckpoint(files, "run", from, names);
  await optimizer.restore(change(loaded.optimizer));
  removal.restore(loaded.energies);
  return { results: await run(optimizer, removal, set, { from }), state: await optimizer.readState() };
}

describe("resumed before, at and behind each point, a run ends with the same bytes", () => {
  it.each([
    ["LoRA on a BERT", { model: "bert", method: lora("bert") }, [3, 4, 5, 6, 7, 8, 10, 11]],
    ["a gated T5 stage by stage", { model: "t5 v1.1", method: full(), staged: true, scope: "global" }, [4, 6, 10]],
    ["in micro-batches", { model: "bert", method: full(), accumulate: 2, loss: "neurons" }, [5, 10]],
  ] as const)("%s", async (_, given, stops) => {
    const set = setUp(given);
    const whole = await savedRun(set);
    expect(whole.state.left!.step).toBe(SCHEDULE.endStep);
    for (const from of stops) {
      const { results, state } = await resumedRun(set, whole.files, from);
      expect(results, `from ${from}`).toEqual(whole.results.slice(from));
      expect(state, `from ${from}`).toEqual(whole.state);
    }
  });
});

it("a checkpoint of an earlier version, which names no neurons that left, is gone on with", async () => {
  const set = setUp({ model: "bert", method: lora("bert") });
  const { files, results } = await savedRun(set);
  const resumed = await resumedRun(set, files, 8, (state) => ({ ...state, left: null }));
  for (const [i, { loss }] of resumed.results.entries())
    expect(Math.abs(loss / results[8 + i]!.loss - 1)).toBeLessThan(1e-5);
  expect(resumed.state.left!.step).toBe(SCHEDULE.endStep);
});

it("a checkpoint whose neurons that left are gone is refused", async () => {
  const set = setUp({ model: "bert", method: ia3("bert") });
  const { files } = await savedRun(set);
  await files.remove("run/step-8/left-neurons.safetensors");
  await expect(resumedRun(set, files, 8)).rejects.toThrow("left-neurons.safetensors");
});

it("at a point where nothing has gone, the graph stays", async () => {
  const set = setUp({ model: "bert", method: ia3("bert") });
  const all = new NeuronRemoval({
    ...SCHEDULE,
    keep: 1,
    scope: "layer",
    sites: [],
    weights: new Map(),
    method: { kind: "head" },
  });
  const optimizer = await compacting(set);
  await run(optimizer, all, set, { to: 5 });
  const { left } = await optimizer.readState();
  expect(left!.step).toBe(4);
  for (const { data } of left!.masks.values()) expect(new Set(data as Float32Array)).toEqual(new Set([1]));
});

it("each graph holds the neurons that are left, and the last one neither masks nor energies", async () => {
  const set = setUp({ model: "bert", method: lora("bert") });
  const matrix = "bert.encoder.layer.1.output.dense.weight";
  const graphs: { shape: Shape; masks: number; energies: number }[] = [];
  const { backend } = set.options;
  const watched: Backend = {
    ...backend,
    place: (tensor) => backend.place(tensor),
    compile(outputs, options) {
      const fed = reachable(Object.values(outputs)).flatMap((node) => (isOp(node, "parameter") ? [node] : []));
      graphs.push({
        shape: fed.find(({ attributes }) => attributes.name === matrix)!.outputs[0]!.shape,
        masks: fed.filter(({ attributes }) => isNeuronMask(attributes.name)).length,
        energies: Object.keys(outputs).filter((name) => name.startsWith("energy.")).length,
      });
      return backend.compile(outputs, options);
    },
  };
  const optimizer = track(await CompactingOptimizer.open({ ...set.options, backend: watched }));
  await run(optimizer, set.removal(), set);
  expect(graphs).toEqual([
    { shape: [16, 24], masks: 3, energies: 6 },
    { shape: [16, 14], masks: 3, energies: 6 },
    { shape: [16, 7], masks: 3, energies: 6 },
    { shape: [16, 6], masks: 0, energies: 0 },
  ]);
  expect(optimizer.energies.size).toBe(0);
});
