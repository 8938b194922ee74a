// `deft compress` of runs whose method cannot be merged: the smaller base, and the method that stays beside it.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EncodedExamples } from "../../src/data/index.ts";
import { scoringBatches } from "../../src/evaluate/index.ts";
import type { Value } from "../../src/graph/index.ts";
import { openScorer } from "../../src/infer/index.ts";
import { openCompressData } from "../../src/jobs/compress/data.ts";
import { calibrate, layerFacts, openMasked, statedScores } from "../../src/jobs/compress/scoring.ts";
import { type MergedModel, openMergedModel } from "../../src/load/merged-model.ts";
import { anyModel } from "../../src/models/index.ts";
import { compose, type Hooks } from "../../src/nn/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { untrained } from "../../src/peft/index.ts";
import { applyPlan, hasAdapter, keepNeurons, type PlainModel } from "../../src/prune/index.ts";
import type { Compression } from "../../src/runs/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { buildTaskGraph } from "../../src/tasks/index.ts";
import { inTurn } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { meanDivergence } from "../support/divergence.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { argv, done, type TinyTexts, tinyTexts } from "./t5-support.ts";

let tiny: TinyTexts;
beforeAll(async () => {
  tiny = await tinyTexts();
  await writeTinyModel(tiny.at("bert"), { numLayers: 3 });
  await writeTinySst2(tiny.at("sst2"), { train: 64, dev: 48 });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const METHODS: Readonly<Record<string, readonly string[]>> = {
  pfeiffer: ["--method", "adapter", "--reduction-factor", "4"],
  houlsby: ["--method", "adapter", "--adapter-kind", "houlsby", "--reduction-factor", "4"],
  prompt: ["--method", "prompt", "--virtual-tokens", "4"],
  prefix: ["--method", "prefix", "--virtual-tokens", "4"],
};
const MODELS = {
  bert: { folder: "bert", task: "sst2", data: "sst2", skip: "1", mlps: 3 },
  "T5 v1.1": { folder: "v1.1", task: "seq2seq", data: "texts", skip: "encoder.1,decoder.0", mlps: 4 },
} as const;
const CASES = (Object.keys(MODELS) as (keyof typeof MODELS)[]).flatMap((model) =>
  Object.keys(METHODS).map((method) => [model, method] as const),
);

const evaluated = async (folder: string) =>
  JSON.parse(await done("eval", folder, "--threads", "1", "--json")) as { loss: number; metrics: object };

/** The names of the tensors in a folder's safetensors files. */
function tensorNames(folder: string): string[] {
  const files = ["adapter.safetensors", "model.safetensors", "adapter_model.safetensors", "trained.safetensors"];
  const extras = ["deft.safetensors", "adapter_head.safetensors"];
  return [...files, ...extras].flatMap((file) => {
    const path = join(folder, file);
    if (!existsSync(path)) return [];
    const bytes = readFileSync(path);
    const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString("utf8");
    return Object.keys(JSON.parse(header) as object).filter((name) => name !== "__metadata__");
  });
}

/** Mean squared distance of two models' logits over examples, or of models that write the mean divergence over label tokens; by programs of their own. */
async function distanceOf(
  models: readonly [PlainModel, PlainModel],
  { opened: { head } }: MergedModel,
  examples: EncodedExamples,
): Promise<number> {
  const [batch] = scoringBatches(examples, head, "longest", examples.count);
  const logits: Float32Array[] = [];
  for (const { config, weights, beside } of models) {
    const method = { ...untrained(), hooks: beside!.method.hooks };
    const model = anyModel(config, undefined, weights);
    const backend = nodeBackend({ threads: 1 });
    const scorer = await openScorer({ model, method, head, weights, backend, density: false, fetch: true });
    logits.push((await scorer.run(beside!.tensors, batch!)).logits!.data as Float32Array);
    await scorer.dispose();
  }
  const labels = batch!.inputs.labels!;
  const [first, second] = logits as [Float32Array, Float32Array];
  if (labels.shape.length === 1)
    return first.reduce((sum, value, i) => sum + (value - second[i]!) ** 2, 0) / examples.count;
  return meanDivergence(
    first,
    second,
    Array.from(labels.data as BigInt64Array, (label) => label !== -100n),
  );
}

/** Mean of what an MLP's sublayer adds to the residual at tokens that count, reckoned here from its outputs. */
async function meanAdded(
  { model, weights, beside, opened: { head } }: MergedModel,
  sublayer: string,
  examples: EncodedExamples,
): Promise<number[]> {
  const seen: Value[] = [];
  const hooks: Hooks = {
    sublayer(site, _x, h) {
      if (site.path === sublayer) seen.push(h);
      return h;
    },
  };
  const method = { ...untrained(), hooks: compose(beside!.method.hooks, hooks) };
  buildTaskGraph({ model, method, head });
  const program = await nodeBackend({ threads: 1 }).compile({ h: seen[0]! }, { weights });
  const [batch] = scoringBatches(examples, head, "longest", examples.count);
  const { h } = await program.run({ ...Object.fromEntries(beside!.tensors), ...batch!.inputs });
  await program.dispose();
  const { attentionMask, labels } = batch!.inputs;
  const mask = sublayer.startsWith("decoder.") ? labels! : attentionMask!;
  const isCounted = Array.from(mask.data as BigInt64Array, (value) =>
    mask === labels ? value !== -100n : value === 1n,
  );
  const [size, data] = [h!.shape[2]!, h!.data as Float32Array];
  return Array.from({ length: size }, (_, d) => {
    const own = isCounted.flatMap((is, position) => (is ? [data[position * size + d]!] : []));
    return own.reduce((sum, value) => sum + value, 0) / own.length;
  });
}

describe.each(CASES)("%s with %s and gates", (name, method) => {
  const { folder, task, data, skip, mlps } = MODELS[name];
  const at = (part: string) => tiny.at(`${folder}-${method}-${part}`);
  const compress = async (run: string, part: string, ...argv: string[]) =>
    JSON.parse(await done("compress", run, "--output", at(part), "--threads", "1", "--json", ...argv)) as Compression;
  let loss: number;
  beforeAll(async () => {
    const fixed = { threads: 1, "batch-size": 8, "max-steps": 16, "learning-rate": 0.02, "max-length": 32 };
    const where = { model: tiny.at(folder), task, data: tiny.at(data), output: at("run") };
    const removes = { "keep-neurons": 0.75, "gate-rate": 0.5 };
    await done(
      "train",
      ...argv({ ...where, ...fixed, ...removes }),
      "--ada",
      "--gates",
      "sigmoid",
      "-q",
      ...METHODS[method]!,
    );
    loss = (await evaluated(at("run"))).loss;
  });

  test("masks go into the weights and gates as far as they can: exact, without a rule", async () => {
    const result = await compress(at("run"), "whole");
    expect(result).toMatchObject({ exactness: "exact", after: { mlps }, chosen: { masked: true } });
    expect(result.after.neurons).toBe(result.before.neurons * 0.75);
    expect(result.logitsDifference).toBeLessThan(1e-5);
    expect((await evaluated(at("whole"))).loss).toBeCloseTo(loss, 5);
    // only an adapter that reads the residual too keeps its gate as a number
    const gates = tensorNames(join(at("whole"), "adapter")).filter((tensor) => tensor.endsWith("mlp_gate"));
    expect(gates).toHaveLength(method === "pfeiffer" ? mlps : 0);
    expect(tensorNames(join(at("whole"), "adapter")).some((tensor) => tensor.endsWith("neuron_mask"))).toBe(false);
  });

  test("an MLP that goes takes what stands behind it; eval, predict, profile and compress open the rest", async () => {
    const result = await compress(at("run"), "small", "--skip", skip);
    expect(result.after.mlps).toBe(mlps - skip.split(",").length);
    const [before, after] = [tensorNames(join(at("whole"), "adapter")), tensorNames(join(at("small"), "adapter"))];
    expect(after.length).toBeGreaterThan(0);
    const isBottleneck = method === "pfeiffer" || method === "houlsby";
    if (isBottleneck) expect(after.length).toBeLessThan(before.length);
    else expect(after).toEqual(before);
    // the base is a plain one, which knows nothing of the method
    expect(tensorNames(at("small")).some((tensor) => /adapter|prefix|prompt|gate|mask/.test(tensor))).toBe(false);
    const { metrics } = await evaluated(at("small"));
    expect(Object.keys(metrics)).toEqual(Object.keys(result.after.metrics));
    expect((await deft("predict", at("small"), "--text", "a dull film", "--threads", "1")).code).toBe(0);
    expect((await deft("profile", at("small"), "--threads", "1", "--json")).code).toBe(0);
    const again = await compress(at("small"), "again", "--keep-neurons", "1");
    expect(again).toMatchObject({ exactness: "exact", after: { mlps: result.after.mlps } });
    expect(again.logitsDifference).toBeLessThan(1e-5);
    expect((await evaluated(at("again"))).loss).toBeCloseTo((await evaluated(at("small"))).loss, 5);
  });

  test("a switched model moves as far as the one really made smaller", async () => {
    const environment = nodeEnvironment();
    const backend = nodeBackend({ threads: 1 });
    const frozen = await openMergedModel(environment, { kind: "run", folder: at("run") }, {}, { keepsMethod: true });
    const all = await openCompressData(environment, frozen, 32);
    const sites = frozen.model.mlps;
    const facts = await layerFacts(frozen, sites, await calibrate(backend, frozen, all.calibration, { moments: true }));
    for (const { site, statistics } of facts) {
      if (!hasAdapter(frozen.weights, site)) continue;
      const mean = await meanAdded(frozen, site.sublayer, all.calibration);
      expect(Array.from(statistics!.added!, (value, d) => Math.abs(value - mean[d]!) < 1e-5)).not.toContain(false);
    }
    const kept = facts.map((_, i) => (i === 0 ? [1, 5, 8] : i === 1 ? [] : null));
    const layers = await inTurn(facts, (of, i) =>
      keepNeurons(of, kept[i] ?? [...Array(of.site.neurons).keys()], "refit"),
    );
    const smaller = applyPlan(frozen, sites, layers);
    const masked = await openMasked(backend, frozen, facts, all);
    const [said, really] = [await masked.said(all.heldOut, kept), await statedScores(backend, frozen, smaller, all)];
    expect(said.metrics).toEqual(really.after.metrics);
    expect(really.logitsDifference).toBeGreaterThan(1e-3);
    const distance = await distanceOf([frozen, smaller], frozen, all.heldOut);
    expect((await masked.divergence(all.heldOut, kept)) / distance).toBeCloseTo(1, 3);
    await masked.dispose();
  });
});

test("a budget searches such a run too, eight bits are measured, and what cannot be is refused", async () => {
  const run = tiny.at("bert-pfeiffer-run");
  const out = await done(
    "compress",
    run,
    "--output",
    tiny.at("budget"),
    "--score-budget",
    "20",
    "--quantize",
    "int8",
    "--threads",
    "1",
    "--json",
  );
  const result = JSON.parse(out) as Compression;
  expect(result.quantized!.accuracy).toBeGreaterThan(0.3);
  expect(result.after.neurons).toBeLessThan(result.before.neurons);
  expect((await evaluated(tiny.at("budget"))).metrics).toHaveProperty("accuracy");
  const refused = async (expected: RegExp, ...argv: string[]) => {
    const { code, err } = await deft("compress", run, "--output", tiny.at("x"), "--keep-neurons", "0.5", ...argv);
    expect(err).toMatch(expected);
    expect(code).toBe(2);
  };
  await refused(
    /--recovery-steps: expected a run of lora, ia3, head or full, got one of adapter/,
    "--recovery-steps",
    "5",
  );
});
