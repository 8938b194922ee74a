// A run on a quantised base from the command line: train, resume, eval, predict, profile, export; and what is refused.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../src/hub/index.ts";
import { workflow } from "../../src/library/index.ts";
import { openBaseModel } from "../../src/load/base-model.ts";
import { nodeEnvironment, nodeFiles } from "../../src/node.ts";
import { openSettings, type RunRecord } from "../../src/runs/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const cache = process.env.XDG_CACHE_HOME;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-qlora-"));
  process.env.XDG_CACHE_HOME = at("cache");
  await writeTinyModel(at("model"), { hiddenSize: 64 });
  await writeTinyModel(at("other"), { hiddenSize: 64, seed: 5 });
  await writeTinySst2(at("sst2"));
});
afterAll(async () => {
  if (cache === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cache;
  await rm(folder, { recursive: true, force: true });
});

const flags = (output: string, method: string, more: Readonly<Record<string, string | number>> = {}) => ({
  model: at("model"),
  task: "sst2",
  data: at("sst2"),
  method,
  targets: "all-linear",
  "batch-size": 8,
  "max-steps": 8,
  "save-steps": 2,
  "eval-steps": 4,
  threads: 1,
  output: at(output),
  ...more,
});
const argv = (given: Readonly<Record<string, string | number>>) =>
  Object.entries(given).flatMap(([key, value]) => [`--${key}`, String(value)]);
const json = (text: string) => JSON.parse(text) as Record<string, never>;

describe("deft train --method qlora", () => {
  let record: RunRecord;
  beforeAll(async () => {
    const { code, err } = await deft("train", ...argv(flags("run", "qlora")), "-q");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    record = json(await readFile(at("run", "run.json"), "utf8")) as unknown as RunRecord;
  });

  test("writes how the base was stored, a peft adapter, and one mapped checkpoint in the cache", async () => {
    const sidecar = json(await readFile(at("run", "adapter", "deft.json"), "utf8")) as unknown as {
      base: { fingerprint: string; quantization: string };
      method: { kind: string };
    };
    expect(record.settings).toMatchObject({ quantize: "nf4", method: { kind: "lora" } });
    expect(sidecar.base).toMatchObject({ quantization: "nf4", fingerprint: record.fingerprints.base });
    expect(sidecar.method.kind).toBe("lora");
    const adapter = await openSafetensors(nodeFiles(), at("run", "adapter", "adapter_model.safetensors"));
    expect([...adapter.values()].every(({ dtype }) => dtype === "float32")).toBe(true);
    expect([...adapter.keys()].some((name) => name.endsWith("output.dense.lora_A.weight"))).toBe(true);
    const cached = Object.keys(await filesBelow(at("cache"))).filter((name) => name.endsWith("-nf4.safetensors"));
    expect(cached).toHaveLength(1);
    expect(await readFile(at("run", "events.jsonl"), "utf8")).toContain('"method":"qlora"');
  });

  test("eval, predict and profile open the same base again, also by --model and --adapter", async () => {
    const evaluated = json((await deft("eval", at("run"), "--json")).out) as unknown as {
      metrics: object;
      loss: number;
    };
    expect(evaluated.metrics).toEqual(record.result!.metrics);
    expect(evaluated.loss).toBeCloseTo(record.result!.loss, 6);
    const byAdapter = await deft(
      "eval",
      "--model",
      at("model"),
      "--adapter",
      at("run", "adapter"),
      "--task",
      "sst2",
      "--data",
      at("sst2"),
      "--threads",
      "1",
      "--json",
    );
    expect((json(byAdapter.out) as unknown as { loss: number }).loss).toBeCloseTo(evaluated.loss, 6);
    const predicted = await deft("predict", at("run"), "--text", "a lovely film");
    expect(json(predicted.out)).toHaveProperty("logits");
    expect((await deft("profile", at("run"), "--json")).code).toBe(0);
  });

  test("an adapter for another base is refused", async () => {
    const { code, err } = await deft(
      "eval",
      "--model",
      at("other"),
      "--adapter",
      at("run", "adapter"),
      "--task",
      "sst2",
      "--data",
      at("sst2"),
    );
    expect(code).toBe(2);
    expect(err).toContain("base model");
  });

  test("stopped and resumed, it ends with the same bytes", async () => {
    const environment = nodeEnvironment();
    const stop = new AbortController();
    const first = workflow(environment).train(
      await openSettings(environment.files, { flags: flags("stopped", "qlora") }),
      {
        signal: stop.signal,
      },
    );
    for await (const event of first) if (event.type === "step" && event.step === 5) stop.abort();
    const { code } = await deft("train", "--output", at("stopped"), "--resume", "-q");
    expect(code).toBe(0);
    const bytes = (run: string) => readFile(at(run, "adapter", "adapter_model.safetensors"));
    expect((await bytes("stopped")).equals(await bytes("run"))).toBe(true);
  });

  test("merged, it is a float model with the same scores; quantised again, the change is told", async () => {
    const plain = await deft("export", at("run"), "--format", "merged", "--output", at("merged"));
    expect(plain.code).toBe(0);
    const data = ["--task", "sst2", "--data", at("sst2"), "--threads", "1", "--json"];
    const scored = json((await deft("eval", "--model", at("merged"), ...data)).out) as unknown as { loss: number };
    expect(scored.loss).toBeCloseTo(record.result!.loss, 5);
    const again = await deft("export", at("run"), "--format", "merged", "--quantize", "nf4", "--output", at("again"));
    expect({ code: again.code, err: again.err }).toMatchObject({
      code: 0,
      err: expect.stringMatching(/merging into nf4 changes accuracy from [\d.]+ to [\d.]+/),
    });
    const opened = json((await deft("eval", "--model", at("again"), ...data)).out) as unknown as { loss: number };
    expect(again.err).toContain(`to ${opened.loss.toFixed(4)}`);
    expect(opened.loss).not.toBe(scored.loss);
  });
});

test.each([
  ["int8", "adapter"],
  ["int4", "prompt"],
])("--quantize %s under --method %s", async (quantize, method) => {
  const { targets: _, ...given } = flags(`${quantize}-${method}`, method, { quantize, "max-steps": 2 });
  const more = method === "prompt" ? { "virtual-tokens": 4, "max-length": 32 } : {};
  const { code, err } = await deft("train", ...argv({ ...given, ...more }), "-q");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const evaluated = await deft("eval", at(`${quantize}-${method}`), "--json");
  expect(evaluated.code).toBe(0);
});

test("a T5's blocks in NF4, their adapters and what they write", async () => {
  await writeTinyT5(at("t5"));
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(32, 1), "dev.jsonl": tinySeq2seq(8, 2) });
  const given = { model: at("t5"), task: "seq2seq", data: at("texts"), method: "qlora", targets: "q,v,wi,wo" };
  const more = { "max-steps": 3, "max-target-length": 4, threads: 1, output: at("t5-run") };
  const { code, err } = await deft("train", ...argv({ ...given, ...more }), "-q");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const record = json(await readFile(at("t5-run", "run.json"), "utf8")) as unknown as RunRecord;
  const evaluated = json((await deft("eval", at("t5-run"), "--json")).out) as unknown as { loss: number };
  expect(evaluated.loss).toBeCloseTo(record.result!.loss, 6);
  expect((await deft("predict", at("t5-run"), "--text", "the film is dull")).code).toBe(0);
  // every linear layer of both stacks, no table and no head
  const base = await openBaseModel(nodeEnvironment(), at("t5"), undefined, { quantize: "nf4" });
  const names = [...base.quantization!.layouts.keys()];
  expect(names).toContain("decoder.block.0.layer.1.EncDecAttention.q.weight");
  expect(names.filter((name) => /relative_attention_bias|shared|lm_head|layer_norm/.test(name))).toEqual([]);
  const matrices = [...base.weights].filter(([name, { shape }]) => shape.length === 2 && name.includes(".block."));
  expect(names.length).toBe(matrices.filter(([name]) => !name.includes("relative_attention_bias")).length);
});

describe("is refused on one screen, and leaves nothing", () => {
  test.each([
    [
      "an unknown format",
      { quantize: "nf5" },
      "lora",
      /--quantize: expected one of nf4, int8, int4, none, got "nf5".*nf4/,
    ],
    [
      "a method that trains the base",
      { quantize: "nf4" },
      "full",
      /--quantize: expected a method that leaves the base/,
    ],
    ["QLoRA on another format", { quantize: "int8" }, "qlora", /--quantize: expected nf4 with --method qlora.*int8/],
  ])("%s", async (_, more, method, message) => {
    const { targets: __, ...given } = flags("refused", method, more);
    const { code, err } = await deft("train", ...argv(given));
    expect(code).toBe(2);
    expect(err.replaceAll("\n", " ")).toMatch(message);
    expect(err.split("\n").length).toBeLessThan(24);
    expect(await nodeFiles().stat(at("refused"))).toBeNull();
  });

  test("a base that is stored in another format", async () => {
    const { targets: _, ...given } = flags("refused", "lora", { quantize: "int8", model: at("again") });
    const { code, err } = await deft("train", ...argv(given));
    expect(code).toBe(2);
    expect(err).toContain("--quantize: expected nf4, as");
  });

  test("an adapter's export with --quantize", async () => {
    const { code, err } = await deft(
      "export",
      at("run"),
      "--format",
      "peft",
      "--quantize",
      "nf4",
      "--output",
      at("peft"),
    );
    expect(code).toBe(2);
    expect(err).toContain("--quantize: expected --format merged");
  });
});
