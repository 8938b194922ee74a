// Adapters that other tools made, from the command: their heads, and what one output is.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { safetensorsBytes } from "../../src/hub/index.ts";
import { toAdapterHub } from "../../src/peft/formats/adapterhub-format.ts";
import { float32, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { writeFiles, writeTinyModel, writeTinyStsb } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-elsewhere-"));
  await writeTinyModel(at("bare"));
  await writeTinyModel(at("model"), { headLabels: 2 });
  await writeTinyStsb(at("stsb"), { train: 8, dev: 8 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function drawn(shape: readonly number[], name: string): Tensor {
  const random = randomStream(3, name);
  const size = shape.reduce((product, dim) => product * dim, 1);
  return float32(
    shape,
    Array.from({ length: size }, () => random.normal() * 0.3),
  );
}

const named = (shapes: Readonly<Record<string, readonly number[]>>) =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, drawn(shape, name)]));

const QUERY = "bert.encoder.layer.1.attention.self.query";
const LORA = { [`${QUERY}.lora_A.weight`]: [2, 16], [`${QUERY}.lora_B.weight`]: [16, 2] };

/** A folder as peft writes it. */
async function peftFolder(
  name: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  config: object = {},
): Promise<string> {
  const usual = {
    peft_type: "LORA",
    task_type: "SEQ_CLS",
    r: 2,
    lora_alpha: 4,
    target_modules: ["layer.1.attention.self.query"],
  };
  const tensors = new Map([...named(shapes)].map(([key, tensor]) => [`base_model.model.${key}`, tensor]));
  await writeFiles(at(name), {
    "adapter_config.json": JSON.stringify({ ...usual, modules_to_save: null, ...config }),
    "adapter_model.safetensors": safetensorsBytes(tensors),
  });
  return at(name);
}

async function predicted(...target: readonly string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await deft("predict", ...target, "--text", "a lovely film", "--threads", "1");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as Record<string, unknown>;
}

describe("one output is a number", () => {
  test("of peft's LoRA, of AdapterHub's bottleneck, merged and exported", async () => {
    const head = { "classifier.weight": [1, 16], "classifier.bias": [1] };
    const lora = ["--model", at("bare"), "--adapter", await peftFolder("lora-1", { ...LORA, ...head })];
    const answer = await predicted(...lora);
    expect(answer).toEqual({ value: expect.any(Number), logits: [answer["value"]] });
    const merged = await deft("export", ...lora, "--format", "merged", "--output", at("merged-1"), "-q");
    expect(merged.code).toBe(0);
    const config = JSON.parse(await readFile(at("merged-1/config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({ problem_type: "regression", id2label: { 0: "LABEL_0" } });
    expect((await predicted("--model", at("merged-1")))["value"]).toBeCloseTo(Number(answer["value"]), 5);

    const output = "bert.encoder.layer.0.output";
    const down = { [`${output}.adapter_down.weight`]: [4, 16], [`${output}.adapter_down.bias`]: [4] };
    const up = { [`${output}.adapter_up.weight`]: [16, 4], [`${output}.adapter_up.bias`]: [16] };
    const one = output.replace("0", "1");
    const parts = {
      ...down,
      ...up,
      ...Object.fromEntries(Object.entries({ ...down, ...up }).map(([k, v]) => [k.replace(output, one), v])),
    };
    const config1 = {
      placement: "pfeiffer",
      reductionFactor: 4,
      nonLinearity: "relu",
      scaling: 1,
      dropout: 0,
      originalLnBefore: true,
      originalLnAfter: true,
      residualBeforeLn: true,
      name: "sts",
      hiddenSize: 16,
      modelType: "bert",
      modelClass: "BertForSequenceClassification",
      baseModel: null,
      labels: ["score"],
    } as const;
    const files = toAdapterHub({ method: "adapter", config: config1, tensors: named({ ...parts, ...head }) });
    await writeFiles(at("hub-1"), {
      "adapter_config.json": JSON.stringify(files.config),
      "adapter.safetensors": safetensorsBytes(files.tensors),
      "head_config.json": JSON.stringify(files.head!.config),
      "model_head.safetensors": safetensorsBytes(files.head!.tensors),
    });
    expect(await predicted("--model", at("bare"), "--adapter", at("hub-1"))).toHaveProperty("value");
  });

  test("is scored as one", async () => {
    const data = ["--task", "stsb", "--data", at("stsb"), "--json", "--threads", "1"];
    const { code, out, err } = await deft("eval", "--model", at("bare"), "--adapter", at("lora-1"), ...data);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const { metrics } = JSON.parse(out) as { metrics: Record<string, number> };
    expect(Object.keys(metrics)).toEqual(["pearson", "spearmanr"]);
    expect(Object.values(metrics).every((value) => Math.abs(value) <= 1)).toBe(true);
  });
});

describe("the head", () => {
  test("is the base's own where the adapter has none, merged and written again too", async () => {
    const target = ["--model", at("model"), "--adapter", await peftFolder("headless", LORA, { task_type: null })];
    const answer = await predicted(...target);
    expect(answer["label"]).toMatch(/^class [01]$/);
    expect(await predicted("--model", at("model"))).not.toEqual(answer);
    for (const format of ["merged", "peft"]) {
      const { code } = await deft("export", ...target, "--format", format, "--output", at(format), "-q");
      expect(code).toBe(0);
    }
    const again = await predicted("--model", at("model"), "--adapter", at("peft"));
    expect(again["logits"]).toEqual(answer["logits"]);
    const written = JSON.parse(await readFile(at("peft/adapter_config.json"), "utf8")) as Record<string, unknown>;
    // with a task peft would look for a head in the folder
    expect(written).toMatchObject({ task_type: null, modules_to_save: null });
  });

  test("is asked for where neither has one", async () => {
    const { code, err } = await deft("predict", "--model", at("bare"), "--adapter", at("headless"), "--text", "a film");
    expect(code).toBe(2);
    expect(err).toContain("classifier.weight: expected float32[2, 16], got nothing");
    expect(err).toContain("Neither the adapter nor the model has this head");
  });
});

describe("IA3", () => {
  const LAYER = "encoder.layer.1";
  const vectors = (prefix: string) => ({
    [`${prefix}${LAYER}.attention.self.key.ia3_l`]: [16, 1],
    [`${prefix}${LAYER}.output.dense.ia3_l`]: [1, 32],
  });
  const config = {
    peft_type: "IA3",
    r: undefined,
    lora_alpha: undefined,
    target_modules: `.*${LAYER}\\.(attention\\.self\\.key|output\\.dense)`,
    feedforward_modules: ["1.output.dense"],
  };

  test("of a bare encoder adapts the encoder inside, and is written again", async () => {
    const bare = await peftFolder("ia3-bare", vectors(""), { ...config, task_type: "FEATURE_EXTRACTION" });
    const whole = await peftFolder("ia3-whole", vectors("bert."), { ...config, task_type: null });
    // the same numbers under the names of the whole model
    await writeFiles(whole, {
      "adapter_model.safetensors": safetensorsBytes(
        new Map([...named(vectors(""))].map(([name, tensor]) => [`base_model.model.bert.${name}`, tensor])),
      ),
    });
    const answer = await predicted("--model", at("model"), "--adapter", bare);
    expect(answer).toEqual(await predicted("--model", at("model"), "--adapter", whole));
    expect(answer).not.toEqual(await predicted("--model", at("model")));
    const target = ["--model", at("model"), "--adapter", bare, "--format"];
    expect(await deft("export", ...target, "peft", "--output", at("ia3-again"), "-q")).toMatchObject({ code: 0 });
    expect(await predicted("--model", at("model"), "--adapter", at("ia3-again"))).toEqual(answer);
    expect(await deft("export", ...target, "merged", "--output", at("ia3-merged"), "-q")).toMatchObject({ code: 0 });
    const merged = await predicted("--model", at("ia3-merged"));
    const logits = (of: Record<string, unknown>) => of["logits"] as number[];
    for (const [i, logit] of logits(merged).entries()) expect(logit).toBeCloseTo(logits(answer)[i]!, 5);
  });

  test("brings the head of its task, which an older peft does not name", async () => {
    const head = { "classifier.weight": [1, 16], "classifier.bias": [1] };
    const folder = await peftFolder("ia3-old", { ...vectors("bert."), ...head }, config);
    expect(await predicted("--model", at("bare"), "--adapter", folder)).toHaveProperty("value");
  });
});
