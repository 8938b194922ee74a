// `--activation relu`: real zeros without training, in every model here, and what is refused.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { openSafetensors } from "../../src/hub/index.ts";
import { openCompressData } from "../../src/jobs/compress/data.ts";
import { walkMlps } from "../../src/jobs/compress/mlp-data.ts";
import { swappedLayer } from "../../src/jobs/compress/mlp-fit.ts";
import { backendOf, openMergedModel } from "../../src/load/index.ts";
import { nodeEnvironment, nodeFiles } from "../../src/node.ts";
import { applyPlan, type LayerPlan, unchanged } from "../../src/prune/index.ts";
import type { Compression } from "../../src/runs/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { tinyExamples, writeTinyModel } from "../support/tiny-model.ts";
import { type TinyRun, tinyRun } from "./support.ts";
import { argv, done, learns, type TinyTexts, tinyTexts, type Variant, worst } from "./t5-support.ts";

let tiny: TinyRun;
let texts: TinyTexts;
const at = (...parts: readonly string[]) => join(tiny.root, ...parts);

beforeAll(async () => {
  tiny = await tinyRun({ numLayers: 2, hiddenSize: 32 });
  texts = await tinyTexts();
}, 120_000);
afterAll(() => {
  for (const { root } of [tiny, texts]) rmSync(root, { recursive: true, force: true });
});

async function swapped(run: string, output: string, ...flags: readonly string[]): Promise<Compression> {
  const out = await done(
    "compress",
    run,
    "--activation",
    "relu",
    ...flags,
    "--threads",
    "1",
    "--output",
    output,
    "--json",
  );
  return JSON.parse(out) as Compression;
}

/** Holds a walk through all MLPs of a run's model against walks that begin with the whole model for each of them. */
async function walksAsAWhole(run: string): Promise<void> {
  const environment = nodeEnvironment();
  const frozen = await openMergedModel(environment, { kind: "run", folder: run }, { threads: 1 });
  const { calibration: examples, head } = await openCompressData(environment, frozen, 48);
  const backend = backendOf(environment, frozen.opened);
  const sites = frozen.model.mlps;
  const changed = applyPlan(frozen, sites, unchanged(sites), "relu");
  const walk = walkMlps(backend, frozen, { head, examples });
  for (const site of sites) {
    const walked = await walk.next(changed, site);
    const whole = await walkMlps(backend, frozen, { head, examples }).next(changed, site);
    expect(walked.tokens).toBe(whole.tokens);
    expect(worst(walked.inputs, whole.inputs), `${site.activation}: inputs`).toBeLessThan(1e-5);
    expect(worst(walked.targets, whole.targets), `${site.activation}: targets`).toBeLessThan(1e-5);
  }
}

describe("an encoder", () => {
  test("has the density that was asked for, on texts that nothing was fitted to", async () => {
    const found = await swapped(tiny.run, at("relu-10"), "--density-budget", "0.1");
    const { before, after } = found.activation!;
    expect(before).toMatchObject({ name: "gelu" });
    expect(before.density.encoder).toBeGreaterThan(0.95);
    expect(after.name).toBe("relu");
    expect(after.density.encoder).toBeGreaterThan(0.07);
    expect(after.density.encoder).toBeLessThan(0.13);
    expect(found).toMatchObject({
      exactness: "calibrated",
      chosen: { rule: "activation", activation: "relu", densityBudget: 0.1 },
    });
    expect(found.after.neurons).toBe(found.before.neurons);
    const config = JSON.parse(readFileSync(at("relu-10/config.json"), "utf8"));
    expect(config.hidden_act).toBe("relu");
    // the same plan makes the same model
    await done(
      "compress",
      tiny.run,
      "--plan",
      at("relu-10/plan.json"),
      "--threads",
      "1",
      "--output",
      at("again"),
      "-q",
    );
    const bytes = (name: string) => readFileSync(at(name, "model.safetensors"));
    expect(bytes("again").equals(bytes("relu-10"))).toBe(true);
    expect(JSON.parse(readFileSync(at("again/compression.json"), "utf8")).activation.after).toEqual(after);
  });

  test("the fit is nearer to what each MLP is to give than the ReLU alone", async () => {
    const environment = nodeEnvironment();
    const frozen = await openMergedModel(environment, { kind: "run", folder: tiny.run }, { threads: 1 });
    const { calibration: examples, head } = await openCompressData(environment, frozen, 96);
    const backend = backendOf(environment, frozen.opened);
    const texts = { head, examples };
    const [site] = frozen.model.mlps;
    const data = await walkMlps(backend, frozen, texts).next(frozen, site!);
    const errorOf = async (plan: LayerPlan) => {
      const layers = unchanged(frozen.model.mlps).with(0, plan);
      const model = applyPlan(frozen, frozen.model.mlps, layers, "relu");
      const { targets } = await walkMlps(backend, model, texts).next(model, site!);
      return targets.reduce((sum, value, i) => sum + (value - data.targets[i]!) ** 2, 0);
    };
    const { plan, active } = await swappedLayer(backend, frozen, site!, data, { density: null, steps: 0 });
    expect(active).toBeGreaterThan(0.2);
    const { out: _out, ...alone } = { ...plan, constant: null };
    expect(await errorOf(plan)).toBeLessThan(0.2 * (await errorOf(alone)));
  });

  test("goes on from layer to layer where it was left, and sees what the whole model has there", () =>
    walksAsAWhole(tiny.run));

  test("bench counts what its zeros would spare", async () => {
    await swapped(tiny.run, at("zeros"), "--density-budget", "0.1");
    const out = await done(
      "bench",
      tiny.run,
      at("zeros"),
      "--rounds",
      "1",
      "--batches",
      "1",
      "--threads",
      "1",
      "--json",
    );
    const rows = (JSON.parse(out) as { rows: { estimate: { macs: number; macsWithoutZeros: number } }[] }).rows;
    const shares = rows.map(({ estimate }) => estimate.macsWithoutZeros / estimate.macs);
    expect(shares[0]).toBeGreaterThan(0.98);
    expect(shares.at(-1)).toBeLessThan(0.9);
  });

  test("under a budget of score it becomes as sparse as that allows", async () => {
    const found = await swapped(tiny.run, at("budget"), "--score-budget", "100");
    expect(found.budget).toMatchObject({ kind: "score", asked: 1, met: true });
    // the last of those that are tried: a fortieth of what the ReLU leaves
    expect(found.activation!.after.density.encoder).toBeLessThan(0.05);
    expect(found.chosen).toMatchObject({ rule: "activation", budget: 1 });
  });

  test("neurons may go besides, and steps of recovery follow", async () => {
    const found = await swapped(
      tiny.run,
      at("smaller"),
      "--density-budget",
      "0.2",
      "--keep-neurons",
      "0.5",
      "--recovery-steps",
      "4",
    );
    expect(found.after.neurons).toBe(found.before.neurons / 2);
    expect(found.chosen).toMatchObject({
      rule: "explicit",
      keepNeurons: 0.5,
      activation: "relu",
      recoverySteps: 4,
    });
    expect(await deft("eval", at("smaller"), "--threads", "1", "-q")).toMatchObject({ code: 0, err: "" });
    expect(await deft("export", at("smaller"), "--format", "onnx", "--output", at("onnx"), "-q")).toMatchObject({
      code: 0,
    });
  });
});

describe.each(["v1.0", "v1.1"] as const)("a T5 %s", (variant: Variant) => {
  test("has thresholds in biases of its own, and writes", async () => {
    const run = await texts.train(`run-${variant}`, variant, { ...learns(texts.at("texts")), epochs: 2 });
    const output = texts.at(`relu-${variant}`);
    const { activation, after, before } = await swapped(run, output, "--density-budget", "0.1");
    expect(activation!.before.name).toBe(variant === "v1.0" ? "relu" : "gelu_new");
    const { encoder, decoder } = activation!.after.density;
    for (const share of [encoder, decoder!]) expect(share).toBeLessThan(0.14);
    expect(after.neurons).toBe(before.neurons);
    const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
    expect(config).toMatchObject({
      feed_forward_proj: variant === "v1.0" ? "relu" : "gated-relu",
      mlp_bias: true,
      mlp_input_bias: true,
    });
    const weights = await openSafetensors(nodeFiles(), join(output, "model.safetensors"));
    expect([...weights.keys()].filter((name) => /\.(wi|wi_0)\.bias$/.test(name))).toHaveLength(
      config.num_layers + (config.num_decoder_layers ?? config.num_layers),
    );
    await walksAsAWhole(run);
    const { code, out } = await deft("predict", output, "--text", "say: a", "--threads", "1", "-q");
    expect([code, out.length > 0]).toEqual([0, true]);
    const merged = await deft("export", output, "--format", "merged", "--output", `${output}-merged`);
    expect([merged.code, merged.err]).toEqual([2, expect.stringContaining("whose activations have thresholds")]);
    expect(merged.err).toContain("Export it with --format onnx.");
    expect(await deft("export", output, "--format", "onnx", "--output", `${output}-onnx`, "-q")).toMatchObject({
      code: 0,
    });
  });
});

describeWithPython("transformers", (python) => {
  test("counts the same zeros in the folder as it is written", async () => {
    const { activation } = await swapped(tiny.run, at("counted"), "--density-budget", "0.05");
    expect(activation!.after.density.encoder).toBeLessThan(0.08);
    const tokenizer = await loadTokenizer(nodeFiles(), at("counted"));
    const rows = tinyExamples(64, 9).map(({ text }) => tokenizer.encode(text, null, { maxLength: 32 }).ids);
    const width = Math.max(...rows.map(({ length }) => length));
    const padded = (of: (row: readonly number[], i: number) => number) =>
      rows.map((row) => Array.from({ length: width }, (_, i) => of(row, i)));
    writeFileSync(
      at("inputs.json"),
      JSON.stringify({
        input_ids: padded((row, i) => row[i] ?? 0),
        attention_mask: padded((row, i) => Number(i < row.length)),
      }),
    );
    const theirs = JSON.parse(
      await runPython("scripts/golden/zeros.py", [at("counted"), at("inputs.json")], { interpreter: python }),
    ) as { shares: number[] };
    writeFileSync(
      at("texts.tsv"),
      ["sentence\tlabel", ...tinyExamples(64, 9).map(({ text, label }) => `${text}\t${label}`), ""].join("\n"),
    );
    const out = await done(
      "eval",
      at("counted"),
      "--data",
      at("texts.tsv"),
      "--task",
      "text-classification",
      "--text-column",
      "sentence",
      "--label-column",
      "label",
      "--labels",
      "0,1",
      "--threads",
      "1",
      "--json",
    );
    const ours = (JSON.parse(out) as { density: { layers: { exact: number }[] } }).density.layers.map(
      ({ exact }) => exact,
    );
    for (const [layer, share] of ours.entries()) expect(share).toBeCloseTo(theirs.shares[layer]!, 10);
  });
});

describe("refused, with nothing written", () => {
  test.each([
    [["--activation", "gelu"], '--activation: expected relu, got "gelu"'],
    [
      ["--density-budget", "0.05"],
      "--density-budget: expected --activation relu, without which it means nothing, got no --activation",
    ],
    [
      ["--activation", "relu", "--density-budget", "1.5"],
      "--density-budget: expected a share of activations above 0 and below 1",
    ],
    [
      ["--activation", "relu", "--density-budget", "0.1", "--score-budget", "1"],
      "--density-budget: expected no --score-budget beside it",
    ],
    [["--activation", "relu", "--plan", "p.json"], "--plan: expected no --activation beside it"],
  ])("%j", async (flags, message) => {
    const { code, err } = await deft("compress", tiny.run, ...flags, "--output", at("refused"));
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(await filesBelow(at("refused"))).toEqual({});
  });

  test("a base in 4 bits, and a method that cannot be merged", async () => {
    await writeTinyModel(at("plain"), { numLayers: 1, hiddenSize: 64 });
    const train = async (name: string, method: string) =>
      done(
        "train",
        ...argv({
          model: at("plain"),
          task: "sst2",
          data: tiny.data,
          output: at(name),
          method,
          "max-steps": 2,
          threads: 1,
        }),
        "-q",
      );
    await train("in-4-bits", "qlora");
    await train("adapted", "adapter");
    for (const [run, message] of [
      ["in-4-bits", "--activation: expected a base in float"],
      ["adapted", "--activation: expected a method that can be merged, got adapter"],
    ] as const) {
      const { code, err } = await deft("compress", at(run), "--activation", "relu", "--output", at("refused"));
      expect([code, err]).toEqual([2, expect.stringContaining(message)]);
      expect(await filesBelow(at("refused"))).toEqual({});
    }
  });
});
