// `deft bench` of models that write: reading, a token and whole texts, of runs, compressed models, exports and peers. No time is asserted.
import { cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { deft } from "../support/command.ts";
import { describeWithPython } from "../support/python.ts";
import { writeTinyModel } from "../support/tiny-model.ts";
import { done, learns, type TinyTexts, tinyTexts } from "./t5-support.ts";

interface Row {
  readonly run: string;
  readonly engine: string;
  readonly precision: string;
  readonly phase: "encode" | "decode" | "generate";
  readonly batch: number;
  readonly tokens: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number };
  readonly tokensPerSecond: number;
  readonly loadMs: number;
  readonly peakRssBytes: number;
  readonly fileBytes: number;
  readonly processorMs: number;
  readonly ratioToFirst: number;
  readonly countedRounds: number;
  readonly estimate: { readonly macs: number; readonly macsWithoutZeros: number; readonly energy: number } | null;
}

const PHASES = ["encode", "decode", "generate"];
const QUICK = ["--rounds", "4", "--threads", "1", "--new-tokens", "5", "--json"];
let texts: TinyTexts;
let run: string;
let small: string;
beforeAll(async () => {
  texts = await tinyTexts();
  run = await texts.train("run", "v1.0", { ...learns(texts.at("texts")), "max-steps": 20 });
  small = texts.at("small");
  await done("compress", run, "--output", small, "--keep-neurons", "0.25", "--threads", "1", "-q");
  await done("export", small, "--format", "onnx", "--output", `${small}-onnx`, "-q");
});
afterAll(() => rmSync(texts.root, { recursive: true, force: true }));

async function bench(...argv: string[]) {
  const { code, out, err } = await deft("bench", ...argv, ...QUICK);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as {
    readonly newTokens: number;
    readonly texts: { readonly count: number; readonly meanTokens: number };
    readonly rows: readonly Row[];
  };
}

test("a row for each model, precision, phase and batch size", async () => {
  const { rows, newTokens, texts: read } = await bench(run, small, `${small}-onnx`, "--batches", "1,3");
  expect({ newTokens, count: read.count }).toEqual({ newTokens: 5, count: 32 });
  expect(rows.map((row) => [row.run, row.precision, row.phase, row.batch])).toEqual(
    [1, 3].flatMap((batch) =>
      [run, small, `${small}-onnx`].flatMap((of) =>
        ["fp32", "int8"].flatMap((precision) => PHASES.map((phase) => [of, precision, phase, batch])),
      ),
    ),
  );
  for (const row of rows) {
    for (const value of [
      row.tokensPerSecond,
      row.loadMs,
      row.peakRssBytes,
      row.ratioToFirst,
      row.latencyMs.p50,
      row.processorMs,
    ])
      expect(value).toBeGreaterThan(0);
    expect(row.estimate!.macsWithoutZeros).toBeLessThanOrEqual(row.estimate!.macs);
  }
  const [encode, decode, generate] = rows as readonly [Row, Row, Row];
  expect([encode, decode, generate].map(({ ratioToFirst }) => ratioToFirst)).toEqual([1, 1, 1]);
  // each round is one text of five tokens
  const counted = decode.countedRounds;
  expect([decode.tokens, generate.tokens]).toEqual([4 * counted, 5 * counted]);
  expect(counted).toBeGreaterThanOrEqual(4);
  expect(generate.latencyMs.p50).toBeGreaterThan(encode.latencyMs.p50);
  const first = (of: string, phase: string) => rows.find((row) => row.run === of && row.phase === phase)!;
  expect(first(small, "decode").estimate!.macs).toBeLessThan(first(run, "decode").estimate!.macs);
  expect(first(small, "encode").fileBytes).toBeLessThan(first(run, "encode").fileBytes);
  const folder = join(`${small}-onnx`, "onnx");
  const bytes = readdirSync(folder)
    .filter((name) => !name.includes("quantized"))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(first(`${small}-onnx`, "encode").fileBytes).toBe(bytes);
  expect(first(small, "encode").fileBytes).toBe(bytes);
});

test("as people read it", async () => {
  const { code, out } = await deft(
    "bench",
    run,
    "--batches",
    "2",
    "--precision",
    "q4",
    "--rounds",
    "3",
    "--threads",
    "1",
  );
  expect(code).toBe(0);
  expect(out).toMatch(/weights +phase +batch/);
  for (const words of ["reading", "a token", "whole texts", "32 tokens written", "processor ms"])
    expect(out).toContain(words);
  expect(out).toMatch(/^(Other programs took [\d.]+ %|All \d+ rounds were counted)/m);
});

test("Transformers.js as a peer, in float32 and q8", async () => {
  const { rows } = await bench(run, "--batches", "2", "--precision", "fp32", "--peers", "transformers.js");
  expect(rows.map(({ engine, precision, phase }) => [engine, precision, phase])).toEqual(
    [
      ["onnxruntime", "fp32"],
      ["transformers.js", "fp32"],
      ["transformers.js", "int8"],
    ].flatMap((of) => PHASES.map((phase) => [...of, phase])),
  );
});

test("wrong input is told at once", async () => {
  expect(await deft("bench", run, "--new-tokens", "1")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/--new-tokens: expected a whole number ≥ 2/) as string,
  });
  expect(await deft("bench", run, "--precision", "fp32,qdq")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/qdq of t5.*bert, roberta/s) as string,
  });
  const half = texts.at("half");
  mkdirSync(join(half, "onnx"), { recursive: true });
  cpSync(join(`${small}-onnx`, "config.json"), join(half, "config.json"));
  cpSync(join(`${small}-onnx`, "onnx", "encoder_model.onnx"), join(half, "onnx", "encoder_model.onnx"));
  expect(await deft("bench", run, half, "--precision", "fp32")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/half: expected onnx\/encoder_model.onnx with decoder_model_merged.onnx/) as string,
  });
  const encoder = texts.at("encoder");
  await writeTinyModel(encoder, { headLabels: 2 });
  mkdirSync(join(encoder, "onnx"));
  writeFileSync(join(encoder, "onnx", "model.onnx"), "");
  expect(await deft("bench", run, encoder, "--precision", "fp32")).toMatchObject({
    code: 2,
    err: expect.stringMatching(/expected encoder–decoders alone.*encoder, an encoder/) as string,
  });
});

describeWithPython("PyTorch as a peer", (python) => {
  test.each(["run", "small"])("writes as many tokens: %s", async (name) => {
    const before = process.env.DEFT_PYTHON;
    process.env.DEFT_PYTHON = python;
    const { rows } = await bench(texts.at(name), "--batches", "2", "--precision", "fp32", "--peers", "pytorch");
    if (before === undefined) delete process.env.DEFT_PYTHON;
    else process.env.DEFT_PYTHON = before;
    expect(rows.map(({ engine, phase }) => [engine, phase])).toEqual(
      ["onnxruntime", "pytorch"].flatMap((engine) => PHASES.map((phase) => [engine, phase])),
    );
  });
});
