// Decoding that reads only the rows of active neurons, against decoding by whole matrices.
import { describe, expect, test } from "vitest";
import type { Tap } from "../../src/density/index.ts";
import { abs, less, where } from "../../src/graph/index.ts";
import {
  calibrateSparseMlp,
  type GenerationOptions,
  type GeneratorOptions,
  measureGather,
  openGenerator,
  planSparseMlp,
  type SparseMlpPlan,
} from "../../src/infer/index.ts";
import { t5Model } from "../../src/models/index.ts";
import { full, headOnly, lora, type Method } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { webBackend } from "../../src/runtime/web.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { int64, memoryWeights, randomStream, type Tensor, zeros } from "../../src/tensor/index.ts";
import { initialParameters } from "../../src/train/index.ts";

const NEURONS = 32;
const LAYERS = 2;
const frozen: Method = { ...headOnly(), trains: () => false };
const backend = nodeBackend({ threads: 1 });

/** A random T5; in the decoder's layer l the first `silent[l]` neurons never speak. */
function tinyT5(
  projection: string,
  silent: readonly number[] = [24, 28],
  { hidden = 16, isBiased = false }: { readonly hidden?: number; readonly isBiased?: boolean } = {},
): GeneratorOptions {
  const model = t5Model({
    model_type: "t5",
    vocab_size: 40,
    d_model: hidden,
    ...(isBiased ? { mlp_input_bias: true } : {}),
    d_kv: 8,
    d_ff: NEURONS,
    num_layers: 1,
    num_decoder_layers: LAYERS,
    num_heads: 2,
    relative_attention_num_buckets: 8,
    relative_attention_max_distance: 20,
    feed_forward_proj: projection,
  });
  const { parameters } = buildTaskGraph({ model, method: frozen, head: { kind: "language-model" } });
  const tensors = parameters.map(({ name, shape }) => {
    const value = zeros("float32", shape);
    const random = randomStream(7, name);
    const data = (value.data as Float32Array).map(() =>
      name.endsWith("layer_norm.weight") ? 1 : random.normal() * (name === "shared.weight" ? 1 : 0.3),
    );
    const layer = /^decoder\.block\.(\d)\.layer\.2\.DenseReluDense\.wi(_0)?\.weight$/.exec(name)?.[1];
    if (layer !== undefined) data.fill(0, 0, silent[Number(layer)]! * shape[1]!);
    return [name, { ...value, data }] as const;
  });
  return { model, method: frozen, weights: memoryWeights(tensors), backend };
}

const PROMPTS = [[5, 6, 7, 8, 9], [10], [11, 12, 13]];

function batchOf(prompts: readonly (readonly number[])[]) {
  const length = Math.max(...prompts.map((prompt) => prompt.length));
  const table = (of: (prompt: readonly number[], at: number) => number) =>
    int64(
      [prompts.length, length],
      prompts.flatMap((prompt) => Array.from({ length }, (_, at) => of(prompt, at))),
    );
  return {
    inputs: {
      tokenIds: table((prompt, at) => prompt[at] ?? 0),
      attentionMask: table((prompt, at) => Number(at < prompt.length)),
    },
  };
}

const sitesOf = ({ model }: GeneratorOptions) =>
  model.mlps.filter(({ stack }) => stack === "decoder").map(({ activation }) => activation);

/** A plan that gathers every layer, whatever it costs here. */
const everywhere = (options: GeneratorOptions, threshold = 0): SparseMlpPlan => ({
  rows: 1,
  exactness: threshold === 0 ? "exact" : "calibrated",
  layers: sitesOf(options).map((site) => ({
    site,
    neurons: NEURONS,
    isGathered: true,
    threshold,
    active: 0,
    denseMs: null,
    gatheredMs: null,
    reason: null,
  })),
});

interface Written {
  readonly ids: readonly (readonly (readonly number[])[])[];
  readonly logits: readonly Float32Array[];
  /** What the programs compute, by the names of their inputs' kinds. */
  readonly nodes: number;
}

async function write(
  options: GeneratorOptions,
  choices: GenerationOptions = {},
  trained: ReadonlyMap<string, Tensor> = new Map(),
  prompts: readonly (readonly number[])[] = PROMPTS,
): Promise<Written> {
  const logits: Float32Array[] = [];
  const observe = {
    outputs: () => ({}),
    // choosing tokens forbids some in place
    step: (outputs: Readonly<Record<string, Tensor>>) =>
      void logits.push((outputs["logits"]!.data as Float32Array).slice()),
  };
  let nodes = 0;
  const counting = {
    ...options.backend,
    async compile(...args: Parameters<typeof backend.compile>) {
      const program = await options.backend.compile(...args);
      nodes += [...program.sites.keys()].filter((name) => name.includes("NonZero")).length;
      return program;
    },
  };
  const generator = await openGenerator({ ...options, backend: counting, observe });
  const texts = await generator.generate(trained, batchOf(prompts), { maxNewTokens: 8, minNewTokens: 8, ...choices });
  await generator.dispose();
  return { ids: texts.map((each) => each.map(({ tokenIds }) => tokenIds)), logits, nodes };
}

function expectAlike(got: Written, wanted: Written): void {
  expect(got.ids).toEqual(wanted.ids);
  expect(got.logits.length).toBe(wanted.logits.length);
  let largest = 0;
  wanted.logits.forEach((step, i) => {
    for (const [at, value] of step.entries()) largest = Math.max(largest, Math.abs(value - got.logits[i]![at]!));
  });
  expect(largest).toBeLessThan(1e-5);
}

describe.each(["relu", "gated-relu", "gated-gelu", "gelu"])("a T5 with %s", (projection) => {
  test.each([
    ["greedily, one text", {}, [PROMPTS[0]!]],
    ["greedily, three texts at once", {}, PROMPTS],
    ["by three beams of two texts", { numBeams: 3, numReturnSequences: 2 }, PROMPTS.slice(1)],
  ] as const)("writes the same %s", async (_, choices, prompts) => {
    const options = tinyT5(projection);
    const dense = await write(options, choices, new Map(), prompts);
    const sparse = await write({ ...options, sparseMlp: everywhere(options) }, choices, new Map(), prompts);
    expect({ dense: dense.nodes, sparse: sparse.nodes }).toEqual({ dense: 0, sparse: LAYERS });
    expectAlike(sparse, dense);
  });

  test("writes the same where no neuron of a layer speaks, and where all do", async () => {
    for (const silent of [
      [NEURONS, 20],
      [NEURONS, NEURONS],
      [0, 0],
    ]) {
      const options = tinyT5(projection, silent);
      expectAlike(await write({ ...options, sparseMlp: everywhere(options) }), await write(options));
    }
  });

  test("with a threshold computes what zeroed activations do, whatever shares the batch", async () => {
    const options = tinyT5(projection, [0, 0]);
    const threshold = 0.4;
    const sites = new Set(sitesOf(options));
    const zeroing: Method = {
      ...frozen,
      hooks: {
        activation: (site, a) => (sites.has(site.path) ? where(less(a.graph.scalar(threshold), abs(a)), a, 0) : a),
      },
    };
    const sparse = await write({ ...options, sparseMlp: everywhere(options, threshold) });
    expectAlike(sparse, await write({ ...options, method: zeroing }));
    expect(sparse.logits[0]).not.toEqual((await write(options)).logits[0]);
  });
});

/** A plan that predicts every layer's rows and reads those above the floor. */
const predicting = (options: GeneratorOptions, floor: number, threshold = 0): SparseMlpPlan => {
  const { layers, rows } = everywhere(options, threshold);
  const prediction = { floor, recall: 1, selected: 1 };
  return { rows, exactness: "calibrated", layers: layers.map((layer) => ({ ...layer, prediction })) };
};
/** Below every pre-activation. */
const ALL = -(2 ** 100);

describe.each([
  ["relu", false],
  ["gated-relu", true],
  ["gated-gelu", false],
] as const)("predicted rows of a T5 with %s, biased: %s", (projection, isBiased) => {
  const wide = (silent?: readonly number[]) => tinyT5(projection, silent, { hidden: 32, isBiased });

  test.each([
    ["one text", {}, [PROMPTS[0]!]],
    ["three texts at once", {}, PROMPTS],
    ["three beams of two texts", { numBeams: 3, numReturnSequences: 2 }, PROMPTS.slice(1)],
  ] as const)("write the same where every row is found: %s", async (_, choices, prompts) => {
    const options = wide();
    const dense = await write(options, choices, new Map(), prompts);
    const sparse = await write({ ...options, sparseMlp: predicting(options, ALL) }, choices, new Map(), prompts);
    expect(sparse.nodes).toBe(LAYERS);
    expectAlike(sparse, dense);
    // none is found above every pre-activation, and MLPs without neurons are another model
    const none = await write({ ...options, sparseMlp: predicting(options, 2 ** 100) }, choices, new Map(), prompts);
    expect(none.logits[0]).not.toEqual(dense.logits[0]);
  });

  test("with a threshold compute what rows of the last matrix do", async () => {
    const options = wide([0, 0]);
    const rows = await write({ ...options, sparseMlp: everywhere(options, 0.4) });
    expectAlike(await write({ ...options, sparseMlp: predicting(options, ALL, 0.4) }), rows);
  });
});

describe("the floor of a calibration", () => {
  const options = tinyT5("relu", [8, 16], { hidden: 32 });
  const choices = { maxNewTokens: 8, minNewTokens: 8 };

  test("finds the active neurons that were counted, and with all of them texts stay as they were", async () => {
    const seen: { readonly activations: Float32Array; readonly tokens: number }[] = [];
    const observe = {
      outputs: (taps: readonly Tap[]) => ({ a: taps[0]!.activation }),
      step: (outputs: Readonly<Record<string, Tensor>>, tokens: number) =>
        void seen.push({ activations: (outputs["a"]!.data as Float32Array).slice(), tokens }),
    };
    const generator = await openGenerator({ ...options, observe });
    await generator.generate(new Map(), batchOf(PROMPTS), choices);
    await generator.dispose();
    const active = seen.reduce((sum, { activations }) => sum + activations.filter((a) => a !== 0).length, 0);
    const calibration = await calibrateSparseMlp(
      { ...options, predicts: true },
      new Map(),
      [batchOf(PROMPTS)],
      choices,
    );
    const [first] = calibration.layers;
    expect(first!.predictionObstacle).toBeNull();
    const { recall } = first!.predictions.floor(0, 0.5);
    // a share of those that were active, so a whole number of them
    expect(recall * active).toBeCloseTo(Math.round(recall * active), 6);
    expect(recall).toBeGreaterThanOrEqual(0.5);
    const all = calibration.layers.map(({ predictions }) => predictions.floor(0, 1));
    expect(all.every((floor) => floor.recall === 1 && floor.selected < 1)).toBe(true);
    const plan = predicting(options, 0);
    const layers = plan.layers.map((layer, i) => ({ ...layer, prediction: all[i]! }));
    expectAlike(await write({ ...options, sparseMlp: { ...plan, layers } }), await write(options));
  });

  test("is not there for a width without whole blocks, and a plan that has one reads rows of the last matrix", async () => {
    const narrow = tinyT5("relu");
    const { layers } = await calibrateSparseMlp({ ...narrow, predicts: true }, new Map(), [batchOf(PROMPTS)], choices);
    expect(layers[0]!.predictionObstacle).toBe("its rows of 16 numbers are no whole blocks of 32");
    const sparse = await write({ ...narrow, sparseMlp: predicting(narrow, 2 ** 100) });
    expect(sparse.nodes).toBe(LAYERS);
    expectAlike(sparse, await write(narrow));
  });
});

test("wasm writes by predicted rows what the CPU writes by whole matrices", async () => {
  const options = tinyT5("gated-relu", [NEURONS, 24], { hidden: 32 });
  const web = { ...options, backend: webBackend({ threads: 1 }), sparseMlp: predicting(options, ALL) };
  const choices = { maxNewTokens: 3, minNewTokens: 0 };
  expect((await write(web, choices)).ids).toEqual((await write(options, choices)).ids);
});

test("wasm writes what the CPU does", async () => {
  const options = tinyT5("gated-relu", [NEURONS, 24]);
  const web = { ...options, backend: webBackend({ threads: 1 }), sparseMlp: everywhere(options) };
  const choices = { maxNewTokens: 3, minNewTokens: 0 };
  expect((await write(web, choices)).ids).toEqual((await write(options, choices)).ids);
});

describe("methods", () => {
  const trainedBy = async (options: GeneratorOptions, method: Method) => {
    const { parameters } = buildTaskGraph({ model: options.model, method, head: { kind: "language-model" } });
    const trained = await initialParameters(
      parameters.filter(({ trainable }) => trainable),
      options.weights,
      1,
    );
    for (const [name, { data }] of trained) {
      const random = randomStream(3, name);
      if (name.includes("lora_")) for (let i = 0; i < data.length; i++) data[i] = random.normal() * 0.3;
    }
    return trained;
  };
  const reasonsOf = async (options: GeneratorOptions, trained: ReadonlyMap<string, Tensor>) => {
    const calibration = await calibrateSparseMlp(options, trained, [batchOf(PROMPTS)], { maxNewTokens: 2 });
    return calibration.layers.map(({ obstacle }) => obstacle);
  };

  test.each([
    ["relu", ["q", "wi", "wo"], LAYERS],
    ["gated-relu", ["q", "wi_0"], LAYERS],
    ["gated-relu", ["wi_1"], 0],
    ["gated-relu", ["wo"], 0],
  ] as const)("%s with LoRA on %j gathers %i layers and writes the same", async (projection, targets, layers) => {
    const method = lora({ rank: 2, targets });
    const options = { ...tinyT5(projection), method };
    const trained = await trainedBy(options, method);
    const sparse = await write({ ...options, sparseMlp: everywhere(options) }, {}, trained);
    expect(sparse.nodes).toBe(layers);
    expectAlike(sparse, await write(options, {}, trained));
    const reasons = await reasonsOf(options, trained);
    expect(reasons.every((reason) => (reason === null) === layers > 0)).toBe(true);
  });

  test.each([
    ["wi", "the method changes decoder.block.0.layer.2.DenseReluDense.wi: merge it"],
    ["wo", "the method changes decoder.block.0.layer.2.DenseReluDense.wo: merge it"],
  ])("LoRA on %s cannot be predicted, and reads rows of the last matrix", async (target, reason) => {
    const method = lora({ rank: 2, targets: [target] });
    const options = { ...tinyT5("relu", [24, 28], { hidden: 32 }), method };
    const trained = await trainedBy(options, method);
    const plan = predicting(options, 2 ** 100);
    expectAlike(await write({ ...options, sparseMlp: plan }, {}, trained), await write(options, {}, trained));
    const calibration = await calibrateSparseMlp({ ...options, predicts: true }, trained, [batchOf(PROMPTS)], {
      maxNewTokens: 2,
    });
    expect(calibration.layers[0]).toMatchObject({ obstacle: null, predictionObstacle: reason });
  });

  test("trained matrices stay whole, and the plan says why", async () => {
    const options = { ...tinyT5("relu"), method: full() };
    const trained = await trainedBy(options, full());
    expect((await write({ ...options, sparseMlp: everywhere(options) }, {}, trained)).nodes).toBe(0);
    expect((await reasonsOf(options, trained))[1]).toBe(
      "decoder.block.1.layer.2.DenseReluDense.wo is trained: merge it",
    );
  });
});

describe("the calibration", () => {
  test("counts the neurons of the decoder that speak for one text or more", async () => {
    const options = tinyT5("relu", [24, NEURONS]);
    const calibration = await calibrateSparseMlp(options, new Map(), [batchOf(PROMPTS)], {
      maxNewTokens: 8,
      minNewTokens: 8,
    });
    expect(calibration).toMatchObject({ rows: 3, steps: 8 });
    expect(calibration.layers.map(({ site, hidden, isGated }) => ({ site, hidden, isGated }))).toEqual(
      sitesOf(options).map((site) => ({ site, hidden: 16, isGated: false })),
    );
    const [first, second] = calibration.layers.map(({ magnitudes }) => magnitudes.active(0));
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(8 / NEURONS);
    expect(second).toBe(0);
  });

  test("becomes a plan by times of this machine", async () => {
    const options = tinyT5("gated-relu");
    const calibration = await calibrateSparseMlp(options, new Map(), [batchOf(PROMPTS)], { maxNewTokens: 2 });
    const plan = await planSparseMlp(calibration, { backend });
    for (const { denseMs, gatheredMs, isGathered, reason } of plan.layers) {
      expect(denseMs).toBeGreaterThan(0);
      expect(isGathered).toBe(gatheredMs !== null && gatheredMs <= 0.9 * denseMs!);
      expect(reason === null).toBe(isGathered);
    }
    const { gathered } = await measureGather(backend, { hidden: 8, neurons: 64, isGated: false, rows: 2 });
    expect(gathered.map(({ active }) => active)).toEqual(gathered.map(({ active }) => active).sort((a, b) => a - b));
  });
});
