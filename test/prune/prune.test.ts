// Pruned bases from the command line: masks as the reference has them, zeros that stay, and merging that brings none back.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors } from "../../src/hub/index.ts";
import type { Weights } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

const files = nodeFiles();
let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-prune-"));
  await writeTinyModel(at("model"), { modelType: "roberta" });
  await writeTinySst2(at("sst2"));
  await succeed("compress", ...prune("wanda:0.5", "pruned"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const prune = (recipe: string, output: string, ...more: readonly string[]) => [
  "--model",
  at("model"),
  "--prune",
  recipe,
  "--output",
  at(output),
  "--task",
  "sst2",
  "--data",
  at("sst2"),
  "--calibration-examples",
  "16",
  "--threads",
  "1",
  "--json",
  ...more,
];

async function succeed(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft(...argv);
  expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
  return out;
}

const open = (name: string): Promise<Weights> => openSafetensors(files, at(name, "model.safetensors"));

async function numbers(weights: Weights, name: string): Promise<Float32Array> {
  return (await weights.get(name)!.read()).data as Float32Array;
}

const QUERY = "roberta.encoder.layer.0.attention.self.query.weight";
const UP = "roberta.encoder.layer.1.intermediate.dense.weight";
const isZero = (values: Float32Array) => Array.from(values, (value) => value === 0);

/** Names whose zeros are not those of `pruned`; `exactly` also asks that no other element is zero. */
async function broken(pruned: Weights, other: Weights, exactly = true): Promise<string[]> {
  const names: string[] = [];
  for (const [name, { shape }] of pruned) {
    if (shape.length !== 2 || !name.includes(".layer.")) continue;
    const [before, after] = [await numbers(pruned, name), await numbers(other, name)];
    if (before.some((value, i) => (value === 0 && after[i] !== 0) || (exactly && value !== 0 && after[i] === 0)))
      names.push(name);
  }
  return names;
}

describe("deft compress --prune", () => {
  test("zeroes half of each row of the blocks' matrices, and changes nothing else", async () => {
    const [model, pruned] = [await open("model"), await open("pruned")];
    expect([...pruned.keys()].sort()).toEqual([...model.keys()].sort());
    for (const [name, { shape }] of model) {
      const [before, after] = [await numbers(model, name), await numbers(pruned, name)];
      const isPruned = shape.length === 2 && name.includes(".layer.");
      if (!isPruned) expect(after, name).toEqual(before);
      else {
        expect(before.every((value, i) => after[i] === 0 || after[i] === value)).toBe(true);
        for (let row = 0; row < shape[0]!; row++) {
          const zeros = isZero(after.subarray(row * shape[1]!, (row + 1) * shape[1]!)).filter(Boolean).length;
          expect(zeros).toBe(shape[1]! / 2);
        }
      }
    }
    const sidecar = JSON.parse(await readFile(at("pruned/deft-pruning.json"), "utf8"));
    expect(sidecar).toMatchObject({ recipe: "wanda:0.5", scope: "layer", sparsity: 0.5, base: { model: at("model") } });
    expect(sidecar.calibration).toMatchObject({ task: "sst2", split: "train", examples: 16 });
    expect(sidecar.layers).toHaveLength(12);
    expect(await files.list(folder)).not.toContain(".pruned.partial");
  });

  test("N:M leaves N of M, magnitudes over all layers leave each its own share", async () => {
    await succeed("compress", ...prune("magnitude:2:4", "two-four"));
    const row = isZero(await numbers(await open("two-four"), UP));
    for (let i = 0; i < row.length; i += 4) expect(row.slice(i, i + 4).filter(Boolean)).toHaveLength(2);
    const out = await succeed("compress", ...prune("magnitude:0.6", "global", "--prune-scope", "global"));
    const { layers, sparsity } = JSON.parse(out) as { sparsity: number; layers: { zeros: number; size: number }[] };
    expect(sparsity).toBeCloseTo(0.6, 3);
    expect(new Set(layers.map(({ zeros, size }) => zeros / size)).size).toBeGreaterThan(1);
  });
});

describe("training on a pruned base", () => {
  const train = (output: string, ...more: readonly string[]) =>
    succeed(
      "train",
      "--model",
      at("pruned"),
      "--task",
      "sst2",
      "--data",
      at("sst2"),
      "--output",
      at(output),
      "-q",
      "--max-steps",
      "100",
      "--batch-size",
      "8",
      "--learning-rate",
      "0.01",
      "--threads",
      "1",
      "--density-weight",
      "0.5",
      "--weight-decay",
      "0.1",
      "--epochs",
      "20",
      ...more,
    );
  const evaluation = async (...target: readonly string[]) => {
    const data = ["--task", "sst2", "--data", at("sst2"), "--threads", "1", "--json"];
    return JSON.parse(await succeed("eval", ...target, ...data)) as { loss: number; metrics: object };
  };

  test("with LoRA: after 100 steps and merging every zero is there, and the score is the same", async () => {
    await train("lora", "--targets", "all-linear");
    await succeed("export", at("lora"), "--format", "merged", "--output", at("lora-merged"), "-q");
    const merged = await open("lora-merged");
    expect(await broken(await open("pruned"), merged)).toEqual([]);
    expect(await numbers(merged, QUERY)).not.toEqual(await numbers(await open("pruned"), QUERY));
    const [before, after] = [await evaluation(at("lora")), await evaluation("--model", at("lora-merged"))];
    expect(after.metrics).toEqual(before.metrics);
    expect(after.loss).toBeCloseTo(before.loss, 5);
    const sidecar = JSON.parse(await readFile(at("lora-merged/deft-pruning.json"), "utf8"));
    expect(sidecar.sparsity).toBe(0.5);
  });

  test("with --no-mask-safe merging fills zeros, which is said", async () => {
    await train("filled", "--no-mask-safe");
    const { err } = await deft("export", at("filled"), "--format", "merged", "--output", at("filled-merged"));
    expect(err).toMatch(/[\d.]+ % of the base's zeros are filled/);
    expect(await broken(await open("pruned"), await open("filled-merged"))).toEqual(expect.arrayContaining([QUERY]));
    expect(await files.stat(at("filled-merged/deft-pruning.json"))).toBeNull();
  });

  test.each([
    ["full", []],
    ["adapter", []],
  ])("with %s the zeros stay", async (method, more) => {
    await train(method, "--method", method, ...more);
    if (method === "adapter") return;
    await succeed("export", at(method), "--format", "merged", "--output", at(`${method}-merged`), "-q");
    const merged = await open(`${method}-merged`);
    expect(await broken(await open("pruned"), merged)).toEqual([]);
    expect(await numbers(merged, UP)).not.toEqual(await numbers(await open("pruned"), UP));
  });

  test("prunes a run: what was trained is merged first", async () => {
    const rest = ["--output", at("run-pruned"), "--calibration-examples", "8", "-q"];
    await succeed("compress", at("lora"), "--prune", "wanda:0.75", ...rest);
    const zeros = isZero(await numbers(await open("run-pruned"), UP)).filter(Boolean).length;
    expect(zeros).toBe(0.75 * 32 * 16);
    expect(await evaluation("--model", at("run-pruned"))).toMatchObject({ examples: 32 });
  });

  test("prunes a run's removed neurons and gates as merging leaves them", async () => {
    await train("removed", "--keep-neurons", "0.5", "--ada", "--gates", "sigmoid");
    await succeed("export", at("removed"), "--format", "merged", "--output", at("removed-merged"), "-q");
    const recipe = ["--prune", "magnitude:0.6", "-q", "--output"];
    await succeed("compress", at("removed"), ...recipe, at("removed-pruned"));
    await succeed("compress", "--model", at("removed-merged"), ...recipe, at("merged-pruned"));
    const [ours, expected] = [await open("removed-pruned"), await open("merged-pruned")];
    expect([...ours.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const name of expected.keys()) expect(await numbers(ours, name), name).toEqual(await numbers(expected, name));
  });
});
