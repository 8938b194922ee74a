// Scores of one's own table, from the command line: learnt, measured, predicted, exported and compressed, as transformers computes them.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fineTune, lora, table } from "../../src/node.ts";
import type { RunRecord } from "../../src/runs/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { describeWithPython, runPython } from "../support/python.ts";
import { tinyExamples, writeFiles, writeTinyModel } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

/** Good words score about 2, bad ones about −2. */
const rowsOf = (count: number, seed: number) =>
  tinyExamples(count, seed).map(({ text, label }, i) => ({ text, score: 4 * label - 2 + (i % 5) / 10 }));
const csvOf = (rows: ReturnType<typeof rowsOf>) =>
  `text,score\n${rows.map(({ text, score }) => `${text},${score.toFixed(1)}\n`).join("")}`;
const DEV = rowsOf(24, 2);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-scores-"));
  await writeTinyModel(at("model"));
  await writeFiles(at("data"), { "train.csv": csvOf(rowsOf(120, 1)), "dev.csv": csvOf(DEV) });
  const flags = ["--task", "text-regression", "--data", at("data"), "--method", "full", "--learning-rate", "5e-3"];
  const steps = ["--density-weight", "0.01", "--batch-size", "8", "--epochs", "15", "--threads", "1"];
  const run = await deft("train", "--model", at("model"), ...flags, ...steps, "--output", at("run"), "-q");
  expect({ code: run.code, err: run.err }).toEqual({ code: 0, err: "" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const recordOf = async (run: string) => JSON.parse(await readFile(at(run, "run.json"), "utf8")) as RunRecord;

interface Evaluated {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly examples: number;
}

async function evaluated(...args: readonly string[]): Promise<Evaluated> {
  const { code, out, err } = await deft("eval", ...args, "--threads", "1", "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as Evaluated;
}

const lines = (out: string) =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { value: number });

async function predicted(...args: readonly string[]): Promise<number[]> {
  await writeFile(at("texts.jsonl"), DEV.map(({ text }) => JSON.stringify({ text })).join("\n"));
  const { code, out, err } = await deft("predict", ...args, "--input", at("texts.jsonl"), "--threads", "1");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return lines(out).map(({ value }) => value);
}

test("is learnt by mean squared error, and measured by Pearson and Spearman", async () => {
  const { result, labels, metricName } = await recordOf("run");
  expect({ labels, metricName }).toEqual({ labels: [], metricName: "pearson" });
  expect(result!.metrics["pearson"]).toBeGreaterThan(0.9);
  expect(result!.metrics["spearmanr"]).toBeGreaterThan(0.6);
  const again = await evaluated(at("run"));
  expect(again.metrics).toEqual(result!.metrics);
  const values = await predicted(at("run"));
  const squares = values.map((value, i) => (value - Number(DEV[i]!.score.toFixed(1))) ** 2);
  expect(again.loss).toBeCloseTo(squares.reduce((sum, square) => sum + square, 0) / squares.length, 5);
  expect(again.loss).toBeCloseTo(result!.loss, 6);
});

test("is measured on a file of its own, and refuses a task of classes", async () => {
  const file = await evaluated(at("run"), "--data", at("data/dev.csv"), "--limit-eval", "5");
  expect(file.examples).toBe(5);
  await writeFiles(folder, { "classes.csv": "text,label\na film,good\na plot,bad\n" });
  const wrong = await deft("eval", at("run"), "--task", "text-classification", "--data", at("classes.csv"));
  expect(wrong).toMatchObject({
    code: 2,
    err: expect.stringContaining(
      "expected a model with a classification head, got one with a regression head\nSuch a model does --task text-regression or text-pair-regression.",
    ),
  });
});

test("is exported as a merged model, which answers and scores alike", async () => {
  const out = await deft("export", at("run"), "--format", "merged", "--output", at("merged"));
  expect(out.code).toBe(0);
  const config = JSON.parse(await readFile(at("merged/config.json"), "utf8")) as Record<string, unknown>;
  expect(config).toMatchObject({ problem_type: "regression", id2label: { "0": "LABEL_0" } });
  const values = await predicted(at("run"));
  for (const [i, value] of (await predicted("--model", at("merged"))).entries())
    expect(value).toBeCloseTo(values[i]!, 4);
  const merged = await evaluated("--model", at("merged"), "--task", "text-regression", "--data", at("data"));
  expect(merged.metrics["pearson"]).toBeCloseTo((await evaluated(at("run"))).metrics["pearson"]!, 4);
});

test("is compressed by a score budget on Pearson", async () => {
  const { code, out } = await deft(
    "compress",
    at("run"),
    "--keep-neurons",
    "0.5",
    "--output",
    at("small"),
    "--threads",
    "1",
    "--json",
  );
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ metricName: "pearson" });
  expect(
    (await evaluated("--model", at("small"), "--task", "text-regression", "--data", at("data"))).metrics["pearson"],
  ).toBeGreaterThan(0.5);
  const wrong = await deft(
    "compress",
    at("run"),
    "--task",
    "text-classification",
    "--data",
    at("classes.csv"),
    "--keep-neurons",
    "0.5",
    "--output",
    at("no"),
  );
  expect(wrong).toMatchObject({
    code: 2,
    err: expect.stringContaining("--task: expected a task of scores, got text-classification"),
  });
});

test("the library takes a table of scores", async () => {
  const data = await table(at("data"), { regression: true });
  expect(data.task).toBe("text-regression");
  expect((await table(at("data"), { regression: true, pairColumn: "other" })).task).toBe("text-pair-regression");
  const run = fineTune(at("model"), {
    data,
    method: lora(),
    density: null,
    maxSteps: 2,
    batchSize: 8,
    threads: 1,
    output: at("library"),
  });
  const tuned = await run.result;
  expect(tuned.labels).toEqual([]);
  expect(await tuned.predict("a funny film")).toEqual([
    { value: expect.any(Number) as number, logits: [expect.any(Number) as number] },
  ]);
  await tuned.dispose();
});

describe("refused, with nothing written", () => {
  test.each<[string, readonly string[], string]>([
    [
      "names of classes",
      ["--labels", "a,b"],
      "--labels: expected a task of classes over a table of one's own, which alone uses it, got --task text-regression",
    ],
    [
      "a pair's column",
      ["--pair-column", "other"],
      "--pair-column: expected --task text-pair-regression, got --task text-regression",
    ],
    ["a column of words", ["--label-column", "text"], "column text: expected a finite number, got"],
  ])("%s", async (_, flags, message) => {
    const before = await filesBelow(folder);
    const all = [
      "--model",
      at("model"),
      "--task",
      "text-regression",
      "--data",
      at("data"),
      "--output",
      at("never"),
      ...flags,
    ];
    const { code, err } = await deft("train", ...all);
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(message) });
    expect(await filesBelow(folder)).toEqual(before);
  });
});

describeWithPython("against transformers", () => {
  test("the merged model's scores, and their mean squared error", async () => {
    const script = `
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
rows = json.loads(sys.argv[2])
values, loss = [], 0.0
for row in rows:
    out = model(**tokenizer(row["text"], return_tensors="pt"), labels=torch.tensor([row["score"]], dtype=torch.float32))
    values.append(out.logits.item())
    loss += out.loss.item() / len(rows)
print(json.dumps([values, loss]))`;
    await rm(at("again"), { recursive: true, force: true });
    expect((await deft("export", at("run"), "--format", "merged", "--output", at("again"))).code).toBe(0);
    const rows = DEV.map(({ text, score }) => ({ text, score: Number(score.toFixed(1)) }));
    const args = ["-c", [script, at("again"), JSON.stringify(rows)]] as const;
    const [values, loss] = JSON.parse((await runPython(...args)).trim().split("\n").at(-1)!) as [number[], number];
    for (const [i, value] of (await predicted(at("run"))).entries()) expect(value).toBeCloseTo(values[i]!, 4);
    expect((await evaluated(at("run"))).loss).toBeCloseTo(loss, 4);
  });
});
