// A folder given in another's place: the message says what it is, and what it names works to the letter.
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { openBaseModel } from "../../src/load/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { deftCommands, flagsOf } from "../support/hints.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  // a space, so that hints must quote their paths
  folder = await mkdtemp(join(tmpdir(), "tiny wrong-"));
  await writeTinyModel(at("model"), { headLabels: 2 });
  await writeTinySst2(at("sst2"), { train: 16, dev: 4 });
  const train = ["train", "--model", at("model"), "--task", "sst2", "--data", at("sst2"), "--threads", "1", "-q"];
  const short = ["--max-steps", "2", "--save-steps", "1", "--batch-size", "8"];
  expect(await deft(...train, ...short, "--output", at("runs/one"))).toMatchObject({ code: 0 });
  await deft("export", at("runs/one"), "--format", "peft", "--output", at("lora"), "-q");
  await deft("export", "--model", at("model"), "--format", "onnx", "--output", at("onnx"), "--precision", "fp32", "-q");
  // as a Trainer leaves them
  for (const step of [9, 10]) await cp(at("model"), at(`trainer/checkpoint-${step}`), { recursive: true });
  await writeFile(at("trainer/checkpoint-10/optimizer.pt"), "");
  for (const step of [2, 10]) await cp(at("lora"), at(`tuner/checkpoint-${step}`), { recursive: true });
  // as sentence-transformers and the hub's cache do
  await cp(at("model"), at("sentences/0_Transformer"), { recursive: true });
  await writeFile(at("sentences/modules.json"), "[]");
  await cp(at("model"), at("models--org--name/snapshots/0123456789"), { recursive: true });
  await mkdir(at("models--org--name/refs"), { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const TEXT = ["--text", "a lovely film", "--threads", "1"];

async function refused(...argv: readonly string[]): Promise<string> {
  const before = await filesBelow(folder);
  const { code, out, err } = await deft(...argv);
  expect({ code, out }, err).toEqual({ code: 2, out: "" });
  expect(await filesBelow(folder)).toEqual(before);
  return err;
}

async function works(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft(...argv);
  expect({ code, err }, argv.join(" ")).toEqual({ code: 0, err: expect.any(String) });
  return out;
}

const DATA = () => ["--task", "sst2", "--data", at("sst2"), "--threads", "1"];

describe("as --model", () => {
  test.each<[string, string, string]>([
    ["lora", "an adapter's folder (adapter_config.json)", "lora"],
    ["runs/one/adapter", "an adapter's folder (adapter_config.json)", "adapter"],
    ["trainer", "a folder with such folders inside: checkpoint-9, checkpoint-10", "checkpoint-10"],
    ["tuner", "a folder with such folders inside: checkpoint-2, checkpoint-10", "checkpoint-10"],
    ["sentences", "a folder with one inside: 0_Transformer", "0_Transformer"],
    ["models--org--name", "a folder with one inside: snapshots/0123456789", "0123456789"],
  ])("%s: the flags of the hint answer", async (name, got, named) => {
    const err = await refused("predict", "--model", at(name), ...TEXT);
    expect(err).toContain(`expected a model folder, got ${got}`);
    const flags = flagsOf(err);
    expect(flags.at(-1)).toMatch(new RegExp(`${named}$`));
    await works("predict", ...flags, ...TEXT);
  });

  test("a run: the commands of the hint work", async () => {
    const err = await refused("train", "--model", at("runs/one"), ...DATA(), "--output", at("again"));
    expect(err).toContain("got the folder of a run (run.json)");
    const commands = deftCommands(err);
    expect(commands.map(([command]) => command)).toEqual(["eval", "export"]);
    for (const command of commands) await works(...command);
    await works("predict", "--model", at("runs/one-merged"), ...TEXT);
  });

  test("a folder of runs", async () => {
    await cp(at("runs/one"), at("few/first"), { recursive: true });
    const err = await refused("predict", "--model", at("few"), ...TEXT);
    const [command] = deftCommands(err);
    expect(command).toEqual(["eval", at("few/first")]);
    await works(...command!);
  });

  test("a checkpoint of a run", async () => {
    const err = await refused("predict", "--model", at("runs/one/checkpoints/step-2"), ...TEXT);
    expect(err).toContain("got a checkpoint of a run");
    expect(deftCommands(err)).toEqual([["eval", at("runs/one/checkpoints/step-2")]]);
  });

  test("ONNX files alone", async () => {
    const err = await refused("predict", "--model", at("onnx"), ...TEXT);
    expect(err).toContain("got ONNX files without the weights they were made from");
    expect(err).toContain("Give the run or the model that they were exported from.");
  });

  test("a file of a model", async () => {
    const err = await refused("predict", "--model", at("model/model.safetensors"), ...TEXT);
    expect(err).toContain("expected a model folder, got a file");
    await works("predict", ...flagsOf(err), ...TEXT);
  });

  test("something else: what is there is told", async () => {
    const err = await refused("predict", "--model", at("sst2"), ...TEXT);
    expect(err).toContain("config.json: expected a JSON file, got nothing there (beside dev.tsv, train.tsv)");
    expect(err).toContain("A model folder holds config.json");
  });
});

describe("as --adapter", () => {
  test.each<[string, string]>([
    ["runs/one", "the folder of a run"],
    ["tuner", "such folders inside: checkpoint-2, checkpoint-10"],
  ])("%s: the flag of the hint answers", async (name, got) => {
    const err = await refused("predict", "--model", at("model"), "--adapter", at(name), ...TEXT);
    expect(err).toContain(got);
    const flags = flagsOf(err);
    expect(flags[0]).toBe("--adapter");
    await works("predict", "--model", at("model"), ...flags, ...TEXT);
  });

  test("a model", async () => {
    const err = await refused("predict", "--model", at("model"), "--adapter", at("trainer/checkpoint-9"), ...TEXT);
    expect(err).toContain("expected an adapter folder, got a model's folder");
    await works("predict", ...flagsOf(err), ...TEXT);
  });
});

describe("as RUN", () => {
  test.each<[string, boolean]>([
    ["model", true],
    ["lora", true],
    ["runs/one/adapter", false],
    ["runs", false],
  ])("%s: the command of the hint works", async (name, needsData) => {
    const data = needsData ? DATA() : [];
    const err = await refused("eval", at(name), ...data);
    expect(err).toContain("expected a run's folder, got one without run.json: ");
    const [command] = deftCommands(err);
    await works(...command!, ...data);
  });
});

describe("a checkpoint whose names have a prefix", () => {
  async function renamed(name: string, prefix: string, all = true): Promise<void> {
    await cp(at("model"), at(name), { recursive: true });
    const tensors = new Map<string, Tensor>();
    for (const [stored, weight] of await openSafetensors(nodeFiles(), at("model/model.safetensors")))
      tensors.set(all || stored.startsWith("bert.") ? prefix + stored : stored, await weight.read());
    await writeFile(at(name, "model.safetensors"), safetensorsBytes(tensors));
  }

  test.each(["module.", "_orig_mod.", "module._orig_mod.", "model."])(
    "%s of all is left out, and said",
    async (prefix) => {
      await renamed(`wrapped-${prefix}`, prefix);
      const plain = await works("predict", "--model", at("model"), ...TEXT);
      expect(await works("predict", "--model", at(`wrapped-${prefix}`), ...TEXT)).toBe(plain);
      const notes: string[] = [];
      const environment = { ...nodeEnvironment(), note: (message: string) => notes.push(message) };
      const wrapped = await openBaseModel(environment, at(`wrapped-${prefix}`));
      expect(notes.join()).toContain(`names are read without ${prefix.replace(/\.(?=.)/g, "., ")}`);
      expect(wrapped.fingerprint).toBe((await openBaseModel(environment, at("model"))).fingerprint);
      expect(notes).toHaveLength(1);
    },
  );

  test("in few names, or of another kind, is told with what to do", async () => {
    await renamed("partly", "model.", false);
    const err = await refused("predict", "--model", at("partly"), ...TEXT);
    expect(err).toContain('expected bert.embeddings.LayerNorm.weight, got the prefix "model."');
    expect(err).toContain("python -c");
    await renamed("tuned", "base_model.model.");
    expect(await refused("predict", "--model", at("tuned"), ...TEXT)).toContain("merge_and_unload()");
  });

  test("prunes and exports as if it had none", async () => {
    await works(
      "compress",
      "--model",
      at("wrapped-module."),
      "--prune",
      "magnitude:0.5",
      "--output",
      at("pruned"),
      "-q",
    );
    await works("predict", "--model", at("pruned"), ...TEXT);
    await works("export", "--model", at("wrapped-module."), "--format", "merged", "--output", at("plain"), "-q");
    const names = [...(await openSafetensors(nodeFiles(), at("plain/model.safetensors"))).keys()];
    expect(names.every((name) => /^(bert|classifier)\./.test(name))).toBe(true);
  });
});

describe("a checkpoint of another class", () => {
  async function ofClass(architecture: string): Promise<string> {
    const name = at(`class-${architecture}`);
    await cp(at("model"), name, { recursive: true });
    const config = JSON.parse(await readFile(join(name, "config.json"), "utf8")) as object;
    await writeFile(join(name, "config.json"), JSON.stringify({ ...config, architectures: [architecture] }));
    return name;
  }

  test.each([
    ["BertForMaskedLM", "which fills gaps in a text"],
    ["BertForMultipleChoice", "which chooses among several texts"],
    ["BertForPreTraining", "which was pretrained and has no task yet"],
    ["BertForNextSentencePrediction", "which tells whether a sentence follows another"],
  ])("%s is no text classifier", async (architecture, says) => {
    const model = await ofClass(architecture);
    for (const command of [
      ["predict", ...TEXT],
      ["eval", ...DATA()],
      ["export", "--format", "merged", "--output", at("no")],
    ]) {
      const [name, ...rest] = command;
      const err = await refused(name!, "--model", model, ...rest);
      expect(err).toContain(`expected a model with a classification head, got ${architecture}, ${says}`);
    }
  });

  test.each([
    ["BertForTokenClassification", "which labels each token"],
    ["BertForQuestionAnswering", "which points at answers in a text"],
  ])("%s does its own task, and none of texts' classes", async (architecture, says) => {
    const err = await refused("eval", "--model", await ofClass(architecture), ...DATA());
    expect(err).toContain(`expected a model with a classification head, got ${architecture}, ${says}`);
  });

  test("a token classifier labels words", async () => {
    const out = await works("predict", "--model", await ofClass("BertForTokenClassification"), ...TEXT);
    expect(JSON.parse(out)).toHaveProperty("entities");
  });

  test("may be trained, and a run's own head counts", async () => {
    const model = await ofClass("BertForMaskedLM");
    const short = ["--max-steps", "1", "--batch-size", "8", "-q", "--output", at("over-lm")];
    await works("train", "--model", model, ...DATA(), ...short);
    await works("predict", at("over-lm"), ...TEXT);
    await works("predict", "--model", model, "--adapter", at("over-lm/adapter"), ...TEXT);
  });

  test.each(["BertForSequenceClassification", "BertModel", "MyOwnClassifier"])("%s answers", async (architecture) => {
    await works("predict", "--model", await ofClass(architecture), ...TEXT);
  });
});

test("the file of another name is not looked for", async () => {
  await cp(at("model"), at("fp16"), { recursive: true });
  await rename(at("fp16/model.safetensors"), at("fp16/model.fp16.safetensors"));
  expect(await refused("predict", "--model", at("fp16"), ...TEXT)).toContain("got model.fp16.safetensors");
});
