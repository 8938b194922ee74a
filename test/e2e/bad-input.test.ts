// Wrong input, case by case: exit code 2, one screen that says what, where and how to mend it, and nothing written.
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { safetensorsBytes } from "../../src/hub/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinyExamples, writeFiles, writeTinyModel, writeTinySst2, writeTinyStsb } from "../support/tiny-model.ts";

let folder: string;
let parameters: Map<string, Tensor>;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-bad-"));
  parameters = await writeTinyModel(at("good"));
  await writeTinySst2(at("sst2"), { train: 24, dev: 8 });
  await writeTinyStsb(at("stsb"), { train: 8, dev: 8 });
  expect(await train({ output: at("run") })).toMatchObject({ code: 0, err: "" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => rm(at("model"), { recursive: true, force: true }));

const USUAL = { task: "sst2", epochs: 1, "batch-size": 8, "max-steps": 3, threads: 1 };
type Flags = Readonly<Record<string, string | number>>;

function train(flags: Flags, ...more: readonly string[]) {
  const all: Flags = { model: at("good"), data: at("sst2"), output: at("out"), ...USUAL, ...flags };
  return deft("train", ...Object.entries(all).flatMap(([key, value]) => [`--${key}`, String(value)]), ...more, "-q");
}

/** Runs what must be refused; gives the message. */
async function refusal(run: () => Promise<{ code: number; out: string; err: string }>): Promise<string> {
  const before = await filesBelow(folder);
  const { code, out, err } = await run();
  expect({ code, out }, err).toEqual({ code: 2, out: "" });
  expect(err).not.toMatch(/^\s+at .*[:)]/m);
  expect(err).not.toMatch(/internal|undefined|\[object|NaN/);
  const lines = err.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(24);
  // wrapped at 100 columns it must still fit on one screen
  expect(lines.reduce((rows, line) => rows + Math.ceil(Math.max(1, line.length) / 100), 0)).toBeLessThanOrEqual(30);
  expect(await filesBelow(folder)).toEqual(before);
  return err;
}

const csv = (rows: readonly string[]) => `${rows.join("\n")}\n`;
const ownData = (flags: Flags = {}) => ({ task: "text-classification", data: at("data.csv"), ...flags });

describe("paths and names", () => {
  test.each<[string, () => Flags, string[]]>([
    [
      "a model that is not there",
      () => ({ model: at("god") }),
      ["god: expected a model folder", 'did you mean "good"'],
    ],
    [
      "data that is not there",
      () => ({ data: at("sst") }),
      ["sst: expected a data file or folder, got nothing", "sst2?"],
    ],
    ["a wrong task", () => ({ task: "sst" }), ["--task: expected one of cola", "did you mean sst2"]],
    ["another task's folder", () => ({ task: "rte" }), ["train.tsv", "sentence1"]],
    ["a wrong method", () => ({ method: "lorra" }), ["--method", "did you mean lora"]],
    ["a target that no layer has", () => ({ targets: "quer" }), ["targets", "did you mean query"]],
  ])("%s", async (_, flags, messages) => {
    const err = await refusal(() => train(flags()));
    for (const message of messages) expect(err).toContain(message);
  });

  test("an unknown flag", async () => {
    expect(await refusal(() => train({}, "--epoch", "3"))).toContain("Did you mean --epochs?");
  });

  test("flags that contradict each other, all at once", async () => {
    const err = await refusal(() => train({ method: "head", rank: 4, "density-weight": 0, epsilon: 0.1 }));
    expect(err).toContain("--rank: expected --method lora, which alone uses it, got --method head");
    expect(err).toContain("--epsilon: expected --density-weight above 0");
  });

  test("a configuration with several mistakes, each with its place", async () => {
    const lines = ["model: good", "task: sst3", "epochs: many", "lerning-rate: 1", "warmup-ratio: 2"];
    await writeFile(at("config.yaml"), csv(lines));
    const err = await refusal(() => deft("train", at("config.yaml")));
    for (const [line, message] of [
      [2, "did you mean sst2?"],
      [3, 'expected a number, got "many"'],
      [4, "did you mean learning-rate?"],
      [5, "expected a number ≤ 1, got 2"],
    ] as const)
      expect(err).toMatch(new RegExp(`config\\.yaml:${line}:\\d+ \\([\\w-]+\\): .*${message.replace(/[?]/g, "\\?")}`));
    expect(err).toContain("--data: expected a GLUE folder");
    await rm(at("config.yaml"));
  });
});

describe("a teacher", () => {
  test.each<[string, () => Flags, string[]]>([
    ["that is not there", () => ({ teacher: at("runn") }), ["runn: expected a model folder"]],
    [
      "of another task",
      () => ({ teacher: at("run"), task: "stsb", data: at("stsb") }),
      [
        "run: expected a run of --task stsb, got one of sst2",
        "run: expected a regression head, got a classification head",
      ],
    ],
    ["without a head", () => ({ teacher: at("good") }), ["good: expected a model with a classification head"]],
    [
      "for written texts",
      () => ({ teacher: at("run"), task: "seq2seq" }),
      ["--teacher: expected a task of labels or squad"],
    ],
    ["of no share", () => ({ "distillation-weight": 0.3 }), ["--distillation-weight: expected --teacher RUN"]],
    [
      "of too much",
      () => ({ teacher: at("run"), "distillation-weight": 1.5, epochs: 0 }),
      ["--distillation-weight: expected a number ≤ 1, got 1.5", "--epochs: expected a number > 0"],
    ],
  ])("%s", async (_, flags, messages) => {
    const err = await refusal(() => train(flags()));
    for (const message of messages) expect(err).toContain(message);
  });

  test("of other labels", async () => {
    await writeFile(
      at("data.csv"),
      csv(["text,label", ...tinyExamples(30).map(({ text, label }) => `${text},${label + 7}`)]),
    );
    const err = await refusal(() => train(ownData({ teacher: at("run") })));
    expect(err).toContain('expected the labels of the data, ["7","8"], got ["negative","positive"]');
    expect(err).toContain("expected a run of --task text-classification, got one of sst2");
    await rm(at("data.csv"));
  });
});

describe("data", () => {
  test.each<[string, string | Uint8Array, string[], Flags]>([
    [
      "a label outside its range",
      csv(["sentence\tlabel", "good\t1", "bad\t2"]),
      ["train.tsv:3, column label", "2"],
      {},
    ],
    ["no such column", csv(["text\tlabel", "good\t1", "bad\t0"]), ["train.tsv", "sentence"], {}],
    [
      "broken UTF-8",
      Buffer.concat([Buffer.from("sentence\tlabel\ngood\t1\nb"), Uint8Array.of(0xff, 0xfe, 0x0a)]),
      ["train.tsv:3", "UTF-8"],
      {},
    ],
    ["an empty file", "", ["train.tsv", "empty"], {}],
    ["a header and nothing else", "sentence\tlabel\n", ["train.tsv", "expected"], {}],
    ["a file of one line", "good film\t1\n", ["train.tsv", "sentence"], {}],
    ["a row cut short", csv(["sentence\tlabel", "good\t1", "bad"]), ["train.tsv:3"], {}],
  ])("%s", async (_, content, messages, flags) => {
    await writeTinySst2(at("sst2-bad"), { train: 2, dev: 8 });
    await writeFile(at("sst2-bad/train.tsv"), content);
    const err = await refusal(() => train({ data: at("sst2-bad"), ...flags }));
    for (const message of messages) expect(err).toContain(message);
  });

  test.each<[string, string, string[], Flags]>([
    [
      "a column that was asked for",
      csv(["review,label", "good,a", "bad,b"]),
      ["reveiw", "review"],
      { "text-column": "reveiw" },
    ],
    [
      "one class only",
      csv(["text,label", ...Array.from({ length: 30 }, (_, i) => `good ${i},a`)]),
      ["data.csv, column label: expected at least two different labels"],
      {},
    ],
    ["a quote that is never closed", csv(["text,label", '"good,a', "bad,b"]), ["data.csv:2", "quote"], {}],
    ["one example", csv(["text,label", "good,a"]), ["data.csv"], {}],
  ])("%s", async (_, content, messages, flags) => {
    await writeFile(at("data.csv"), content);
    const err = await refusal(() => train(ownData(flags)));
    for (const message of messages) expect(err).toContain(message);
  });

  test("CSV with quotes, commas and line breaks in its cells is right, and trains", async () => {
    const quoted = tinyExamples(40).map(
      ({ text, label }, i) => `"${text},\n""it"" said",${label === 1 ? "a" : "b"}${i % 2 === 0 ? "\r" : ""}`,
    );
    await writeFile(at("data.csv"), csv(["text,label", ...quoted]));
    expect(await train(ownData({ output: at("quoted") }))).toMatchObject({ code: 0, err: "" });
    const { labels } = JSON.parse(await readFile(at("quoted/run.json"), "utf8"));
    expect(labels).toEqual(["a", "b"]);
  });
});

describe("a checkpoint", () => {
  const config = async (change: Readonly<Record<string, unknown>>) => {
    const json = JSON.parse(await readFile(at("model/config.json"), "utf8"));
    await writeFile(at("model/config.json"), JSON.stringify({ ...json, ...change }));
  };
  /** Rewrites the header of model.safetensors. */
  async function relabelled(change: (header: Record<string, { shape: number[]; data_offsets: number[] }>) => void) {
    const bytes = await readFile(at("model/model.safetensors"));
    const length = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    change(header);
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    await writeFile(at("model/model.safetensors"), Buffer.concat([size, text, bytes.subarray(8 + length)]));
  }
  const NAME = "bert.embeddings.word_embeddings.weight";

  test.each<[string, () => Promise<unknown>, string[]]>([
    [
      "cut short",
      async () => {
        const bytes = await readFile(at("model/model.safetensors"));
        await writeFile(at("model/model.safetensors"), bytes.subarray(0, bytes.length - 100));
      },
      ["model.safetensors", "truncated", "fetch it again"],
    ],
    [
      "with a header that lies about offsets",
      () =>
        relabelled((header) => {
          header[NAME]!.data_offsets = [8, 16];
        }),
      ["model.safetensors", NAME],
    ],
    [
      "with a header that lies about sizes",
      () =>
        relabelled((header) => {
          header[NAME]!.shape[0]! += 1;
        }),
      ["model.safetensors", NAME, "bytes"],
    ],
    [
      "with a header of impossible length",
      async () => {
        const bytes = await readFile(at("model/model.safetensors"));
        bytes.writeBigUInt64LE(2n ** 60n, 0);
        await writeFile(at("model/model.safetensors"), bytes);
      },
      ["model.safetensors", "header length"],
    ],
    [
      "with a shard missing",
      async () => {
        const names = [...parameters.keys()];
        const half = new Map([...parameters].slice(0, 4));
        await writeFile(at("model/model-00001-of-00002.safetensors"), safetensorsBytes(half));
        const weight_map = Object.fromEntries(
          names.map((name, i) => [name, `model-0000${i < 4 ? 1 : 2}-of-00002.safetensors`]),
        );
        await writeFile(at("model/model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map }));
        await rm(at("model/model.safetensors"));
      },
      ["model-00002-of-00002.safetensors"],
    ],
    ["of another architecture", () => config({ model_type: "gpt2" }), ["config.json", '"gpt2"', "bert, roberta"]],
    ["without weights", () => rm(at("model/model.safetensors")), ["model", "model.safetensors"]],
    ["without config.json", () => rm(at("model/config.json")), ["config.json"]],
    [
      "with a config.json that is no JSON",
      () => writeFile(at("model/config.json"), '{"model_type": "bert",'),
      ["config.json"],
    ],
    [
      "with another size in its config",
      () => config({ hidden_size: 32, intermediate_size: 64 }),
      ["word_embeddings.weight: expected float32[", "config.json and the weights do not belong together"],
    ],
    ["with more layers in its config", () => config({ num_hidden_layers: 3 }), ["bert.encoder.layer.2", "got nothing"]],
    [
      "without a tokenizer",
      () => rm(at("model/vocab.txt")),
      ["expected a tokenizer (tokenizer.json, or vocab.txt", "Copy the tokenizer's files"],
    ],
    [
      "with a tokenizer of more words than the model has",
      async () => {
        const vocab = await readFile(at("model/vocab.txt"), "utf8");
        await writeFile(
          at("model/vocab.txt"),
          `${vocab}${Array.from({ length: 30 }, (_, i) => `more${i}\n`).join("")}`,
        );
      },
      ["vocab_size: expected at least"],
    ],
  ])("%s", async (_, damage, messages) => {
    await writeTinyModel(at("model"));
    await damage();
    const err = await refusal(() => train({ model: at("model") }));
    for (const message of messages) expect(err).toContain(message);
  });

  test("with a head for other classes is used, with a new head, and says so", async () => {
    await writeTinyModel(at("model"), { headLabels: 5 });
    const { code, err } = await deft(
      "train",
      "--model",
      at("model"),
      "--data",
      at("sst2"),
      "--task",
      "sst2",
      "--max-steps",
      "2",
      "--threads",
      "1",
    );
    expect(code).toBe(0);
    expect(err).toMatch(/classifier.*from scratch/);
  });
});

describe("--output", () => {
  test("that is a file, holds another run, or lies below a file", async () => {
    await writeFile(at("file"), "x");
    expect(await refusal(() => train({ output: at("file") }))).toContain("--output: expected a folder, got a file");
    expect(await refusal(() => train({ output: at("file/run") }))).toMatch(/file\/run.*file where a folder is needed/);
    const err = await refusal(() => train({ output: at("run") }));
    expect(err).toMatch(/--output: expected a folder without a run, got the run in .*\nAdd --resume/);
  });

  test("that holds a run without its record", async () => {
    await train({ output: at("headless") });
    await rename(at("headless/run.json"), at("headless/run.json.old"));
    expect(await refusal(() => train({ output: at("headless") }))).toContain("Its run.json is missing");
  });

  test.skipIf(process.getuid?.() === 0)("that may not be written", async () => {
    await mkdir(at("locked"));
    await chmod(at("locked"), 0o500);
    expect(await refusal(() => train({ output: at("locked/run") }))).toContain("no permission");
  });

  test("on a file system that is not one's own", async () => {
    expect(await refusal(() => train({ output: "/proc/deft-run" }))).toMatch(/\/proc\/deft-run.*cannot write/);
  });

  test("to resume that holds none", async () => {
    const err = await refusal(() => deft("train", "--output", at("nowhere"), "--resume"));
    expect(err).toContain("--resume: expected --output to hold a run");
  });
});

describe("an adapter", () => {
  const evaluate = (model: string, adapter: string) =>
    deft("eval", "--model", model, "--adapter", adapter, "--task", "sst2", "--data", at("sst2"), "--threads", "1");

  test("for another base of the same shape", async () => {
    await writeTinyModel(at("model"), { seed: 2 });
    const err = await refusal(() => evaluate(at("model"), at("run/adapter")));
    expect(err).toMatch(/run\/adapter: does not fit \(1 problem\)\n {2}base model: expected .*good .*, got .*model/);
    expect(err).toContain("Give the base model");
  });

  test("for a base of another shape, with and without our sidecar", async () => {
    await writeTinyModel(at("model"), { hiddenSize: 32, numLayers: 1 });
    const own = await refusal(() => evaluate(at("model"), at("run/adapter")));
    expect(own).toMatch(/base model: expected .*good/);
    expect(own).toMatch(/lora_A\.weight: expected float32\[8, 32\], got float32\[8, 16\]/);
    await writeFiles(at("foreign"), {
      "adapter_config.json": await readFile(at("run/adapter/adapter_config.json")),
      "adapter_model.safetensors": await readFile(at("run/adapter/adapter_model.safetensors")),
    });
    const err = await refusal(() => evaluate(at("model"), at("foreign")));
    expect(err).toMatch(/lora_A\.weight: expected float32\[8, 32\], got float32\[8, 16\]/);
    expect(err).toContain("a tensor the model has no place for");
  });

  test("that is not there, or is no adapter", async () => {
    expect(await refusal(() => evaluate(at("good"), at("adaptor")))).toContain("adaptor");
    expect(await refusal(() => evaluate(at("good"), at("sst2")))).toContain("sst2");
  });
});

describe("other commands", () => {
  test.each<[string, () => string[], string[]]>([
    ["eval of no run", () => ["eval", at("good")], ["expected a run's folder, got one without run.json"]],
    ["eval on another task", () => ["eval", at("run"), "--task", "stsb", "--data", at("stsb")], ["--task"]],
    ["predict with a broken line", () => ["predict", at("run"), "--input", at("broken.jsonl")], ["broken.jsonl:2"]],
    ["predict in broken UTF-8", () => ["predict", at("run"), "--input", at("latin.jsonl")], ["latin.jsonl:1", "UTF-8"]],
    ["predict with no input file", () => ["predict", at("run"), "--input", at("nothing.jsonl")], ["nothing.jsonl"]],
    ["profile without data", () => ["profile", at("good")], ["--task: expected", "--data: expected"]],
    ["report of no run", () => ["report", at("sst2")], ["expected a run's folder"]],
    [
      "compare with nothing to compare",
      () => ["compare", "--model", at("good"), "--task", "sst2", "--data", at("sst2"), "--density-weight", "0"],
      ["--density-weight"],
    ],
  ])("%s", async (_, argv, messages) => {
    await writeFile(at("broken.jsonl"), '{"text": "fine"}\n{"text": fine}\n');
    await writeFile(at("latin.jsonl"), Buffer.from('{"text": "caf\xe9"}\n', "latin1"));
    const err = await refusal(async () => ({ ...(await deft(...argv())), out: "" }));
    for (const message of messages) expect(err).toContain(message);
  });
});

test("a loss that is not finite stops with step, batch and last good checkpoint", async () => {
  const flags = { method: "full", "learning-rate": 1e30, "warmup-ratio": 0, "max-steps": 20, "eval-steps": 1 };
  const { code, err } = await train({ ...flags, output: at("exploded") });
  expect(code).toBe(2);
  expect(err).toMatch(/^step \d+: expected (a )?finite .* at epoch 1, batch \d+ \(lines [\d, ]+\); /);
  expect(err).toMatch(/(the last good checkpoint is .*step-\d+|no checkpoint was saved before it)/);
  expect(err).toContain("Lower --learning-rate");
  expect(err).not.toMatch(/^\s+at /m);
});
