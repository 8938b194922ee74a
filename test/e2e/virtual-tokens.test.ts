// Prompt and prefix tuning from the command line and through files: a run's life, resuming, peft both ways, wrong input.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { workflow } from "../../src/library/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { openSettings } from "../../src/runs/index.ts";
import { float32, type Tensor } from "../../src/tensor/index.ts";
import { python } from "../hub/python.ts";
import { deft, filesBelow } from "../support/command.ts";
import { describeWithPython } from "../support/python.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-virtual-"));
  await writeTinyModel(at("bert"));
  await writeTinyModel(at("roberta"), { modelType: "roberta" });
  await writeTinySst2(at("sst2"), { train: 48, dev: 16 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Flags = Readonly<Record<string, string | number | boolean>>;
const argv = (flags: Flags) =>
  Object.entries(flags).flatMap(([key, value]) => (value === true ? [`--${key}`] : [`--${key}`, String(value)]));
const USUAL = { task: "sst2", "batch-size": 8, "max-steps": 4, "max-length": 16, threads: 1, "virtual-tokens": 5 };
const flagsOf = (model: string, method: Flags, output: string): Flags => ({
  model: at(model),
  data: at("sst2"),
  output: at(output),
  ...USUAL,
  ...method,
});
const train = (model: string, method: Flags, output: string) =>
  deft("train", ...argv(flagsOf(model, method, output)), "-q");

const METHODS = {
  prompt: { method: "prompt" },
  "prompt from text": { method: "prompt", "prompt-init-text": "funny or dull" },
  prefix: { method: "prefix" },
  "prefix by projection": { method: "prefix", "prefix-projection": true, "prefix-projection-size": 7 },
} as const satisfies Record<string, Flags>;
const CASES = (["bert", "roberta"] as const).flatMap((model) =>
  (Object.keys(METHODS) as (keyof typeof METHODS)[]).map((name) => [model, name] as const),
);
const runOf = (model: string, name: string) => `${model}-${name.replaceAll(" ", "-")}`;

async function tensorsOf(path: string): Promise<Map<string, Tensor>> {
  const tensors = new Map<string, Tensor>();
  for (const [name, weight] of await openSafetensors(nodeEnvironment().files, path))
    tensors.set(name, await weight.read());
  return tensors;
}

const TEXTS = ["a funny story", "it is the tired plot of a dull and grating film", "tender"];
async function logitsOf(...target: readonly string[]): Promise<number[]> {
  const logits: number[] = [];
  for (const text of TEXTS) {
    const { code, out, err } = await deft("predict", ...target, "--text", text, "--max-length", "16", "--threads", "1");
    // RoBERTa's tiny vocabulary makes more tokens of the same text
    const cut = /^1 of 1 texts is longer than 16 tokens and was cut; --max-length \d+ keeps all whole\n$/;
    expect({ code, err: err.replace(cut, "") }).toEqual({ code: 0, err: "" });
    logits.push(...(JSON.parse(out) as { logits: number[] }).logits);
  }
  return logits;
}

describe("a run's life", () => {
  test.each(CASES)("%s with %s", async (model, name) => {
    const run = runOf(model, name);
    expect(await train(model, METHODS[name], run)).toMatchObject({ code: 0, err: "" });
    const stored = await tensorsOf(at(run, "adapter/adapter_model.safetensors"));
    expect(stored.get("prompt_embeddings")!.shape).toEqual(name.startsWith("prompt") ? [5, 16] : [5, 2 * 2 * 16]);
    expect(
      [...stored.keys()]
        .filter((key) => key !== "prompt_embeddings")
        .every((key) => key.startsWith("base_model.classifier")),
    ).toBe(true);
    const record = JSON.parse(await readFile(at(run, "run.json"), "utf8"));
    const evaluation = await deft("eval", at(run), "--json", "--threads", "1");
    expect(JSON.parse(evaluation.out).metrics).toEqual(record.result.metrics);
    expect(JSON.parse(evaluation.out).loss).toBeCloseTo(record.result.loss, 5);
    const profile = JSON.parse((await deft("profile", at(run), "--json", "--threads", "1")).out);
    expect(profile.density.layers).toHaveLength(2);
    expect(profile.density.encoder.exact).toBeCloseTo(record.result.density.encoder.exact, 6);
    expect(await logitsOf(at(run))).toHaveLength(6);
  });

  test("compare, both methods with and without the density loss", async () => {
    const { method: _method, ...flags } = flagsOf("bert", { method: "", "max-steps": 2 }, "compared");
    const { code, out } = await deft("compare", ...argv(flags), "--methods", "prompt,prefix", "--seeds", "1", "--json");
    expect(code).toBe(0);
    expect(out).toMatch(/prompt[\s\S]*prefix/);
  });

  test("a prompt from text begins as the words' embeddings, over and over", async () => {
    const { files } = nodeEnvironment();
    const { ids } = (await loadTokenizer(files, at("bert"))).encode("dull or funny");
    expect(ids.length).toBeLessThan(20);
    const method = { ...METHODS["prompt from text"], "prompt-init-text": "dull or funny" };
    const still = { ...method, "virtual-tokens": 20, "max-steps": 1, "learning-rate": 1e-12 };
    expect(await train("bert", still, "still")).toMatchObject({ code: 0 });
    const prompt = (await tensorsOf(at("still/adapter/adapter_model.safetensors"))).get("prompt_embeddings")!;
    const words = (await tensorsOf(at("bert/model.safetensors"))).get("bert.embeddings.word_embeddings.weight")!;
    for (let row = 0; row < 20; row++) {
      const id = ids[row % ids.length]!;
      Array.from(prompt.data.slice(row * 16, row * 16 + 16), Number).forEach((value, i) => {
        expect(value).toBeCloseTo(Number(words.data[id * 16 + i]), 6);
      });
    }
  });
});

describe("interrupted and resumed: the same bytes", () => {
  test.each(["prompt from text", "prefix by projection"] as const)("%s", async (name) => {
    const { files } = nodeEnvironment();
    const flags = (output: string) => ({
      ...flagsOf("bert", METHODS[name], output),
      "max-steps": 8,
      "eval-steps": 2,
    });
    const run = async (given: Record<string, unknown>, stopAt: number) => {
      const settings = await openSettings(files, { flags: given });
      const stop = new AbortController();
      for await (const event of workflow(nodeEnvironment()).train(settings, { signal: stop.signal }))
        if (event.type === "step" && event.step === stopAt) stop.abort();
    };
    const [whole, parts] = [runOf("whole", name), runOf("parts", name)];
    await run(flags(whole), Number.NaN);
    await run(flags(parts), 5);
    expect(Object.keys(await filesBelow(at(parts, "adapter")))).toEqual([]);
    await run({ output: at(parts), resume: true }, Number.NaN);
    const [a, b] = [await filesBelow(at(whole, "adapter")), await filesBelow(at(parts, "adapter"))];
    expect(b).toEqual(a);
    expect(Object.keys(a)).toContain("adapter_model.safetensors");
  });
});

describe("wrong input", () => {
  async function refusal(run: Promise<{ code: number; out: string; err: string }>): Promise<string> {
    const before = await filesBelow(folder);
    const { code, out, err } = await run;
    expect({ code, out }, err).toEqual({ code: 2, out: "" });
    expect(err).not.toMatch(/^\s+at .*[:)]|internal|undefined|\[object|NaN/m);
    expect(err.trimEnd().split("\n").length).toBeLessThanOrEqual(24);
    expect(await filesBelow(folder)).toEqual(before);
    return err;
  }

  test.each<[string, Flags, string[]]>([
    [
      "more tokens than the model has positions",
      { "max-length": 62 },
      ["--max-length: expected at most 61, the 66 positions of", "less 5 virtual tokens, got 62", "--max-length 61"],
    ],
    [
      "as many virtual tokens as the model has positions",
      { "virtual-tokens": 66 },
      ["--virtual-tokens: expected at most 62", "Use fewer"],
    ],
    ["no virtual token", { "virtual-tokens": 0 }, ["--virtual-tokens: expected a number ≥ 1, got 0"]],
    ["a part of one", { "virtual-tokens": 2.5 }, ["--virtual-tokens: expected a whole number"]],
    ["virtual tokens for LoRA", { method: "lora" }, ["--virtual-tokens: expected --method prompt or prefix"]],
    ["text without words", { "prompt-init": "text" }, ["--prompt-init: expected --prompt-init-text"]],
    ["another beginning", { "prompt-init": "vocab" }, ["--prompt-init: expected one of random, text"]],
    ["a projected prompt", { "prefix-projection": true }, ["--prefix-projection: expected --method prefix"]],
    [
      "a size without projection",
      { method: "prefix", "prefix-projection-size": 4 },
      ["--prefix-projection-size: expected --prefix-projection"],
    ],
  ])("%s", async (_, flags, messages) => {
    const err = await refusal(train("bert", { method: "prompt", ...flags }, "refused"));
    for (const message of messages) expect(err).toContain(message);
  });

  describe("an adapter folder", () => {
    const NAMES = ["prompt", "prefix"] as const;
    beforeAll(async () => {
      for (const name of NAMES) expect(await train("bert", METHODS[name], `good-${name}`)).toMatchObject({ code: 0 });
    });
    type Change = (config: Record<string, unknown>, tensors: Map<string, Tensor>) => void;
    /** The run's adapter without our sidecar, changed. */
    async function changed(name: (typeof NAMES)[number], change: Change): Promise<string> {
      const config = JSON.parse(await readFile(at(`good-${name}/adapter/adapter_config.json`), "utf8"));
      const tensors = await tensorsOf(at(`good-${name}/adapter/adapter_model.safetensors`));
      change(config, tensors);
      await rm(at("changed"), { recursive: true, force: true });
      const { files } = nodeEnvironment();
      await files.write(at("changed/adapter_config.json"), JSON.stringify(config));
      await writeFile(at("changed/adapter_model.safetensors"), safetensorsBytes(tensors));
      return at("changed");
    }
    const evaluate = (adapter: string, ...more: readonly string[]) =>
      deft(
        "eval",
        "--model",
        at("bert"),
        "--adapter",
        adapter,
        "--task",
        "sst2",
        "--data",
        at("sst2"),
        "--threads",
        "1",
        "--max-length",
        "16",
        ...more,
      );

    test.each(NAMES)("as it is, %s", async (name) => {
      expect((await evaluate(await changed(name, () => {}))).code).toBe(0);
    });

    test.each<[string, (typeof NAMES)[number], Change, string[]]>([
      [
        "without its table",
        "prompt",
        (_, tensors) => tensors.delete("prompt_embeddings"),
        ["prompt_embeddings: expected [5, 16], got none"],
      ],
      [
        "without its table",
        "prefix",
        (_, tensors) => tensors.delete("prompt_embeddings"),
        ["prompt_embeddings: expected [5, 64], got none"],
      ],
      [
        "with a table of another shape",
        "prompt",
        (_, tensors) =>
          tensors.set(
            "prompt_embeddings",
            float32(
              [4, 16],
              Array.from({ length: 64 }, () => 0),
            ),
          ),
        ["prompt_embeddings: expected [5, 16], got [4, 16]"],
      ],
      [
        "with a tensor too many",
        "prefix",
        (_, tensors) => tensors.set("base_model.bert.pooler.bias", float32([1], [0])),
        ["base_model.bert.pooler.bias: expected prompt_embeddings or part of classifier", "unknown name"],
      ],
      [
        "with LoRA's names",
        "prompt",
        (_, tensors) => tensors.set("base_model.model.classifier.bias", float32([2], [0, 0])),
        ["base_model.model.classifier.bias"],
      ],
      [
        "without the number of tokens",
        "prompt",
        (config) => delete config["num_virtual_tokens"],
        ["adapter_config.json, num_virtual_tokens: expected a whole number above 0, got nothing"],
      ],
      [
        "with half a token",
        "prefix",
        (config) => {
          config["num_virtual_tokens"] = 2.5;
        },
        ["num_virtual_tokens: expected a whole number above 0, got 2.5"],
      ],
      [
        "of an encoder–decoder",
        "prefix",
        (config) => {
          config["num_transformer_submodules"] = 2;
        },
        ["a prefix with num_transformer_submodules 2"],
      ],
      [
        "with an unknown setting",
        "prompt",
        (config) => {
          config["num_ranks"] = 4;
        },
        ["num_ranks: expected null, got 4"],
      ],
      [
        "of an unknown method",
        "prompt",
        (config) => {
          config["peft_type"] = "MULTITASK_PROMPT_TUNING";
        },
        ["MULTITASK_PROMPT_TUNING", "PROMPT_TUNING"],
      ],
      [
        "of a model with more layers",
        "prefix",
        (config, tensors) => {
          config["num_layers"] = 3;
          tensors.set(
            "prompt_embeddings",
            float32(
              [5, 96],
              Array.from({ length: 480 }, () => 0),
            ),
          );
        },
        ["prompt_embeddings: expected a prefix of 2 layers, got a prefix of 3 layers", "another base model"],
      ],
      [
        "of a wider model",
        "prompt",
        (config, tensors) => {
          config["token_dim"] = 32;
          tensors.set(
            "prompt_embeddings",
            float32(
              [5, 32],
              Array.from({ length: 160 }, () => 0),
            ),
          );
        },
        ["prompt_embeddings: expected float32[5, 16], got float32[5, 32]"],
      ],
    ])("%s (%s)", async (_, name, change, messages) => {
      const adapter = await changed(name, change);
      const err = await refusal(evaluate(adapter));
      for (const message of messages) expect(err).toContain(message);
    });

    test("asked for more tokens than its model has positions left", async () => {
      const err = await refusal(evaluate(at("good-prompt/adapter"), "--max-length", "64"));
      expect(err).toContain("--max-length: expected at most 61");
    });
  });
});

const PEFT = `
import json, sys, torch
from transformers import AutoModelForSequenceClassification
from peft import PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
torch.manual_seed(0)
given = json.loads(sys.argv[1])
def fresh(model): return AutoModelForSequenceClassification.from_pretrained(model, num_labels=2)
def logits(model):
    with torch.no_grad():
        return [x for ids in given["ids"] for x in model.eval()(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).logits[0].tolist()]
`;

describeWithPython("peft", () => {
  const idsOf = async (model: string) => {
    const tokenizer = await loadTokenizer(nodeEnvironment().files, at(model));
    return TEXTS.map((text) => tokenizer.encode(text, null, { maxLength: 16 }).ids);
  };
  const near = (got: readonly number[], want: readonly number[]) => {
    expect(got).toHaveLength(want.length);
    expect(Math.max(...want.map((value, i) => Math.abs(value - got[i]!)))).toBeLessThan(1e-4);
  };

  test.each(["bert", "roberta"])("computes the same with ours, %s", { timeout: 300_000 }, async (model) => {
    const runs = Object.entries(METHODS).map(([name, method]) => [runOf(`to-peft-${model}`, name), method] as const);
    for (const [run, method] of runs) {
      const strong = { "learning-rate": 0.05, "density-weight": 0 };
      expect(await train(model, { ...method, ...strong }, run)).toMatchObject({ code: 0 });
    }
    const given = { model: at(model), ids: await idsOf(model), adapters: runs.map(([run]) => at(run, "adapter")) };
    const theirs = (await python(
      `${PEFT}
print(json.dumps([logits(PeftModel.from_pretrained(fresh(given["model"]), adapter)) for adapter in given["adapters"]]))`,
      [JSON.stringify(given)],
    )) as number[][];
    for (const [i, [run]] of runs.entries()) near(await logitsOf(at(run)), theirs[i]!);
    // a method that did nothing would agree as well
    expect(new Set(theirs.map(String)).size).toBe(runs.length);
  });

  test.each(["bert", "roberta"])("computes the same as we with theirs, %s", { timeout: 300_000 }, async (model) => {
    const given = { model: at(model), ids: await idsOf(model), out: at(`theirs-${model}`) };
    const theirs = (await python(
      `${PEFT}
configs = {
    "prompt": PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4),
    "text": PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=9, prompt_tuning_init="TEXT", prompt_tuning_init_text="funny or dull", tokenizer_name_or_path=given["model"]),
    "prefix": PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4),
    "projection": PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=4, prefix_projection=True, encoder_hidden_size=6),
}
seen = {}
for name, config in configs.items():
    model = get_peft_model(fresh(given["model"]), config)
    model.save_pretrained(f"{given['out']}/{name}")
    seen[name] = logits(model)
    if name == "text": seen["start"] = model.prompt_encoder["default"].embedding.weight.flatten().tolist()
print(json.dumps(seen))`,
      [JSON.stringify(given)],
    )) as Record<string, number[]>;
    for (const name of ["prompt", "text", "prefix", "projection"]) {
      near(await logitsOf("--model", given.model, "--adapter", `${given.out}/${name}`), theirs[name]!);
    }
    const still = { method: "prompt", "prompt-init-text": "funny or dull", "virtual-tokens": 9 };
    expect(await train(model, { ...still, "max-steps": 1, "learning-rate": 1e-12 }, `start-${model}`)).toMatchObject({
      code: 0,
    });
    const start = await tensorsOf(at(`start-${model}/adapter/adapter_model.safetensors`));
    near(Array.from(start.get("prompt_embeddings")!.data, Number), theirs["start"]!);
  });
});
