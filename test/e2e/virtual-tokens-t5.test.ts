// Prompts and prefixes of T5: a run's life, texts written over cached keys, and what peft cannot hold.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openGenerator, openScorer } from "../../src/infer/index.ts";
import { openTarget } from "../../src/load/opened-target.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { int64 } from "../../src/tensor/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

const METHODS = {
  prompt: ["--method", "prompt", "--prompt-init-text", "what is it"],
  prefix: ["--method", "prefix"],
  projection: ["--method", "prefix", "--prefix-projection", "--prefix-projection-size", "5"],
} as const;
const NAMES = Object.keys(METHODS) as (keyof typeof METHODS)[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-virtual-t5-"));
  await writeTinyT5(at("t5"));
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(48, 1), "dev.jsonl": tinySeq2seq(8, 2) });
  const usual = ["--model", at("t5"), "--task", "seq2seq", "--data", at("texts"), "--threads", "1", "-q"];
  // far from the start, so that what virtual tokens do is seen
  const short = ["--max-steps", "4", "--batch-size", "8", "--learning-rate", "0.1", "--max-target-length", "4"];
  for (const name of NAMES) {
    const own = [...METHODS[name], "--virtual-tokens", "3", "--output", at(name)];
    expect(await deft("train", ...usual, ...short, ...own)).toMatchObject({ code: 0, err: "" });
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Padded texts as token ids below the vocabulary's special ones. */
const TEXTS = [
  [5, 9, 7, 12, 8, 1],
  [6, 11, 1, 0, 0, 0],
];
const rows = (values: readonly (readonly number[])[]) => int64([values.length, values[0]!.length], values.flat());
const READ = { tokenIds: rows(TEXTS), attentionMask: rows(TEXTS.map((ids) => ids.map((id) => (id === 0 ? 0 : 1)))) };

describe.each(NAMES)("%s", (name) => {
  test("is evaluated and profiled as it was trained, and stored in its own format", async () => {
    const record = JSON.parse(await readFile(at(name, "run.json"), "utf8"));
    const evaluation = JSON.parse((await deft("eval", at(name), "--json", "--threads", "1")).out);
    expect(evaluation.metrics).toEqual(record.result.metrics);
    const profile = JSON.parse((await deft("profile", at(name), "--json", "--threads", "1")).out);
    expect(profile.density.layers).toHaveLength(4);
    const stored = Object.keys(await filesBelow(at(name, "adapter")));
    expect(stored).toContain(name === "prompt" ? "adapter_model.safetensors" : "trained.safetensors");
    expect(stored.includes("adapter_config.json")).toBe(name === "prompt");
  });

  test("writes over cached keys what its logits say, token by token", async () => {
    const target = { kind: "run", folder: at(name) } as const;
    const { base, method, head, alsoTrains, trained } = await openTarget(nodeEnvironment(), target, {});
    const { model, weights } = base;
    if (!model.writes) throw new Error("expected a T5");
    const backend = nodeBackend({ threads: 1 });
    const generator = await openGenerator({ model, method, weights, backend });
    const scorer = await openScorer({ model, method, head, alsoTrains, weights, backend, density: false, fetch: true });
    const written = await generator.generate(trained, { inputs: READ }, { maxNewTokens: 6, minNewTokens: 6 });
    const texts = written.map(([best]) => best!.tokenIds.slice(0, 6));
    const inputs = { ...READ, labels: rows(texts) };
    const { logits } = await scorer.run(trained, { inputs, indices: [0, 1], attendedTokens: 9 });
    const vocabulary = logits!.shape[2]!;
    texts.flat().forEach((id, place) => {
      const scores = Array.from(logits!.data.slice(place * vocabulary, (place + 1) * vocabulary), Number);
      // a text may not end early here
      for (const end of model.config.eosTokenIds) scores[end] = Number.NEGATIVE_INFINITY;
      expect(scores.indexOf(Math.max(...scores)), `place ${place}`).toBe(id);
    });
    await generator.dispose();
    await scorer.dispose();
  });
});

test("a prefix in every attention is refused by peft's format, with what to do", async () => {
  const { code, err } = await deft("export", at("prefix"), "--format", "peft", "--output", at("exported"), "-q");
  expect(code).toBe(2);
  expect(err).toContain("a prefix in every attention of an encoder–decoder");
  expect(err).toContain("--method prompt");
  expect(Object.keys(await filesBelow(at("exported")))).toEqual([]);
});

test("a prefix in peft's format is refused for a T5", async () => {
  const config = {
    peft_type: "PREFIX_TUNING",
    task_type: "SEQ_2_SEQ_LM",
    num_virtual_tokens: 3,
    token_dim: 16,
    num_layers: 2,
    num_attention_heads: 2,
    num_transformer_submodules: 2,
  };
  await writeFiles(at("foreign"), {
    "adapter_config.json": JSON.stringify(config),
    "adapter_model.safetensors": await readFile(at("prompt/adapter/adapter_model.safetensors")),
  });
  const { code, err } = await deft("predict", "--model", at("t5"), "--adapter", at("foreign"), "--text", "a film");
  expect(code).toBe(2);
  expect(err).toContain("a prefix with num_transformer_submodules 2");
});
