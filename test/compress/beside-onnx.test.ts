// Runs whose method cannot be merged, exported with it: what Transformers.js says in Node is what `deft predict` says.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deft } from "../support/command.ts";
import { tinyExamples, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { argv, done, type TinyTexts, tinyTexts } from "./t5-support.ts";
import { PROMPTS } from "./tiny-t5s.ts";
import { classified, written } from "./transformers-js.ts";

const TEXTS = tinyExamples(40, 7).map(({ text }) => text);
const METHODS: Readonly<Record<string, readonly string[]>> = {
  pfeiffer: ["--method", "adapter", "--reduction-factor", "4", "--ada", "--gates", "sigmoid"],
  houlsby: [
    "--method",
    "adapter",
    "--adapter-kind",
    "houlsby",
    "--reduction-factor",
    "4",
    "--ada",
    "--gates",
    "sigmoid",
  ],
  prompt: ["--method", "prompt", "--virtual-tokens", "4"],
  prefix: ["--method", "prefix", "--virtual-tokens", "4"],
};
const CASES = (model: string) => Object.keys(METHODS).map((method) => [model, method] as const);

let tiny: TinyTexts;
beforeAll(async () => {
  tiny = await tinyTexts();
  for (const modelType of ["bert", "roberta"] as const)
    await writeTinyModel(tiny.at(modelType), { modelType, numLayers: 3, hiddenSize: 32 });
  await writeTinySst2(tiny.at("sst2"), { train: 64, dev: 48 });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const FLAGS = { threads: 1, "batch-size": 8, "max-steps": 12, "learning-rate": 0.02, "max-length": 60 };

async function train(model: string, method: string, task: string, data: string): Promise<string> {
  const run = tiny.at(`${model}-${method}`);
  const where = { model: tiny.at(model), task, data: tiny.at(data), output: run };
  await done("train", ...argv({ ...where, ...FLAGS }), "-q", ...METHODS[method]!);
  return run;
}

async function predicted<T>(folder: string, texts: readonly string[], ...more: string[]): Promise<T[]> {
  const file = tiny.at("inputs.jsonl");
  writeFileSync(file, texts.map((text) => JSON.stringify({ text })).join("\n"));
  const lines = (await done("predict", folder, "--input", file, "--threads", "1", ...more)).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}

const largest = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) =>
  Math.max(...a.flatMap((row, i) => row.map((value, c) => Math.abs(value - b[i]![c]!))));

const onnx = async (folder: string, precision: string) => {
  await done("export", folder, "--format", "onnx", "--precision", precision, "--output", `${folder}-onnx`, "-q");
  return `${folder}-onnx`;
};

describe.each([...CASES("bert"), ...CASES("roberta")])("%s with %s", (model, method) => {
  interface Answer {
    readonly label: string;
    readonly logits: number[];
  }
  let run: string;
  beforeAll(async () => {
    run = await train(model, method, "sst2", "sst2");
  });

  test("float32 gives its logits, eight and four bits nearly", async () => {
    const folder = await onnx(run, "fp32,int8,qdq,q4");
    const ours = await predicted<Answer>(run, TEXTS);
    const theirs = await classified(folder, "fp32", TEXTS);
    const logits = ours.map((of) => of.logits);
    expect(largest(theirs.logits, logits)).toBeLessThan(1e-5);
    expect(theirs.labels).toEqual(ours.map(({ label }) => label));
    const spread = Math.max(...logits.flat().map(Math.abs));
    for (const [dtype, error] of [
      ["q8", 0.25],
      ["int8", 0.25],
      ["q4", 0.6],
    ] as const)
      expect(largest((await classified(folder, dtype, TEXTS)).logits, logits) / spread).toBeLessThan(error);
    const config = JSON.parse(readFileSync(join(folder, "tokenizer_config.json"), "utf8")) as Record<string, unknown>;
    // texts of the run had no more: its answers are the run's
    expect(config.model_max_length).toBe(60);
  });

  test("smaller, it is exported too", async () => {
    const small = `${run}-small`;
    await done("compress", run, "--skip", "1", "--keep-neurons", "0.5", "--threads", "1", "--output", small, "-q");
    const folder = await onnx(small, "fp32");
    const logits = (await predicted<Answer>(small, TEXTS)).map((of) => of.logits);
    expect(largest((await classified(folder, "fp32", TEXTS)).logits, logits)).toBeLessThan(1e-5);
  });
});

describe.each([...CASES("v1.0"), ...CASES("v1.1")])("T5 %s with %s", (model, method) => {
  test("writes the same texts, and nearly the same in eight bits", async () => {
    const run = await train(model, method, "seq2seq", "texts");
    const small = `${run}-small`;
    const rule = ["--skip", "encoder.1,decoder.0"];
    await done("compress", run, ...rule, "--threads", "1", "--output", small, "-q");
    for (const folder of [run, small]) {
      const ours = await predicted<{ text: string }>(folder, PROMPTS, "--max-new-tokens", "6");
      const texts = ours.map(({ text }) => text.trim());
      expect(new Set(texts).size).toBeGreaterThan(1);
      const exported = await onnx(folder, "fp32,int8");
      const theirs = async (dtype: "fp32" | "q8") =>
        (await written(exported, dtype, PROMPTS, 6)).map((text) => text.trim());
      expect(await theirs("fp32")).toEqual(texts);
      const rounded = await theirs("q8");
      expect(rounded.filter((text, i) => text === texts[i]).length / texts.length).toBeGreaterThanOrEqual(0.6);
    }
  });
});

test("bench times such a run with its method; PyTorch, which is given merged weights, is refused", async () => {
  const run = tiny.at("bert-pfeiffer");
  const how = ["--rounds", "4", "--batches", "1", "--precision", "fp32", "--threads", "1"];
  const out = await done("bench", run, `${run}-small`, "--peers", "transformers.js", ...how, "--json");
  const { rows } = JSON.parse(out) as { rows: { run: string; engine: string; fileBytes: number }[] };
  const ours = rows.filter(({ engine }) => engine === "onnxruntime");
  expect(ours.map((row) => row.run)).toEqual([run, `${run}-small`]);
  expect(ours[1]!.fileBytes).toBeLessThan(ours[0]!.fileBytes);
  expect(rows.map(({ engine }) => engine)).toContain("transformers.js");
  const refused = await deft("bench", run, "--peers", "pytorch", ...how);
  expect(refused.code).toBe(2);
  expect(refused.err).toMatch(
    /--peers: expected no pytorch, which is given merged weights alone, got a run of adapter/,
  );
});
