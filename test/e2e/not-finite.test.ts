// NaN is never a result: whatever a damaged model or adapter is asked, the error names the tensor, and nothing is written.
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors, writeSafetensors } from "../../src/hub/index.ts";
import { memoryWeights, type Tensor } from "../../src/tensor/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

const files = nodeFiles();
let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const ONE = ["--threads", "1"];

/** Copies `from` and sets one number of the tensor whose name ends in `tensor`. */
async function damage(from: string, to: string, file: string, tensor: string, value: number): Promise<string> {
  await cp(at(from), at(to), { recursive: true });
  const path = at(to, file);
  const tensors = new Map<string, Tensor>();
  for (const [name, weight] of await openSafetensors(files, path)) tensors.set(name, await weight.read());
  const name = [...tensors.keys()].find((key) => key.endsWith(tensor))!;
  const { data } = tensors.get(name)!;
  (data as Float32Array)[3] = value;
  await files.write(path, writeSafetensors(memoryWeights(tensors)));
  // as if the number had been there when the digests were written
  await files.remove(join(dirname(path), "deft.sha256"));
  return name;
}

const named = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-finite-"));
  await writeTinyModel(at("model"), { numLayers: 2 });
  await writeTinySst2(at("data"), { train: 60, dev: 20 });
  await writeTinyT5(at("t5"));
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(40, 1), "dev.jsonl": tinySeq2seq(12, 2) });
  const train = async (model: string, output: string, ...rest: readonly string[]) => {
    const flags = [
      "--model",
      at(model),
      "--output",
      at(output),
      "--max-steps",
      "4",
      "--batch-size",
      "4",
      ...ONE,
      ...rest,
    ];
    const { code, err } = await deft("train", ...flags, "-q");
    expect(code, err).toBe(0);
  };
  await train("model", "run", "--task", "sst2", "--data", at("data"));
  await train("t5", "writer", "--task", "seq2seq", "--data", at("texts"), "--max-target-length", "4");
  const adapter = "adapter/adapter_model.safetensors";
  named.set("nan-run", await damage("run", "nan-run", adapter, "lora_B.weight", Number.NaN));
  named.set("nan-writer", await damage("writer", "nan-writer", adapter, "lora_B.weight", Number.POSITIVE_INFINITY));
  for (const [run, output] of [
    ["run", "merged"],
    ["writer", "merged-t5"],
  ] as const)
    expect((await deft("export", at(run), "--format", "merged", "--output", at(output), "-q")).code).toBe(0);
  const matrix = "intermediate.dense.weight";
  named.set("nan-model", await damage("merged", "nan-model", "model.safetensors", matrix, Number.NaN));
  named.set("nan-t5", await damage("merged-t5", "nan-t5", "model.safetensors", "wo.weight", Number.NaN));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SST2 = () => ["--task", "sst2", "--data", at("data")];
const TEXTS = () => ["--task", "seq2seq", "--data", at("texts")];

describe.each([
  ["an adapter", "nan-run", () => [at("nan-run")]],
  ["a base", "nan-model", () => ["--model", at("nan-model"), ...SST2()]],
  ["an adapter of a model that writes", "nan-writer", () => [at("nan-writer")]],
  ["a base that writes", "nan-t5", () => ["--model", at("nan-t5"), ...TEXTS()]],
] as const)("%s with one number that is none", (_, damaged, target) => {
  test.each([
    ["eval", []],
    ["predict", ["--text", "funny plot"]],
    ["profile", []],
    ["compress", ["--output", "out", "--keep-neurons", "0.5"]],
    ["export", ["--format", "merged", "--output", "out"]],
    ["export", ["--format", "onnx", "--output", "out"]],
  ] as const)("%s %j is refused with the tensor's name", async (command, rest) => {
    const flags = rest.map((word) => (word === "out" ? at(word) : word));
    const asked = ["export", "predict"].includes(command)
      ? target().filter((word, i, all) => !/^--(data|task)$/.test(word) && !/^--(data|task)$/.test(all[i - 1] ?? ""))
      : target();
    const before = await filesBelow(at(damaged));
    const { code, out, err } = await deft(command, ...asked, ...flags, ...(command === "export" ? [] : ONE), "-q");
    expect({ code, out }, err).toEqual({ code: 2, out: "" });
    expect(err).toContain(`${at(damaged)}: does not fit`);
    const tensor = named.get(damaged)!.replace(/^base_model\.model\./, "");
    expect(err).toContain(tensor.split(".").slice(-4).join("."));
    expect(err).toMatch(/expected finite numbers, got (NaN|Infinity) at place 3 of \d+/);
    expect(existsSync(at("out", "config.json"))).toBe(false);
    expect(existsSync(at("out", "onnx"))).toBe(false);
    await rm(at("out"), { recursive: true, force: true });
    expect(await filesBelow(at(damaged))).toEqual(before);
  });
});

test("training on a damaged base names the tensor, not the learning rate", async () => {
  const flags = [
    "--model",
    at("nan-model"),
    "--task",
    "sst2",
    "--data",
    at("data"),
    "--output",
    at("never"),
    "--max-steps",
    "2",
  ];
  const { code, err } = await deft("train", ...flags, ...ONE, "-q");
  expect(code).toBe(2);
  expect(err).toContain(`${named.get("nan-model")}: expected finite numbers, got NaN at place 3`);
  expect(err).not.toContain("learning-rate");
});

test("a model whose activations outgrow float32 is told from a damaged one", async () => {
  await damage("merged", "large", "model.safetensors", "intermediate.dense.weight", 3e38);
  const { code, err } = await deft("eval", "--model", at("large"), ...SST2(), ...ONE, "-q");
  expect(code).toBe(2);
  expect(err).toMatch(
    /expected finite logits, got NaN\nEvery weight of .*large is a finite number: its activations grow beyond float32/,
  );
});
