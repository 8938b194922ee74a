// Wrong input to pruning, export and import: exit code 2, one screen, and nothing written.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensorsFile, safetensorsBytes } from "../../src/hub/index.ts";
import { float32, type Tensor, tensor } from "../../src/tensor/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-bad-prune-"));
  await writeTinyModel(at("model"));
  await writeTinySst2(at("sst2"), { train: 24, dev: 8 });
  const usual = ["--model", at("model"), "--task", "sst2", "--data", at("sst2"), "--max-steps", "2", "--threads", "1"];
  for (const method of ["lora", "adapter", "full"])
    expect((await deft("train", ...usual, "--method", method, "--output", at(method), "-q")).code).toBe(0);
  const masked = await deft("train", ...usual, "--mask-safe", "--output", at("masked"), "-q");
  expect(masked.code).toBe(0);
  await writeFiles(at("taken"), { "notes.txt": "mine" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function refusal(...argv: readonly string[]): Promise<string> {
  const before = await filesBelow(folder);
  const { code, out, err } = await deft(...argv);
  expect({ code, out }, err).toEqual({ code: 2, out: "" });
  expect(err).not.toMatch(/^\s+at .*[:)]/m);
  expect(err).not.toMatch(/internal|undefined|\[object|NaN/);
  const lines = err.trimEnd().split("\n");
  expect(lines.reduce((rows, line) => rows + Math.ceil(Math.max(1, line.length) / 100), 0)).toBeLessThanOrEqual(30);
  expect(await filesBelow(folder)).toEqual(before);
  return err;
}

describe("deft compress --prune", () => {
  const model = () => ["--model", at("model")];
  const out = () => ["--output", at("out")];

  test.each<[string, () => string[], string[]]>([
    ["no share", () => [...model(), "--prune", "wanda", ...out()], ["--prune: expected wanda or magnitude"]],
    ["an unknown criterion", () => [...model(), "--prune", "wnda:0.5", ...out()], ["did you mean wanda?"]],
    ["a share of everything", () => [...model(), "--prune", "magnitude:1", ...out()], ["a share in (0, 1)"]],
    ["M below N", () => [...model(), "--prune", "magnitude:4:2", ...out()], ["--prune"]],
    ["M that divides no layer", () => [...model(), "--prune", "magnitude:2:5", ...out()], ["M = 5", "12 have 16, 32"]],
    ["a scope alone", () => [...model(), "--prune-scope", "global", ...out()], ["--prune beside it"]],
    [
      "wanda over all layers",
      () => [...model(), "--prune", "wanda:0.5", "--prune-scope", "global", ...out()],
      ["--prune-scope: expected layer with wanda"],
    ],
    [
      "wanda without data",
      () => [...model(), "--prune", "wanda:0.5", ...out()],
      ["--task: expected", "--data: expected", "magnitude"],
    ],
    ["no output", () => [...model(), "--prune", "magnitude:0.5"], ["--output: expected a new folder"]],
    [
      "a folder in use",
      () => [...model(), "--prune", "magnitude:0.5", "--output", at("taken")],
      ["which holds notes.txt"],
    ],
    [
      "two ways at once",
      () => [...model(), "--prune", "magnitude:0.5", "--keep-neurons", "0.5", ...out()],
      ["one way to compress"],
    ],
    ["no model", () => ["--prune", "magnitude:0.5", ...out()], ["a run's folder, or --model"]],
    [
      "a run of adapters",
      () => [at("adapter"), "--prune", "magnitude:0.5", ...out()],
      ["lora, ia3, head or full", "deft compress --model"],
    ],
    [
      "calibration of nothing",
      () => [...model(), "--prune", "wanda:0.5", "--calibration-examples", "0", ...out()],
      ["--calibration-examples"],
    ],
  ])("%s", async (_, argv, messages) => {
    const err = await refusal("compress", ...argv());
    for (const message of messages) expect(err).toContain(message);
  });

  test("several mistakes are told at once", async () => {
    const err = await refusal("compress", "--prune", "wanda:2", "--prune-scope", "all", "--batch-size", "x");
    for (const flag of ["--prune:", "--prune-scope:", "--output:", "--batch-size:"]) expect(err).toContain(flag);
  });

  test("a broken deft-pruning.json", async () => {
    await writeTinyModel(at("broken"));
    await writeFile(at("broken/deft-pruning.json"), '{"schemaVersion": 1, "recipe": 5, "layers": {}}');
    const data = ["--task", "sst2", "--data", at("sst2"), "--output", at("out")];
    const err = await refusal("train", "--model", at("broken"), ...data);
    expect(err).toContain("deft-pruning.json, recipe: expected text, got 5");
    expect(err).toContain("deft-pruning.json, layers");
  });

  test("--mask-safe for a method that fills no zeros", async () => {
    const data = ["--task", "sst2", "--data", at("sst2"), "--output", at("out")];
    const err = await refusal("train", "--model", at("model"), ...data, "--method", "head", "--mask-safe");
    expect(err).toContain("--mask-safe: expected --method lora or full");
  });
});

describe("deft export", () => {
  test.each<[string, () => string[], string[]]>([
    ["no format", () => [at("lora"), "--output", at("out")], ["--format: expected one of peft, adapters, merged"]],
    ["an unknown format", () => [at("lora"), "--format", "perft", "--output", at("out")], ["did you mean peft?"]],
    ["no output", () => [at("lora"), "--format", "peft"], ["--output: expected a new folder"]],
    ["a folder in use", () => [at("lora"), "--format", "peft", "--output", at("taken")], ["notes.txt"]],
    [
      "adapters as peft",
      () => [at("adapter"), "--format", "peft", "--output", at("out")],
      ["a run of adapter", "--format adapters"],
    ],
    [
      "adapters merged",
      () => [at("adapter"), "--format", "merged", "--output", at("out")],
      ["adapter, which is no change of the weights", "--format adapters"],
    ],
    [
      "LoRA for AdapterHub",
      () => [at("lora"), "--format", "adapters", "--output", at("out")],
      ["bottleneck", "--format peft"],
    ],
    ["a full run as peft", () => [at("full"), "--format", "peft", "--output", at("out")], ["--format merged"]],
    [
      "a mask-safe LoRA as peft",
      () => [at("masked"), "--format", "peft", "--output", at("out")],
      ["no adapter format can express", "--format merged"],
    ],
    ["no run", () => [at("sst2"), "--format", "peft", "--output", at("out")], ["run.json"]],
  ])("%s", async (_, argv, messages) => {
    const err = await refusal("export", ...argv());
    for (const message of messages) expect(err).toContain(message);
  });
});

describe("an adapter folder", () => {
  const evaluate = (...more: readonly string[]) =>
    refusal(
      "eval",
      "--model",
      at("model"),
      "--adapter",
      at("foreign"),
      "--task",
      "sst2",
      "--data",
      at("sst2"),
      ...more,
    );

  async function foreign(
    change: (tensors: Map<string, Tensor>, config: Record<string, unknown>) => void,
  ): Promise<void> {
    const tensors = new Map<string, Tensor>();
    const { weights } = await openSafetensorsFile(nodeFiles(), at("lora/adapter/adapter_model.safetensors"));
    for (const [name, weight] of weights) tensors.set(name, await weight.read());
    const config = JSON.parse(await readFile(at("lora/adapter/adapter_config.json"), "utf8")) as Record<
      string,
      unknown
    >;
    change(tensors, config);
    await rm(at("foreign"), { recursive: true, force: true });
    await writeFiles(at("foreign"), {
      "adapter_config.json": JSON.stringify(config),
      "adapter_model.safetensors": safetensorsBytes(tensors),
    });
  }

  const SITE = "bert.encoder.layer.0.attention.self";

  test("whatever does not fit is told in one list: missing, wrong dtype, extra, shapes", async () => {
    await foreign((tensors) => {
      tensors.delete(`base_model.model.${SITE}.query.lora_B.weight`);
      tensors.set(`base_model.model.${SITE}.value.lora_A.weight`, tensor("int32", [8, 16], new Int32Array(128)));
      tensors.set("base_model.model.bert.decoder.weight", float32([1], [1]));
      tensors.set("base_model.model.classifier.weight", float32([2, 5], new Float32Array(10)));
      tensors.set(`base_model.model.${SITE}.other.lora_A.weight`, float32([8, 16], new Float32Array(128)));
      tensors.set(`base_model.model.${SITE}.other.lora_B.weight`, float32([16, 8], new Float32Array(128)));
    });
    const err = await evaluate();
    expect(err.match(/does not fit/g)).toHaveLength(1);
    expect(err).toMatch(/query\.lora_B\.weight: expected \[out, 8\], got none/);
    expect(err).toMatch(/value\.lora_A\.weight: expected a float dtype \[8, 16\], got int32\[8, 16\]/);
    expect(err).toMatch(/bert\.decoder\.weight: expected a LoRA matrix .*, got an unknown name/);
    expect(err).toMatch(/classifier\.weight: expected float32\[2, 16\], got float32\[2, 5\]/);
    expect(err).toMatch(/other\.lora_A\.weight: expected a parameter of .*, got a tensor the model has no place for/);
  });

  test("a layer that the configuration means and the file lacks", async () => {
    await foreign((tensors, config) => {
      config.target_modules = ".*self\\.(query|value)";
      for (const name of tensors.keys()) if (name.includes("layer.1.attention.self.value")) tensors.delete(name);
    });
    expect(await evaluate()).toMatch(
      /layer\.1\.attention\.self\.value\.lora_A\.weight: expected float32\[8, 16\], got nothing/,
    );
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["a type of its own", { peft_type: "DEFT" }, "another tool wrote this one"],
    ["another method of peft", { peft_type: "LOKR" }, 'peft_type "LOKR": not supported'],
    ["DoRA", { use_dora: true }, "use_dora: expected false, got true"],
    ["weights stored the other way round", { fan_in_fan_out: true }, "fan_in_fan_out: expected false, got true"],
    ["a regular expression that is none", { target_modules: "(" }, "target_modules: expected a regular expression"],
    ["a pattern of no numbers", { rank_pattern: { query: "8" } }, "rank_pattern: expected numbers above 0"],
    ["a rank that is none", { r: 0 }, "r: expected a whole number above 0"],
    ["another rank", { r: 4 }, "lora_A.weight: expected [4, in], got [8, 16]"],
  ])("%s", async (_, change, message) => {
    await foreign((_tensors, config) => Object.assign(config, change));
    expect(await evaluate()).toContain(message);
  });
});
