// A T5's exported folder, loaded and run by Transformers.js itself in Node: the same texts, the same numbers.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoModelForSeq2SeqLM, AutoTokenizer, env, pipeline } from "@huggingface/transformers";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isTexts } from "../../src/data/index.ts";
import { Graph } from "../../src/graph/index.ts";
import { openCompressData } from "../../src/jobs/compress/data.ts";
import { exportOnnx } from "../../src/jobs/export/export-onnx.ts";
import { openMergedModel } from "../../src/load/merged-model.ts";
import { encode, languageModelLogits } from "../../src/models/index.ts";
import { Scope } from "../../src/nn/index.ts";
import { nodeEnvironment } from "../../src/node.ts";
import type { Compression } from "../../src/runs/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { textMetrics } from "../../src/tasks/index.ts";
import { int64, randomStream, type Tensor } from "../../src/tensor/index.ts";
import { deft } from "../support/command.ts";
import { done, learns, type TinyTexts, tinyTexts } from "./t5-support.ts";
import { openTiny, PROMPTS, paddedInputs, TINY_T5S, type TinyT5, writeVariedT5 } from "./tiny-t5s.ts";
import { written } from "./transformers-js.ts";

const onnxSuffix = { q8: "quantized", q4: "q4" } as const;
const NEW_TOKENS = 14;
const END = 1;
env.allowRemoteModels = false;

const root = mkdtempSync(join(tmpdir(), "deft-t5-onnx-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Seq2Seq {
  generate(options: object): Promise<{ tolist(): bigint[][] }>;
  dispose(): Promise<unknown>;
}

async function open(name: string, dtype: string): Promise<Seq2Seq> {
  env.localModelPath = `${root}/`;
  return (await AutoModelForSeq2SeqLM.from_pretrained(name, { dtype } as object)) as unknown as Seq2Seq;
}

/** What Transformers.js writes for each text, in batches of `size`, up to the token that ends it. */
async function transformersJs(name: string, dtype: string, texts: readonly string[], size: number) {
  const model = await open(name, dtype);
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const written: number[][] = [];
  for (let at = 0; at < texts.length; at += size) {
    const inputs = tokenizer(texts.slice(at, at + size), { padding: true, truncation: true }) as object;
    const sequences = await model.generate({ ...inputs, max_new_tokens: NEW_TOKENS });
    for (const [, ...ids] of sequences.tolist()) written.push(untilEnd(ids.map(Number)));
  }
  await model.dispose();
  return written;
}

/** Transformers.js goes on behind the end of a text while others of its batch are written. */
function untilEnd(ids: readonly number[]): number[] {
  const end = ids.indexOf(END);
  return end < 0 ? [...ids] : ids.slice(0, end + 1);
}

const session = (name: string, file: string) =>
  InferenceSession.create(join(root, name, "onnx", file), { intraOpNumThreads: 1 });
const feed = ({ data, shape }: Tensor) => new OrtTensor("int64", data as BigInt64Array, shape);
const largest = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

/** Our encoder's states and our decoder's logits over `labels`. */
async function ours(folder: string, inputs: ReturnType<typeof paddedInputs>, labels: Tensor) {
  const { model, weights } = await openTiny(folder);
  const graph = new Graph();
  const scope = Scope.root(graph, { frozen: true });
  const input = (name: string, length: string) => graph.input(name, "int64", ["B", length]);
  const text = { tokenIds: input("tokenIds", "S"), attentionMask: input("attentionMask", "S") };
  const encoded = encode(model, scope, text);
  const outputs = { states: encoded.states, logits: languageModelLogits(model, scope, encoded, input("labels", "T")) };
  const program = await nodeBackend({ threads: 1 }).compile(outputs, { weights });
  const { states, logits } = await program.run({ ...inputs, labels });
  await program.dispose();
  return { states: states!.data as Float32Array, logits: logits! };
}

/** The exported decoder over `tokens` `[B, T]`, cut into calls of these lengths; logits of all calls. */
async function decoded(
  name: string,
  file: string,
  states: OrtTensor,
  mask: Tensor,
  tokens: Tensor,
  lengths: readonly number[],
) {
  const decoder = await session(name, file);
  const [batch, width] = tokens.shape as readonly [number, number];
  const fresh = decoder.inputMetadata.flatMap((meta) => {
    if (!meta.isTensor || !meta.name.startsWith("past_key_values.")) return [];
    const shape = meta.shape.map((dim) => (dim === "batch_size" ? batch : typeof dim === "number" ? dim : 0));
    return [[meta.name, new OrtTensor("float32", new Float32Array(), shape)] as const];
  });
  let past: Record<string, OrtTensor> = Object.fromEntries(fresh);
  const logits: number[][] = Array.from({ length: batch }, () => []);
  let at = 0;
  for (const length of lengths) {
    const rows = Array.from({ length: batch }, (_, row) =>
      (tokens.data as BigInt64Array).subarray(row * width + at, row * width + at + length),
    );
    const input_ids = feed(
      int64(
        [batch, length],
        rows.flatMap((row) => Array.from(row, Number)),
      ),
    );
    const results = await decoder.run({
      input_ids,
      encoder_attention_mask: feed(mask),
      encoder_hidden_states: states,
      ...past,
    });
    past = Object.fromEntries(
      Object.keys(past).map((key) => [key, results[key.replace("past_key_values", "present")] as OrtTensor]),
    );
    const data = results.logits!.data as Float32Array;
    const each = data.length / batch;
    for (const [row, kept] of logits.entries()) kept.push(...data.subarray(row * each, (row + 1) * each));
    at += length;
  }
  await decoder.release();
  return { logits: logits.flat(), past };
}

/** Random labels, and what the decoder reads for them: the start token and all but the last. */
function randomLabels(batch: number, length: number): { readonly labels: Tensor; readonly tokens: Tensor } {
  const random = randomStream(3, "labels");
  const rows = Array.from({ length: batch }, () => Array.from({ length }, () => 3 + random.integer(20)));
  return {
    labels: int64([batch, length], rows.flat()),
    tokens: int64(
      [batch, length],
      rows.flatMap((row) => [0, ...row.slice(0, -1)]),
    ),
  };
}

describe.each(Object.keys(TINY_T5S) as TinyT5[])("%s", (kind) => {
  const name = kind.replace(" ", "-");
  const folder = join(root, `${name}-model`);
  beforeAll(async () => {
    await writeVariedT5(folder, kind);
    const target = { kind: "model", model: folder, adapter: null } as const;
    await exportOnnx(nodeEnvironment(), target, { output: join(root, name), precisions: ["fp32", "int8", "q4"] });
  });

  test("writes what we write, alone and in padded batches", async () => {
    const wanted = await (await openTiny(folder)).generated(PROMPTS, NEW_TOKENS);
    expect(new Set(wanted.map(String)).size).toBeGreaterThan(20);
    expect(wanted.some((ids) => ids.at(-1) === END)).toBe(true);
    expect(await transformersJs(name, "fp32", PROMPTS, 1)).toEqual(wanted);
    expect(await transformersJs(name, "fp32", PROMPTS, 16)).toEqual(wanted);
  });

  test("gives our states and logits, at once, token by token and in pieces", async () => {
    const inputs = paddedInputs((await openTiny(folder)).ids(PROMPTS.slice(0, 5)));
    const { labels, tokens } = randomLabels(5, 6);
    const { states, logits } = await ours(folder, inputs, labels);
    const encoder = await session(name, "encoder_model.onnx");
    const feeds = { input_ids: feed(inputs.tokenIds), attention_mask: feed(inputs.attentionMask) };
    const { last_hidden_state: made } = await encoder.run(feeds);
    expect(largest(made!.data as Float32Array, states)).toBeLessThan(1e-4);
    for (const lengths of [[6], [1, 1, 1, 1, 1, 1], [2, 3, 1]]) {
      const got = await decoded(
        name,
        "decoder_model_merged.onnx",
        made as OrtTensor,
        inputs.attentionMask,
        tokens,
        lengths,
      );
      expect(largest(got.logits, logits.data as Float32Array)).toBeLessThan(1e-4);
      const [, , readLength] = got.past["past_key_values.0.encoder.key"]!.dims;
      expect([readLength, got.past["past_key_values.0.decoder.key"]!.dims[2]]).toEqual([inputs.tokenIds.shape[1], 6]);
    }
    await encoder.release();
  });

  test("the graphs are named as Optimum's", async () => {
    const layers = (await openTiny(folder)).model.config.numDecoderLayers;
    const encoder = await session(name, "encoder_model.onnx");
    expect([encoder.inputNames, encoder.outputNames]).toEqual([["input_ids", "attention_mask"], ["last_hidden_state"]]);
    const decoder = await session(name, "decoder_model_merged.onnx");
    const cached = (prefix: string) =>
      Array.from({ length: layers }, (_, i) =>
        ["decoder", "encoder"].flatMap((of) => ["key", "value"].map((part) => `${prefix}.${i}.${of}.${part}`)),
      ).flat();
    expect(decoder.inputNames).toEqual([
      "encoder_attention_mask",
      "input_ids",
      "encoder_hidden_states",
      ...cached("past_key_values"),
    ]);
    expect(decoder.outputNames).toEqual(["logits", ...cached("present")]);
    const shapes = new Map(decoder.inputMetadata.map((meta) => [meta.name, meta.isTensor ? meta.shape : []]));
    expect(shapes.get("past_key_values.0.decoder.key")).toEqual(["batch_size", 2, "past_decoder_sequence_length", 8]);
    expect(shapes.get("past_key_values.0.encoder.value")).toEqual(["batch_size", 2, "encoder_sequence_length_out", 8]);
    await encoder.release();
    await decoder.release();
  });
});

describe.each(["v1.0", "v1.1"] as const)("%s in few bits", (kind) => {
  const name = `wide-${kind}`;
  const folder = join(root, `${name}-model`);
  const sizes = { d_model: 64, d_kv: 16, num_heads: 4, d_ff: 128, vocab_size: 4000 };
  beforeAll(async () => {
    const sizeOf = (weight: string) => (/shared/.test(weight) ? 1 : /relative/.test(weight) ? 0.3 : 0.12);
    await writeVariedT5(folder, kind, { config: sizes, sizeOf });
    const options = { output: join(root, name), precisions: ["fp32", "int8", "q4"] as const };
    await exportOnnx(nodeEnvironment(), { kind: "model", model: folder, adapter: null }, options);
  });

  test.each([
    ["_quantized", 0.1],
    ["_q4", 0.4],
  ] as const)("%s: logits are near float32's", async (suffix, limit) => {
    const inputs = paddedInputs((await openTiny(folder)).ids(PROMPTS.slice(0, 6)));
    const { labels, tokens } = randomLabels(6, 8);
    const { states, logits } = await ours(folder, inputs, labels);
    const encoder = await session(name, `encoder_model${suffix}.onnx`);
    const feeds = { input_ids: feed(inputs.tokenIds), attention_mask: feed(inputs.attentionMask) };
    const { last_hidden_state: made } = await encoder.run(feeds);
    await encoder.release();
    const file = `decoder_model_merged${suffix}.onnx`;
    const lengths = [1, 1, 1, 1, 4];
    const got = await decoded(name, file, made as OrtTensor, inputs.attentionMask, tokens, lengths);
    expect(distance(attended(made!.data as Float32Array, inputs), attended(states, inputs))).toBeLessThan(limit);
    const error = distance(got.logits, logits.data as Float32Array);
    expect(error).toBeLessThan(limit);
    // the numbers really are rounded
    expect(error).toBeGreaterThan(1e-4);
  });

  test.each(["q8", "q4"])("%s writes nearly what float32 writes", async (dtype) => {
    const texts = PROMPTS.slice(0, 64);
    const [whole, few] = [await transformersJs(name, "fp32", texts, 16), await transformersJs(name, dtype, texts, 16)];
    expect(new Set(whole.map(String)).size).toBeGreaterThan(10);
    const agreeing = whole.filter(([first], i) => few[i]![0] === first).length;
    // random numbers leave no margin between tokens; by chance one text in four thousand would agree
    expect(agreeing / texts.length).toBeGreaterThanOrEqual(dtype === "q8" ? 0.6 : 0.2);
  });

  test("a table that is the head too is stored once", () => {
    const size = (file: string) => statSync(join(root, name, "onnx", file)).size;
    const table = sizes.vocab_size * sizes.d_model;
    const [whole, bytes] = ["", "_quantized"].map((suffix) => size(`decoder_model_merged${suffix}.onnx`));
    const others = (whole! - 4 * table * (kind === "v1.0" ? 1 : 2)) / 4;
    const stored = bytes! - others;
    expect(Math.round(stored / table)).toBe(kind === "v1.0" ? 1 : 2);
  });
});

/** Root mean square of the difference, over that of what it should be. */
function distance(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(got.length).toBe(wanted.length);
  const square = (of: (i: number) => number) => Array.from(wanted, (_, i) => of(i) ** 2).reduce((a, b) => a + b, 0);
  return Math.sqrt(square((i) => got[i]! - wanted[i]!) / square((i) => wanted[i]!));
}

/** States `[B, S, D]` of attended tokens; what padding holds reaches nobody. */
function attended(states: Float32Array, { attentionMask: { data } }: ReturnType<typeof paddedInputs>): number[] {
  const width = states.length / data.length;
  return Array.from(states).filter((_, i) => Number(data[Math.floor(i / width)]) === 1);
}

describe("the folder", () => {
  const folder = join(root, "folder-model");
  beforeAll(() => writeVariedT5(folder, "v1.1"));
  const json = (name: string, file: string) =>
    JSON.parse(readFileSync(join(root, name, file), "utf8")) as Record<string, unknown>;
  const exported = (name: string, options: Partial<Parameters<typeof exportOnnx>[2]> = {}) =>
    exportOnnx(
      nodeEnvironment(),
      { kind: "model", model: folder, adapter: null },
      { output: join(root, name), ...options },
    );

  test("holds what Transformers.js looks for; its pipeline writes texts", async () => {
    const { files, loads } = await exported("whole");
    expect(loads).toMatch(/pipeline\("text2text-generation", "whole", \{ dtype: "q8" \}\)/);
    expect(files.map(({ precision, path }) => [precision, path])).toEqual([
      ["fp32", "onnx/encoder_model.onnx"],
      ["fp32", "onnx/decoder_model_merged.onnx"],
      ["int8", "onnx/encoder_model_quantized.onnx"],
      ["int8", "onnx/decoder_model_merged_quantized.onnx"],
    ]);
    for (const { path, sizeBytes } of files) expect(statSync(join(root, "whole", path)).size).toBe(sizeBytes);
    expect(json("whole", "config.json")).toMatchObject({
      model_type: "t5",
      is_encoder_decoder: true,
      num_decoder_layers: 2,
      d_kv: 8,
    });
    expect(json("whole", "generation_config.json")).toEqual({
      decoder_start_token_id: 0,
      pad_token_id: 0,
      eos_token_id: 1,
    });
    expect(json("whole", "tokenizer_config.json")).toMatchObject({
      tokenizer_class: "T5Tokenizer",
      pad_token: "<pad>",
    });
    env.localModelPath = `${root}/`;
    const writer = await pipeline("text2text-generation", "whole", { dtype: "fp32" });
    const texts = (await writer(PROMPTS.slice(0, 3), { max_new_tokens: 5 } as object)) as { generated_text: string }[];
    await writer.dispose();
    expect(texts.map(({ generated_text: text }) => text).join("")).toMatch(/\w{3,}/);
  });

  test("keeps its own generation_config.json", async () => {
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ decoder_start_token_id: 0, num_beams: 4 }));
    await exported("own-generation", { precisions: ["q4"] });
    rmSync(join(folder, "generation_config.json"));
    expect(json("own-generation", "generation_config.json")).toEqual({ decoder_start_token_id: 0, num_beams: 4 });
  });

  test("weights over the limit lie beside the model, in several files where one would be too large", async () => {
    const { files } = await exported("beside", { precisions: ["fp32", "int8"], inlineLimit: 0, dataLimit: 10_000 });
    const names = readdirSync(join(root, "beside", "onnx"));
    expect(names).toEqual(expect.arrayContaining(["encoder_model.onnx_data", "decoder_model_merged.onnx_data_1"]));
    const { use_external_data_format: counts } = json("beside", "config.json")["transformers.js_config"] as {
      readonly use_external_data_format: Readonly<Record<string, number>>;
    };
    for (const { path, sizeBytes } of files) {
      const parts = names.filter((file) => file.startsWith(`${path.slice("onnx/".length)}_data`));
      expect(counts[path.slice("onnx/".length)]).toBe(parts.length);
      const sizes = [path.slice("onnx/".length), ...parts].map(
        (file) => statSync(join(root, "beside", "onnx", file)).size,
      );
      expect(sizes.reduce((a, b) => a + b)).toBe(sizeBytes);
      for (const size of sizes.slice(1)) expect(size).toBeLessThanOrEqual(10_000);
    }
    const texts = PROMPTS.slice(0, 8);
    expect(await transformersJs("beside", "fp32", texts, 4)).toEqual(
      await (await openTiny(folder)).generated(texts, NEW_TOKENS),
    );
    await exported("inside", { precisions: ["int8"] });
    expect(await transformersJs("beside", "q8", texts, 4)).toEqual(await transformersJs("inside", "q8", texts, 4));
  });

  test("deft export writes it, and says what is wrong", async () => {
    const output = join(root, "command");
    const argv = ["export", "--model", folder, "--format", "onnx", "--output", output];
    const { code, out, err } = await deft(...argv, "--precision", "q4");
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/decoder_model_merged_q4\.onnx +q4/) as string,
    });
    expect(err).toMatch(/text2text-generation/);
    expect(await deft(...argv)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/--output: expected a new folder/),
    });
    const fixed = await deft(
      "export",
      "--model",
      folder,
      "--format",
      "onnx",
      "--precision",
      "fp32,qdq",
      "--output",
      `${output}2`,
    );
    expect(fixed).toMatchObject({ code: 2, err: expect.stringMatching(/qdq of t5.*bert, roberta/s) as string });
    const pruned = join(root, "adapter-run");
    expect(await deft("export", pruned, "--format", "onnx", "--output", `${output}2`)).toMatchObject({ code: 2 });
    expect(existsSync(`${output}2`)).toBe(false);
  });
});

describe("runs", () => {
  let texts: TinyTexts;
  beforeAll(async () => {
    texts = await tinyTexts();
    const run = await texts.train("run", "v1.1", learns(texts.at("texts")));
    await done(
      "compress",
      run,
      "--output",
      texts.at("small"),
      "--keep-neurons",
      "0.75",
      "--skip",
      "decoder.0",
      "--threads",
      "1",
      "-q",
    );
    await texts.train("lora", "v1.0", {
      task: "squad",
      data: texts.at("squad"),
      method: "lora",
      targets: "all-linear",
      "learning-rate": 0.01,
      "max-steps": 20,
    });
    for (const name of ["run", "small", "lora"])
      await done("export", texts.at(name), "--format", "onnx", "--output", texts.at(`${name}-onnx`), "-q");
  });
  afterAll(() => rmSync(texts.root, { recursive: true, force: true }));

  const pipelineTexts = (name: string, dtype: "fp32" | "q8", given: readonly string[]) =>
    written(texts.at(name), dtype, given, 4);

  test.each(["run", "small"])("%s: the pipeline writes what deft predict writes, prefix included", async (name) => {
    const file = texts.at("inputs.jsonl");
    writeFileSync(file, PROMPTS.map((text) => JSON.stringify({ text })).join("\n"));
    const lines = (await done("predict", texts.at(name), "--input", file)).trim().split("\n");
    const ours = lines.map((line) => (JSON.parse(line) as { text: string }).text);
    expect(new Set(ours).size).toBeGreaterThan(5);
    expect(await pipelineTexts(`${name}-onnx`, "fp32", PROMPTS)).toEqual(ours);
    const rounded = await pipelineTexts(`${name}-onnx`, "q8", PROMPTS);
    expect(rounded.filter((text, i) => text === ours[i]).length / ours.length).toBeGreaterThanOrEqual(0.9);
  });

  test.each([
    ["int8", "q8"],
    ["q4", "q4"],
  ] as const)("--quantize %s states the score that Transformers.js reaches with %s", async (precision, dtype) => {
    const output = texts.at(`rounded-${precision}`);
    const flags = ["--keep-neurons", "0.75", "--quantize", precision, "--threads", "1", "--json"];
    const result = JSON.parse(await done("compress", texts.at("run"), ...flags, "--output", output)) as Compression;
    await done("export", output, "--format", "onnx", "--output", `${output}-onnx`, "-q");
    expect(
      readdirSync(join(`${output}-onnx`, "onnx")).some((name) => name.endsWith(`_${onnxSuffix[dtype]}.onnx`)),
    ).toBe(true);
    const environment = nodeEnvironment();
    const frozen = await openMergedModel(environment, { kind: "run", folder: texts.at("run") }, {});
    const { heldOut: stated } = await openCompressData(environment, frozen, 32);
    if (!isTexts(stated)) throw new Error("no texts");
    const lines = readFileSync(texts.at("texts", "dev.jsonl"), "utf8").split("\n");
    // a stated example's line, counted from 1
    const inputs = Array.from(stated.lines, (line) => (JSON.parse(lines[line - 1]!) as { source: string }).source);
    const said = await written(`${output}-onnx`, dtype, inputs, 4);
    const { rougeL } = textMetrics(said.map((text, i) => [text.trim(), stated.targetTexts[i]!] as const));
    expect(result.stated.examples).toBe(said.length);
    // ranges are of a whole batch, and batches differ
    expect(Math.abs(result.quantized!.rougeL! - rougeL)).toBeLessThan(0.05);
    expect(result.quantized!.rougeL).toBeGreaterThan(result.after.metrics.rougeL! - 0.2);
  });

  test("a compression's plan travels along, with the sizes that it left", () => {
    const json = (file: string) =>
      JSON.parse(readFileSync(texts.at("small-onnx", file), "utf8")) as Record<string, unknown>;
    expect(json("plan.json")).toMatchObject({ schema: 1 });
    expect(json("config.json")).toMatchObject({ mlp_sizes: [24, 24, 0, 24], mlp_bias: true, prefix: "say: " });
  });

  test("a LoRA is merged; questions have no prefix", async () => {
    const config = JSON.parse(readFileSync(texts.at("lora-onnx", "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).not.toHaveProperty("prefix");
    const asked = (await pipelineTexts("lora-onnx", "fp32", ["question: what is it context: a funny film"]))[0];
    const { text } = JSON.parse(
      await done(
        "predict",
        texts.at("lora"),
        "--question",
        "what is it",
        "--context",
        "a funny film",
        "--max-new-tokens",
        "4",
      ),
    ) as { text: string };
    expect(asked).toBe(text);
  });
});
