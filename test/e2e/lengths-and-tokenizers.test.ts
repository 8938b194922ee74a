// What is cut is said, and the flag that is named keeps it whole; an export has the tokenizer and the length of its run.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoTokenizer, env } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTokenizer } from "../../src/data/index.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { loadModel, loadRun } from "../../src/node.ts";
import { python } from "../hub/python.ts";
import { deft } from "../support/command.ts";
import { describeWithPython } from "../support/python.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

const SHORT = "a dull plot";
const LONG = "the film is lovely and funny ".repeat(8).trim();
/** More tokens than the model has positions. */
const ENDLESS = "the film is dull ".repeat(30).trim();
const POSITIONS = 66;
const LENGTH = 16;

let root: string;
const at = (name: string) => join(root, name);

const logitsOf = ({ out }: { readonly out: string }) =>
  out
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { logits: number[] }).logits);

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "deft-lengths-"));
  await writeTinyModel(at("model"), { headLabels: 2, positions: POSITIONS });
  await writeTinySst2(at("data"));
  const lines = (...texts: string[]) => texts.map((text) => `${JSON.stringify({ text })}\n`).join("");
  const sst2 = ["sentence\tlabel", `${SHORT}\t0`, `${LONG}\t1`, ""].join("\n");
  await writeFiles(root, {
    "long.jsonl": lines(SHORT, LONG),
    "endless.jsonl": lines(ENDLESS),
    "long/dev.tsv": sst2,
    "long/train.tsv": sst2,
  });
  const run = ["--task", "sst2", "--data", at("data"), "--max-steps", "2", "--batch-size", "8", "--threads", "1"];
  const { code, err } = await deft(
    "train",
    "--model",
    at("model"),
    ...run,
    "--max-length",
    `${LENGTH}`,
    "--output",
    at("run"),
  );
  expect([code, err]).toEqual([0, expect.any(String)]);
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("a model without a run", () => {
  const predict = (...more: string[]) => deft("predict", "--model", at("model"), "--input", at("long.jsonl"), ...more);

  test("is read up to its positions, without a word", async () => {
    const whole = await predict();
    expect(whole).toMatchObject({ code: 0, err: "" });
    const asked = await predict("--max-length", String(POSITIONS));
    expect(logitsOf(whole)).toEqual(logitsOf(asked));
    expect(logitsOf(whole)).not.toEqual(logitsOf(await predict("--max-length", "12")));
  });

  test("names what would keep cut texts whole, and that keeps them whole", async () => {
    const cut = await predict("--max-length", "12");
    const [, flag] = /^1 of 2 texts is longer than 12 tokens and was cut; (--max-length \d+) keeps all whole\n$/.exec(
      cut.err,
    )!;
    const whole = await predict(...flag!.split(" "));
    expect(whole.err).toBe("");
    expect(logitsOf(whole)).toEqual(logitsOf(await predict()));
  });

  test("says when the model itself reads no more", async () => {
    const { err } = await deft("predict", "--model", at("model"), "--input", at("endless.jsonl"));
    expect(err).toBe(`1 of 1 texts is longer than ${POSITIONS} tokens and was cut; the model reads no more\n`);
    const less = await deft("predict", "--model", at("model"), "--input", at("endless.jsonl"), "--max-length", "20");
    expect(less.err).toContain(`--max-length ${POSITIONS}, the most that the model reads, keeps more of them`);
  });

  test("is evaluated and profiled so too; standard output stays JSON", async () => {
    for (const command of ["eval", "profile"]) {
      const target = ["--model", at("model"), "--task", "sst2", "--data", at("long"), "--json"];
      const whole = await deft(command, ...target);
      expect(whole).toMatchObject({ code: 0, err: expect.not.stringContaining("cut") });
      const cut = await deft(command, ...target, "--max-length", "12");
      expect(cut.err).toContain("1 of 2 texts is longer than 12 tokens and was cut");
      expect(() => JSON.parse(cut.out) as unknown).not.toThrow();
    }
  });

  test("tells the library", async () => {
    const model = await loadModel(at("model"));
    const heard: string[] = [];
    const onWarning = ({ code, message }: { code: string; message: string }) => heard.push(`${code}: ${message}`);
    await model.predict([SHORT, ENDLESS], { onWarning });
    await model.predict([SHORT], { onWarning });
    await model.dispose();
    expect(heard).toEqual([expect.stringMatching(/^truncated: 1 of 2 texts is longer than 66 tokens/)]);
  });
});

describe("a run", () => {
  test("keeps its length, and says what it cut", async () => {
    const run = await deft("predict", at("run"), "--input", at("long.jsonl"));
    expect(run.err).toMatch(/^1 of 2 texts is longer than 16 tokens and was cut; --max-length \d+ keeps all whole\n$/);
    expect(logitsOf(run)).toHaveLength(2);
    const evaluated = await deft("eval", at("run"), "--data", at("long"), "--json");
    expect(evaluated.err).toContain("1 of 2 texts is longer than 16 tokens and was cut");
    const tuned = await loadRun(at("run"));
    const heard: string[] = [];
    await tuned.evaluate({ data: { task: "sst2", path: at("long") }, onWarning: ({ code }) => heard.push(code) });
    await tuned.dispose();
    expect(heard).toEqual(["truncated"]);
  });

  test("gives its length to its exports: they answer as it does, and the flag that they name keeps texts whole", async () => {
    await deft("export", at("run"), "--format", "merged", "--output", at("merged"));
    await deft("export", at("run"), "--format", "onnx", "--precision", "fp32", "--output", at("onnx"));
    for (const name of ["merged", "onnx"]) {
      const config = JSON.parse(await readFile(at(`${name}/tokenizer_config.json`), "utf8")) as object;
      expect(config).toMatchObject({ model_max_length: LENGTH });
    }
    const [run, merged] = await Promise.all([
      deft("predict", at("run"), "--input", at("long.jsonl")),
      deft("predict", "--model", at("merged"), "--input", at("long.jsonl")),
    ]);
    logitsOf(merged).forEach((row, i) => {
      row.forEach((logit, c) => {
        expect(logit).toBeCloseTo(logitsOf(run)[i]![c]!, 5);
      });
    });
    const [, flag] = /(--max-length \d+) keeps all whole/.exec(merged.err)!;
    const whole = await deft("predict", "--model", at("merged"), "--input", at("long.jsonl"), ...flag!.split(" "));
    expect(whole.err).toBe("");
    expect(logitsOf(whole)).not.toEqual(logitsOf(merged));
  });
});

/** Texts on which the source's tokenizer.json and its other files disagree. */
const TEXTS = ["The DULL Film", "a film [USR] é dull", "funnyx [usr] Funny2 é"];

describeWithPython("an exported tokenizer", () => {
  let ids: readonly (readonly number[])[];

  beforeAll(async () => {
    const vocab = (await readFile(at("model/vocab.txt"), "utf8")).trimEnd().split("\n");
    const size = vocab.length;
    await writeTinyModel(at("source"), { headLabels: 2, config: { vocab_size: size } });
    await writeFiles(at("source"), {
      "vocab.txt": `${vocab.slice(0, -2).join("\n")}\n`,
      "added_tokens.json": JSON.stringify({ "[USR]": size - 2, funny2: size - 1 }),
      "special_tokens_map.json": JSON.stringify({ additional_special_tokens: ["[USR]"], mask_token: "[MASK]" }),
      "tokenizer_config.json": JSON.stringify({
        tokenizer_class: "BertTokenizer",
        do_lower_case: false,
        strip_accents: true,
      }),
    });
    const tokenizer = await loadTokenizer(nodeFiles(), at("source"));
    ids = TEXTS.map((text) => tokenizer.encode(text).ids);
    for (const [format, ...more] of [["merged"], ["onnx", "--precision", "fp32"]]) {
      const made = await deft(
        "export",
        "--model",
        at("source"),
        "--format",
        format!,
        ...more,
        "--output",
        at(`source-${format}`),
      );
      expect(made.code).toBe(0);
    }
    const pruned = await deft(
      "compress",
      "--model",
      at("source"),
      "--prune",
      "magnitude:0.5",
      "--output",
      at("source-pruned"),
    );
    expect(pruned.code).toBe(0);
  });

  test("gives the ids that were used in transformers, of the source and of every folder written from it", async () => {
    const script = `
import json, sys
from transformers import AutoTokenizer
print(json.dumps([[AutoTokenizer.from_pretrained(folder)(text)["input_ids"] for text in json.loads(sys.argv[1])] for folder in sys.argv[2:]]))
`;
    const folders = ["source", "source-merged", "source-onnx", "source-pruned"].map(at);
    const theirs = await python(script, [JSON.stringify(TEXTS), ...folders]);
    expect(theirs).toEqual(folders.map(() => ids));
  });

  test("gives them in Transformers.js and here", async () => {
    env.allowRemoteModels = false;
    env.localModelPath = root;
    const theirs = await AutoTokenizer.from_pretrained("source-onnx");
    expect(TEXTS.map((text) => theirs.encode(text))).toEqual(ids);
    for (const folder of ["source-merged", "source-onnx", "source-pruned"]) {
      const ours = await loadTokenizer(nodeFiles(), at(folder));
      expect(TEXTS.map((text) => ours.encode(text).ids)).toEqual(ids);
    }
  });
});
