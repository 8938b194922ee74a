// Files of torch before 1.6 and of training frameworks: the command of the hint, run as it stands, loses nothing.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { readAdapter } from "../../src/peft/index.ts";
import { deft } from "../support/command.ts";
import { pythonLine } from "../support/hints.ts";
import { describeWithPython } from "../support/python.ts";
import { writeTinyT5 } from "../support/tiny-answers.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { python } from "./python.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

/** Runs a line of a message in a shell, with the reference Python's `python` first. */
async function follow(line: string, interpreter: string): Promise<void> {
  const PATH = `${dirname(interpreter)}${delimiter}${process.env.PATH}`;
  await promisify(execFile)("sh", ["-c", line], { env: { ...process.env, PATH, HF_HUB_OFFLINE: "1" } });
}

const MAKE = `
import json, os, sys, torch
from safetensors.torch import load_file, save_file
root = sys.argv[1]
def old(folder, nested=None, name="model"):
    path = f"{root}/{folder}/{name}.safetensors"
    tensors = load_file(path); os.remove(path)
    file = f"{root}/{folder}/" + ("adapter_model.bin" if name == "adapter_model" else "pytorch_model.bin")
    torch.save({nested: tensors, "epoch": 3, "optimizer": {"steps": [1, 2]}} if nested else tensors, file, _use_new_zipfile_serialization=nested is not None)
for folder in ["bert", "roberta", "unnamed", "it's \\"old\\" $HOME", "t5"]: old(folder)
old("nested", "state_dict")
# an attribute of a class of one's own before some of the names
for folder in ["partly", "partly-bin"]:
    path = f"{root}/{folder}/model.safetensors"
    tensors = {("model." if n.startswith("bert.") else "") + n: t for n, t in load_file(path).items()}
    if folder == "partly": save_file(tensors, path, {"format": "pt"})
    else: os.remove(path); torch.save(tensors, f"{root}/{folder}/pytorch_model.bin")
old("lora", name="adapter_model")
print("null")`;

const TEXT = ["--text", "a lovely film", "--threads", "1"];

async function predicted(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft("predict", ...argv, ...TEXT);
  expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
  return out;
}

describeWithPython("a file of an older format", (interpreter) => {
  const before = new Map<string, string>();
  const classes: Readonly<Record<string, string>> = {
    bert: "BertForSequenceClassification",
    roberta: "RobertaForSequenceClassification",
    'it\'s "old" $HOME': "BertForSequenceClassification",
    nested: "BertForSequenceClassification",
    partly: "BertForSequenceClassification",
    "partly-bin": "BertForSequenceClassification",
  };
  /** What a hint's command is told by, where it is no Auto class. */
  const marks: Readonly<Record<string, string>> = {
    nested: "['state_dict']",
    partly: "n.removeprefix('model.')",
    "partly-bin": "n.removeprefix('model.')",
    unnamed: "torch.save(torch.load(",
    lora: "torch.save(torch.load(",
    t5: "AutoModelForSeq2SeqLM",
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "deft-legacy-"));
    for (const [name, architecture] of [...Object.entries(classes), ["unnamed", null] as const]) {
      const config = architecture === null ? {} : { architectures: [architecture] };
      await writeTinyModel(at(name), { headLabels: 3, modelType: name === "roberta" ? "roberta" : "bert", config });
      before.set(name, await predicted("--model", at(name)));
    }
    await writeTinyT5(at("t5"), { config: { architectures: ["T5ForConditionalGeneration"], dropout_rate: 0.1 } });
    before.set("t5", await predicted("--model", at("t5")));
    await writeTinyModel(at("base"), { headLabels: 2 });
    await python(
      `import sys, torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForSequenceClassification as M
tuned = get_peft_model(M.from_pretrained(sys.argv[1]), LoraConfig(task_type="SEQ_CLS", r=2, init_lora_weights=False, target_modules=["query"]))
tuned.save_pretrained(sys.argv[2]); print("null")`,
      [at("base"), at("lora")],
    );
    before.set("lora", await predicted("--model", at("base"), "--adapter", at("lora")));
    await python(MAKE, [folder]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([...Object.keys(classes), "unnamed", "t5", "lora"])("%s", async (name) => {
    const target = name === "lora" ? ["--model", at("base"), "--adapter", at("lora")] : ["--model", at(name)];
    const { code, out, err } = await deft("predict", ...target, ...TEXT);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    const line = pythonLine(err);
    expect(line).toContain(marks[name] ?? "AutoModelForSequenceClassification");
    await follow(line, interpreter);
    expect(await predicted(...target)).toBe(before.get(name));
  });

  test("a file of Python objects is told what to save instead", async () => {
    await python(
      `import sys, torch
from transformers import AutoConfig, AutoModelForSequenceClassification as M
model = M.from_config(AutoConfig.from_pretrained(sys.argv[1])); torch.save(model, sys.argv[2]); print("null")`,
      [at("base"), at("object.bin")],
    );
    await nodeFiles().write(at("objects/config.json"), await nodeFiles().read(at("base/config.json")));
    await nodeFiles().write(at("objects/pytorch_model.bin"), await nodeFiles().read(at("object.bin")));
    await expect(openCheckpoint(nodeFiles(), at("objects"))).rejects.toThrow("torch.save(model.state_dict(), ");
  });

  test("the head is among what was kept", async () => {
    const { weights } = await openCheckpoint(nodeFiles(), at("bert"));
    expect(weights.get("classifier.weight")!.shape).toEqual([3, 16]);
    expect((await readAdapter(nodeFiles(), at("lora"))).tensors.has("classifier.weight")).toBe(true);
  });
});
