// Plans against PyTorch: transformers' own model, edited the way the plan says, gives the logits of the smaller model.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { deploy } from "../../src/export/index.ts";
import { compilePlain, inferenceOf, writePlainModel } from "../../src/load/merged-model.ts";
import { encoderModel } from "../../src/models/index.ts";
import { nodeFiles } from "../../src/node.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { applyPlan, type LayerPlan } from "../../src/prune/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64, memoryWeights, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { writeTinyModel } from "../support/tiny-model.ts";

const root = mkdtempSync(join(tmpdir(), "deft-reference-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const LAYERS = 4;
const HIDDEN = 32;
const NEURONS = 64;

/** Random texts of random lengths, padded: `[count, 20]`. */
function randomInputs(count: number, modelType: string, seed: number): Record<string, Tensor> {
  const random = randomStream(seed, "inputs");
  const width = 20;
  const [ids, mask, types] = [[], [], []] as number[][];
  for (let row = 0; row < count; row++) {
    const length = 3 + random.integer(width - 2);
    const middle = random.integer(length);
    for (let i = 0; i < width; i++) {
      ids!.push(i < length ? 5 + random.integer(50) : modelType === "bert" ? 0 : 1);
      mask!.push(i < length ? 1 : 0);
      types!.push(modelType === "bert" && i >= middle && i < length ? 1 : 0);
    }
  }
  const of = (values: number[]) => int64([count, width], values);
  return { input_ids: of(ids!), attention_mask: of(mask!), token_type_ids: of(types!) };
}

function rowsOf({ data, shape }: Tensor): number[][] {
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, row) =>
    Array.from(data.slice(row * width, (row + 1) * width) as BigInt64Array, Number),
  );
}

const random = randomStream(3, "plan");
const constant = () => Array.from({ length: HIDDEN }, () => Math.fround(random.normal() * 0.3));
const some = (share: number) => Array.from({ length: NEURONS }, (_, f) => f).filter(() => random.uniform() < share);
const plain = { neurons: NEURONS, kept: null, gate: 1, constant: null, threshold: null };

/** One of each: neurons removed with their constant, an MLP removed with and without one, a gate folded. */
const PLANS: Readonly<Record<string, readonly Omit<LayerPlan, "site">[]>> = {
  "removed neurons": [
    { ...plain, kept: some(0.5), constant: constant() },
    { ...plain, kept: some(0.1) },
    plain,
    { ...plain, kept: [7], constant: constant() },
  ],
  "removed MLPs": [{ ...plain, kept: [], constant: constant() }, plain, { ...plain, kept: [] }, plain],
  "folded gates": [
    { ...plain, gate: 0.6 },
    { ...plain, gate: 0.25, kept: some(0.7), constant: constant() },
    plain,
    { ...plain, gate: 0, kept: [] },
  ],
};

describeWithPython("the smaller model equals PyTorch's, edited alike", (python) => {
  test.each(
    (["bert", "roberta"] as const).flatMap((modelType) => Object.keys(PLANS).map((plan) => [modelType, plan] as const)),
  )("%s: %s, ours and as exported", async (modelType, plan) => {
    const folder = join(root, `${modelType}-${plan.replace(" ", "-")}`);
    const weights = await writeTinyModel(folder, { modelType, hiddenSize: HIDDEN, numLayers: LAYERS, headLabels: 3 });
    const labels = { id2label: { 0: "a", 1: "b", 2: "c" } };
    const config = { ...(JSON.parse(await nodeFiles().readText(join(folder, "config.json"))) as object), ...labels };
    const dense = { config, weights: memoryWeights(weights) };
    const sites = encoderModel(config).mlps;
    const layers = PLANS[plan]!.map((layer, i) => ({ ...layer, site: sites[i]!.activation }));
    await writePlainModel(nodeFiles(), join(folder, "dense"), dense, {
      name: "model",
      folder,
      tokenizer: await loadTokenizer(nodeFiles(), folder),
    });
    const inputs = randomInputs(64, modelType, 5);
    writeFileSync(join(folder, "plan.json"), JSON.stringify({ layers }));
    const asRows = Object.entries(inputs).map(([name, value]) => [name, rowsOf(value)]);
    writeFileSync(join(folder, "inputs.json"), JSON.stringify(Object.fromEntries(asRows)));
    const args = [join(folder, "dense"), join(folder, "plan.json"), join(folder, "inputs.json")];
    const { logits } = JSON.parse(await runPython("scripts/golden/compressed.py", args, { interpreter: python })) as {
      logits: number[][];
    };
    const smaller = applyPlan(dense, sites, layers);
    const program = await compilePlain(nodeBackend({ threads: 1 }), smaller);
    const ours = (await program.run(inputs)).logits!.data as Float32Array;
    await program.dispose();
    const model = writeModel(await deploy(inferenceOf(smaller.config), smaller.weights, "fp32"));
    const session = await InferenceSession.create(model, { intraOpNumThreads: 1 });
    const feeds = session.inputNames.map((name) => [
      name,
      new OrtTensor("int64", inputs[name]!.data as BigInt64Array, inputs[name]!.shape),
    ]);
    const exported = (await session.run(Object.fromEntries(feeds))).logits!.data as Float32Array;
    const theirs = logits.flat();
    const worst = (values: Float32Array) =>
      values.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0);
    expect(ours).toHaveLength(theirs.length);
    expect(worst(ours)).toBeLessThan(1e-5);
    expect(worst(exported)).toBeLessThan(1e-5);
  });
});
