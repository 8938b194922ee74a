// IA3 from the command line: train, resume, compare, compress, quantised and pruned bases, exports; and what is refused.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../src/hub/index.ts";
import { nodeFiles } from "../../src/node.ts";
import type { RunRecord } from "../../src/runs/index.ts";
import { classified, written } from "../compress/transformers-js.ts";
import { deft } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples, writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { essence, steps, stored, trainEvents } from "./resumable.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const TEXTS = tinyExamples(24, 7).map(({ text }) => text);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-ia3-"));
  await writeTinyModel(at("bert"), { hiddenSize: 32, numLayers: 3 });
  await writeTinyModel(at("roberta"), { hiddenSize: 32, modelType: "roberta" });
  await writeTinySst2(at("sst2"), { train: 64, dev: 32 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function done(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await deft(...argv);
  if (code !== 0) throw new Error(`deft ${argv.join(" ")}: ${code}\n${err}`);
  return out;
}

const FLAGS = { task: "sst2", method: "ia3", "max-steps": 10, "batch-size": 8, "learning-rate": 0.05, threads: 1 };

async function train(model: string, run: string, ...more: readonly string[]): Promise<RunRecord> {
  const flags = Object.entries({ ...FLAGS, model: at(model), data: at("sst2"), output: at(run) });
  await done("train", ...flags.flatMap(([key, value]) => [`--${key}`, String(value)]), "-q", ...more);
  return JSON.parse(await readFile(at(run, "run.json"), "utf8")) as RunRecord;
}

interface Answer {
  readonly label: string;
  readonly logits: number[];
}

async function predicted<T = Answer>(target: readonly string[], ...more: readonly string[]): Promise<T[]> {
  writeFileSync(at("inputs.jsonl"), TEXTS.map((text) => JSON.stringify({ text })).join("\n"));
  const how = ["--input", at("inputs.jsonl"), "--threads", "1", ...more];
  return (await done("predict", ...target, ...how))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

const logitsOf = async (...target: readonly string[]) => (await predicted(target)).flatMap(({ logits }) => logits);
const worst = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
const evaluated = async (...target: readonly string[]) =>
  JSON.parse(await done("eval", ...target, "--task", "sst2", "--data", at("sst2"), "--threads", "1", "--json")) as {
    metrics: object;
    loss: number;
  };

describe("deft train --method ia3", () => {
  test("writes which layers it meant, peft's adapter and a card, and every command opens the run", async () => {
    const record = await train("bert", "run");
    const usual = { kind: "ia3", targets: ["key", "value", "output.dense"], feedforward: ["output.dense"] };
    expect(record.settings.method).toEqual(usual);
    const adapter = await openSafetensors(nodeFiles(), at("run/adapter/adapter_model.safetensors"));
    const vectors = [...adapter.keys()].filter((name) => name.endsWith(".ia3_l"));
    expect(vectors).toHaveLength(3 * 4);
    for (const name of vectors) {
      const { data } = await adapter.get(name)!.read();
      expect(
        Array.from(data, Number).some((value) => Math.abs(value - 1) > 0.01),
        name,
      ).toBe(true);
    }
    const card = readFileSync(at("run/README.md"), "utf8");
    expect(card).toMatch(/^library_name: peft$/m);
    expect(card).toContain("fine-tuned with IA³ on");
    expect((await evaluated(at("run"))).loss).toBeCloseTo(record.result!.loss, 6);
    expect(JSON.parse(await done("profile", at("run"), "--json"))).toHaveProperty("density");
    const events = await readFile(at("run/events.jsonl"), "utf8");
    expect(events).toContain('"method":"ia3"');
  });

  test("its default rate is its own, and the printed command makes the same run", async () => {
    const { err } = await deft(
      "train",
      "--method",
      "ia3",
      "--task",
      "sst2",
      "--model",
      at("bert"),
      "--data",
      at("none"),
    );
    expect(err).toContain(at("none"));
    const record = await train(
      "bert",
      "by-file",
      "--targets",
      "key,intermediate.dense",
      "--feedforward-targets",
      "intermediate.dense",
    );
    expect(record.settings.method).toEqual({
      kind: "ia3",
      targets: ["key", "intermediate.dense"],
      feedforward: ["intermediate.dense"],
    });
    const card = readFileSync(at("by-file/README.md"), "utf8");
    expect(card).toContain("--targets key,intermediate.dense \\\n  --feedforward-targets intermediate.dense");
  });

  test("stopped and resumed, with gates, removal and the density loss, it ends with the same bytes", async () => {
    const flags = { model: at("bert"), data: at("sst2"), ...FLAGS, "max-steps": 16, "save-steps": 3, "eval-steps": 8 };
    const more = { ada: true, gates: "sigmoid", "keep-neurons": 0.5, "density-loss": "neurons" };
    const whole = await trainEvents(flags, { ...more, output: at("whole") });
    const first = await trainEvents(flags, { ...more, output: at("halves") }, 7);
    const second = await trainEvents(flags, { output: at("halves"), resume: true });
    expect(steps(second)[0]!.step).toBe(8);
    expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
    expect(await stored(at("halves"))).toEqual(await stored(at("whole")));
  });

  test("block by block it takes the same steps", async () => {
    const flags = { model: at("bert"), data: at("sst2"), ...FLAGS, "max-steps": 4 };
    const [whole, staged] = [
      steps(await trainEvents(flags, { output: at("one") })),
      steps(await trainEvents(flags, { output: at("staged"), staged: true })),
    ];
    expect(staged).toHaveLength(4);
    staged.forEach(({ loss }, i) => {
      expect(loss).toBeCloseTo(whole[i]!.loss, 4);
    });
  });
});

test("deft compare --methods lora,ia3 gives a row each", async () => {
  const flags = { model: at("bert"), task: "sst2", data: at("sst2"), "max-steps": 4, "batch-size": 8, threads: 1 };
  const words = Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)]);
  const out = await done("compare", ...words, "--methods", "lora,ia3", "--output", at("both"), "--json");
  const { rows } = JSON.parse(out) as { rows: { method: string }[] };
  expect(rows.map(({ method }) => method)).toEqual(["lora", "ia3"]);
  const settings = async (method: string) =>
    (JSON.parse(await readFile(at("both", `${method}-seed42-deft`, "run.json"), "utf8")) as RunRecord).settings;
  expect((await settings("lora")).method).toMatchObject({ targets: ["query", "value"] });
  expect((await settings("lora")).optim.learningRate).toBe(3e-4);
  expect((await settings("ia3")).method).toMatchObject({ targets: ["key", "value", "output.dense"] });
  expect((await settings("ia3")).optim.learningRate).toBe(3e-3);
});

describe("folded into the weights", () => {
  test.each(["bert", "roberta"])("%s: ONNX in Transformers.js gives the run's logits, smaller too", async (model) => {
    await train(model, `${model}-gated`, "--ada", "--gates", "sigmoid", "--keep-neurons", "0.5");
    await done("compress", at(`${model}-gated`), "--output", at(`${model}-exact`), "--threads", "1", "-q");
    const whole = await logitsOf(at(`${model}-gated`));
    expect(worst(await logitsOf(at(`${model}-exact`)), whole)).toBeLessThan(1e-5);
    const rule = ["--skip", "1", "--keep-neurons", "0.4", "--threads", "1", "-q"];
    await done("compress", at(`${model}-gated`), ...rule, "--output", at(`${model}-small`));
    for (const name of [`${model}-gated`, `${model}-small`]) {
      const answers = await predicted([at(name)]);
      await done("export", at(name), "--format", "onnx", "--precision", "fp32", "--output", at(`${name}-onnx`), "-q");
      const theirs = await classified(at(`${name}-onnx`), "fp32", TEXTS);
      expect(
        worst(
          theirs.logits.flat(),
          answers.flatMap(({ logits }) => logits),
        ),
        name,
      ).toBeLessThan(1e-5);
      expect(theirs.labels).toEqual(answers.map(({ label }) => label));
    }
  });

  test.each([
    ["v1.0", { feed_forward_proj: "relu", tie_word_embeddings: true }],
    ["v1.1", { feed_forward_proj: "gated-gelu" }],
  ])("T5 %s: ONNX in Transformers.js writes the run's texts, decoded by rows too", async (version, config) => {
    const sizeOf = (weight: string) => (/shared|lm_head/.test(weight) ? 1 : 0.6);
    await writeTinyT5(at(version), { config, sizeOf, seed: 5 });
    await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(48, 1), "dev.jsonl": tinySeq2seq(8, 2) });
    const where = [
      "--model",
      at(version),
      "--task",
      "seq2seq",
      "--data",
      at("texts"),
      "--output",
      at(`${version}-run`),
    ];
    const how = ["--max-steps", "6", "--batch-size", "8", "--learning-rate", "0.05", "--threads", "1", "-q"];
    await done("train", ...where, "--method", "ia3", ...how);
    const record = JSON.parse(await readFile(at(`${version}-run/run.json`), "utf8")) as RunRecord;
    expect(record.settings.method).toEqual({ kind: "ia3", targets: ["k", "v", "wo"], feedforward: ["wo"] });
    const texts = async (...more: readonly string[]) => {
      const answers = await predicted<{ text: string }>([at(`${version}-run`)], "--max-new-tokens", "6", ...more);
      return answers.map(({ text }) => text.trim());
    };
    const whole = await texts();
    expect(new Set(whole).size).toBeGreaterThan(1);
    expect(await texts("--sparse-decoding", "--batch-size", "1")).toEqual(whole);
    await done(
      "export",
      at(`${version}-run`),
      "--format",
      "onnx",
      "--precision",
      "fp32",
      "--output",
      at(`${version}-onnx`),
      "-q",
    );
    const theirs = await written(at(`${version}-onnx`), "fp32", TEXTS, 6);
    expect(theirs.map((text) => text.trim())).toEqual(whole);
  });
});

describe("over other bases", () => {
  test.each(["nf4", "int8"])("%s: merged from the stored matrices, the logits are the same", async (format) => {
    const cache = process.env.XDG_CACHE_HOME;
    process.env.XDG_CACHE_HOME = at("cache");
    try {
      const record = await train("bert", `run-${format}`, "--quantize", format);
      expect(record.settings).toMatchObject({ quantize: format, method: { kind: "ia3" } });
      expect(await readFile(at(`run-${format}`, "events.jsonl"), "utf8")).toContain(`"method":"ia3-${format}"`);
      await done("export", at(`run-${format}`), "--format", "merged", "--output", at(`merged-${format}`), "-q");
      const apart = await logitsOf(at(`run-${format}`));
      expect(worst(await logitsOf("--model", at(`merged-${format}`)), apart)).toBeLessThan(1e-4);
      expect(new Set(apart.map((value) => value.toFixed(4))).size).toBeGreaterThan(3);
    } finally {
      if (cache === undefined) delete process.env.XDG_CACHE_HOME;
      else process.env.XDG_CACHE_HOME = cache;
    }
  });

  test("pruned: every zero stays, and no other is made", async () => {
    const recipe = ["--prune", "magnitude:0.5", "--output", at("pruned"), "-q"];
    await done("compress", "--model", at("bert"), ...recipe);
    await train("pruned", "run-pruned");
    await done("export", at("run-pruned"), "--format", "merged", "--output", at("merged-pruned"), "-q");
    const [before, after] = await Promise.all(
      ["pruned", "merged-pruned"].map((name) => openSafetensors(nodeFiles(), at(name, "model.safetensors"))),
    );
    let changed = 0;
    for (const [name, weight] of before!) {
      if (!/\.encoder\.layer\..*\.weight$/.test(name)) continue;
      const [was, is] = [await weight.read(), await after!.get(name)!.read()].map(({ data }) =>
        Array.from(data, Number),
      );
      expect(
        is!.map((value) => value === 0),
        name,
      ).toEqual(was!.map((value) => value === 0));
      if (is!.some((value, i) => value !== was![i])) changed++;
    }
    expect(changed).toBe(3 * 4);
    expect(JSON.parse(await readFile(at("merged-pruned/deft-pruning.json"), "utf8"))).toMatchObject({ sparsity: 0.5 });
  });
});

describe("refused, with what would do", () => {
  test.each([
    [["--targets", "kye"], /targets: expected linear layers of the model .*got "kye" \(did you mean key\?\)/],
    [
      ["--targets", "key,value", "--feedforward-targets", "intermediate.dense"],
      /feedforward-targets: expected layers among the targets \(key,value\), got "intermediate.dense"/,
    ],
    [["--rank", "4"], /--rank: expected --method lora, which alone uses it, got --method ia3/],
    [["--mask-safe"], /--mask-safe: expected --method lora or full, which alone use it, got --method ia3/],
  ])("%j", async (flags, expected) => {
    const where = ["--model", at("bert"), "--task", "sst2", "--data", at("sst2"), "--output", at("none")];
    const { code, out, err } = await deft("train", ...where, "--method", "ia3", ...flags);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(expected);
    expect(await nodeFiles().stat(at("none"))).toBeNull();
  });

  test.each([
    [
      ["--method", "lora", "--feedforward-targets", "key"],
      /--feedforward-targets: expected --method ia3, which alone uses it/,
    ],
    [["--method", "adapter", "--targets", "key"], /--targets: expected --method lora or ia3, which alone use it/],
  ])("%j", async (flags, expected) => {
    const where = ["--model", at("bert"), "--task", "sst2", "--data", at("sst2"), "--output", at("none")];
    const { code, err } = await deft("train", ...where, ...flags);
    expect(code).toBe(2);
    expect(err).toMatch(expected);
  });
});
