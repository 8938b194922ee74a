// The exported folder, loaded and run by Transformers.js itself in Node: same labels, same logits.
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, deployedProgram } from "../../src/export/optimize.ts";
import { taskRanges } from "../../src/jobs/compress/calibrate.ts";
import { exportOnnx } from "../../src/jobs/export/export-onnx.ts";
import { inferenceOf, openMergedModel } from "../../src/load/merged-model.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { deft } from "../support/command.ts";
import { tinyExamples, writeTinyModel } from "../support/tiny-model.ts";
import { type TinyRun, tinyRun } from "./support.ts";
import { classified } from "./transformers-js.ts";

const TEXTS = tinyExamples(48, 7).map(({ text }) => text);

async function predicted(run: string): Promise<{ label: string; logits: number[] }[]> {
  const lines = TEXTS.map((text) => JSON.stringify({ text })).join("\n");
  const file = join(run, "..", "texts.jsonl");
  writeFileSync(file, `${lines}\n`);
  const { out, err } = await deft("predict", run, "--input", file);
  if (out === "") throw new Error(err);
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { label: string; logits: number[] });
}

const largest = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]) =>
  Math.max(...a.flatMap((row, i) => row.map((value, c) => Math.abs(value - b[i]![c]!))));

describe.each(["bert", "roberta"] as const)("%s", (modelType) => {
  let tiny: TinyRun;
  beforeAll(async () => {
    tiny = await tinyRun({ modelType, hiddenSize: 32 });
    const small = [
      "compress",
      tiny.run,
      "--output",
      join(tiny.root, "small"),
      "--keep-neurons",
      "0.5",
      "--threads",
      "1",
    ];
    expect((await deft(...small, "--skip", "1", "-q")).err).toBe("");
    for (const name of ["run", "small"]) {
      const options = { output: join(tiny.root, `${name}-onnx`), precisions: ["fp32", "int8", "q4", "qdq"] as const };
      await exportOnnx(nodeEnvironment(), { kind: "run", folder: join(tiny.root, name) }, options);
    }
  });
  afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

  test.each(["run", "small"])("%s: float32 is the same model", async (name) => {
    const ours = await predicted(join(tiny.root, name));
    const theirs = await classified(join(tiny.root, `${name}-onnx`), "fp32", TEXTS);
    expect(theirs.labels).toEqual(ours.map(({ label }) => label));
    expect(
      largest(
        theirs.logits,
        ours.map(({ logits }) => logits),
      ),
    ).toBeLessThan(1e-5);
  });

  test.each(["q8", "q4", "int8"] as const)("%s is near it", async (dtype) => {
    const ours = await predicted(join(tiny.root, "small"));
    const theirs = await classified(join(tiny.root, "small-onnx"), dtype, TEXTS);
    const agreeing = theirs.labels.filter((label, i) => label === ours[i]!.label).length;
    expect(agreeing / TEXTS.length).toBeGreaterThanOrEqual(dtype === "q4" ? 0.85 : 0.95);
  });

  test("int8 gives the logits that compress states a score of", async () => {
    const folder = join(tiny.root, "small");
    const environment = nodeEnvironment();
    const frozen = await openMergedModel(environment, { kind: "run", folder }, {});
    const ranges = await taskRanges(environment, { kind: "run", folder }, frozen);
    const inference = inferenceOf(frozen.config);
    const program = await nodeBackend({ threads: 1 }).open(
      deployedProgram(inference, await deploy(inference, frozen.weights, "qdq", ranges)),
    );
    const { base } = frozen.opened;
    const rows = TEXTS.map((text) => base.tokenizer.encode(text).ids);
    const theirs = await classified(`${folder}-onnx`, "int8", TEXTS);
    const ours: number[][] = [];
    for (const ids of rows) {
      const shape = [1, ids.length];
      const feed = (of: bigint[]) => ({ dtype: "int64" as const, shape, data: BigInt64Array.from(of) });
      const [tokens, ones, zeros] = [ids.map(BigInt), ids.map(() => 1n), ids.map(() => 0n)].map(feed);
      const feeds = { input_ids: tokens!, attention_mask: ones!, token_type_ids: zeros! };
      ours.push(Array.from((await program.run(feeds)).logits!.data as Float32Array));
    }
    await program.dispose();
    expect(largest(theirs.logits, ours)).toBeLessThan(1e-5);
  });

  test("the folder holds what Transformers.js looks for, and the plan", () => {
    const folder = join(tiny.root, "small-onnx");
    const json = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>;
    expect(json("config.json")).toMatchObject({ id2label: { 0: "negative", 1: "positive" }, model_type: modelType });
    expect(json("tokenizer_config.json")).toMatchObject({ model_max_length: modelType === "bert" ? 66 : 64 });
    expect(json("plan.json")).toMatchObject({ schema: 1 });
    const size = (name: string) => statSync(join(folder, "onnx", name)).size;
    expect(size("model_quantized.onnx")).toBeLessThan(size("model.onnx"));
  });
});

test("deft export --format onnx says what it wrote, and refuses other precisions", async () => {
  const tiny = await tinyRun();
  const output = join(tiny.root, "out");
  const { code, out } = await deft(
    "export",
    tiny.run,
    "--format",
    "onnx",
    "--output",
    output,
    "--precision",
    "q4",
    "--json",
  );
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ output, files: [{ precision: "q4", path: "onnx/model_q4.onnx" }] });
  const refused = await deft("export", tiny.run, "--format", "onnx", "--precision", "fp8");
  expect(refused).toMatchObject({
    code: 2,
    err: expect.stringMatching(
      /--output: expected a new folder.*\n.*--precision: expected some of fp32, int8, int4, qdq/,
    ),
  });
  await writeTinyModel(join(tiny.root, "head"), { headLabels: 2 });
  const textless = ["--model", join(tiny.root, "head"), "--format", "onnx", "--precision", "qdq", "--output"];
  expect(await deft("export", ...textless, `${output}2`)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/--task: expected the task.*\n.*--data: expected a folder.*\n.*qdq knows the ranges/s),
  });
  expect(existsSync(`${output}2`)).toBe(false);
  expect((await deft("export", tiny.run, "--format", "onnxx", "--output", `${output}2`)).err).toMatch(
    /did you mean onnx/,
  );
  rmSync(tiny.root, { recursive: true, force: true });
});
