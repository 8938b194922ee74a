// Questions answered and texts written, from the command line, on tiny models that can learn their data; and wrong input refused.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoModelForQuestionAnswering, AutoTokenizer, env } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { fineTune, lora, seq2seq, squad } from "../../src/node.ts";
import { type RunRecord, readOutcomes } from "../../src/runs/index.ts";
import type { Outcome } from "../../src/tasks/index.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinySeq2seq, tinySquad, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-answers-"));
  await writeTinyModel(at("bert"));
  await writeTinyT5(at("t5"));
  await writeTinySst2(at("sst2"));
  await writeFiles(folder, {
    "squad/train-v1.1.json": tinySquad(96, 1),
    "squad/dev-v1.1.json": tinySquad(24, 2),
    "squad2/train.json": tinySquad(120, 1, { impossible: true }),
    "squad2/dev.json": tinySquad(30, 2, { impossible: true }),
    "texts/train.jsonl": tinySeq2seq(160, 1),
    "texts/dev.jsonl": tinySeq2seq(24, 2),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Flags = Readonly<Record<string, string | number>>;
const argv = (flags: Flags) => Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)]);
const LEARNS = { method: "full", "learning-rate": 5e-3, "density-weight": 0.01, "batch-size": 8, threads: 1 };

async function train(output: string, flags: Flags): Promise<RunRecord> {
  const { code, err } = await deft("train", ...argv({ ...LEARNS, output: at(output), ...flags }), "-q");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(await readFile(at(output, "run.json"), "utf8")) as RunRecord;
}

async function answers(...args: readonly string[]): Promise<{ text: string; score?: number }[]> {
  const { code, out, err } = await deft("predict", ...args, "--threads", "1");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { text: string; score?: number });
}

const outcomesOf = async (output: string) => (await readOutcomes(nodeFiles(), at(output)))!;
const meanScore = (outcomes: readonly Outcome[]) =>
  outcomes.reduce((sum, { score }) => sum + score!, 0) / outcomes.length;

const evaluated = async (...args: readonly string[]) => {
  const { code, out, err } = await deft("eval", ...args, "--threads", "1", "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as { metrics: Record<string, number>; examples: number; density: Record<string, unknown> };
};

describe("an encoder on SQuAD", () => {
  let record: RunRecord;
  beforeAll(async () => {
    // windows of 12 tokens cut the longer contexts
    const lengths = { "max-length": 12, "doc-stride": 2 };
    record = await train("span", { model: at("bert"), task: "squad", data: at("squad"), epochs: 8, ...lengths });
  });

  test("learns to point at the answer", () => {
    const { metrics, examples, split } = record.result!;
    expect({ examples, split, main: record.metricName }).toEqual({ examples: 24, split: "dev", main: "f1" });
    expect(metrics["f1"]).toBeGreaterThan(0.8);
    expect(metrics["exact_match"]).toBeLessThanOrEqual(metrics["f1"]!);
  });

  test("keeps its answer to each question, from which F1 follows", async () => {
    const outcomes = await outcomesOf("span");
    expect(outcomes).toHaveLength(24);
    expect(meanScore(outcomes)).toBeCloseTo(record.result!.metrics["f1"]!, 12);
  });

  test("is evaluated alike afterwards", async () => {
    const again = await evaluated(at("span"));
    expect(again.metrics).toEqual(record.result!.metrics);
    const file = await evaluated(at("span"), "--data", at("squad/train-v1.1.json"), "--limit-eval", "5");
    expect(file.examples).toBe(5);
  });

  test("answers a question, and many from standard input's kind of file", async () => {
    const [one] = await answers(at("span"), "--question", "what is it", "--context", "the film is gripping");
    expect(one!.text).toBe("gripping");
    expect(one!.score).toBeGreaterThan(0);
    const line = (context: string) => JSON.stringify({ question: "what is it", context });
    await writeFile(
      at("questions.jsonl"),
      `${line("a dull plot")}\n${line("the story is tender and it is of the film")}\n`,
    );
    const several = await answers(at("span"), "--input", at("questions.jsonl"));
    expect(several.map(({ text }) => text)).toEqual(["dull", "tender"]);
  });

  test("points alike in Transformers.js", async () => {
    const { code, err } = await deft(
      "export",
      at("span"),
      "--format",
      "onnx",
      "--precision",
      "fp32",
      "--output",
      at("js"),
    );
    expect({ code, err }).toMatchObject({ code: 0 });
    env.allowRemoteModels = false;
    env.localModelPath = `${at("")}/`;
    const tokenizer = await AutoTokenizer.from_pretrained("js");
    const model = await AutoModelForQuestionAnswering.from_pretrained("js", { dtype: "fp32" });
    for (const context of ["the film is gripping", "a dull plot"]) {
      const inputs = tokenizer("what is it", { text_pair: context });
      const { start_logits, end_logits } = (await model(inputs)) as Record<string, { data: Float32Array }>;
      const ids = Array.from((inputs as { input_ids: { data: BigInt64Array } }).input_ids.data, Number);
      // [CLS] what is it [SEP] context [SEP]: an answer stands in the context
      const best = (row: Float32Array) => 5 + row.slice(5, -1).indexOf(Math.max(...row.slice(5, -1)));
      const [start, end] = [best(start_logits!.data), best(end_logits!.data)];
      const [ours] = await answers(at("span"), "--question", "what is it", "--context", context);
      expect(tokenizer.decode(ids.slice(start, end + 1))).toBe(ours!.text);
    }
    await model.dispose();
  });

  test("is measured by profile", async () => {
    const { code, out } = await deft("profile", at("span"), "--threads", "1", "--json");
    expect(code).toBe(0);
    expect((JSON.parse(out) as { examples: number }).examples).toBeGreaterThan(24);
  });

  test("asks for a context", async () => {
    const { code, err } = await deft("predict", at("span"), "--text", "what is it");
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining("a question and its context") });
  });

  test("has no rows of active neurons to write by", async () => {
    for (const command of ["eval", "predict"]) {
      const { code, err } = await deft(
        command,
        at("span"),
        "--sparse-decoding",
        ...(command === "eval" ? [] : ["--text", "a"]),
      );
      expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining("a model that writes text") });
    }
  });
});

test("an encoder learns which questions have no answer", async () => {
  const record = await train("span2", {
    model: at("bert"),
    task: "squad",
    data: at("squad2"),
    epochs: 10,
    "max-length": 48,
  });
  const { metrics } = record.result!;
  expect(record.unanswerable).toBe(true);
  expect(Object.keys(metrics)).toEqual(
    expect.arrayContaining(["has_answer_f1", "no_answer_accuracy", "best_f1", "best_f1_threshold"]),
  );
  expect(metrics["f1"]).toBeGreaterThan(0.6);
  const always = await evaluated(at("span2"), "--null-threshold", "1000000");
  // an article alone counts as no answer
  expect(always.metrics["no_answer_accuracy"]).toBeLessThan(metrics["no_answer_accuracy"]!);
  const never = await evaluated(at("span2"), "--null-threshold=-1000000");
  expect(never.metrics).toMatchObject({ no_answer_accuracy: 1, has_answer_f1: 0 });
  expect(
    await answers(at("span2"), "--question", "what is it", "--context", "the film", "--null-threshold=-1000000"),
  ).toMatchObject([{ text: "" }]);
});

test("a method's comparison on SQuAD", async () => {
  const flags = { model: at("bert"), task: "squad", data: at("squad"), "max-steps": 2, "batch-size": 4, threads: 1 };
  const { code, out } = await deft("compare", ...argv(flags), "--json");
  expect(code).toBe(0);
  const { rows } = JSON.parse(out) as { rows: { scoreChange: number; peft: { metrics: Record<string, number> } }[] };
  expect(rows[0]!.peft.metrics).toHaveProperty("f1");
  expect(rows[0]!.scoreChange).toBeTypeOf("number");
});

describe("a T5 that writes", () => {
  let record: RunRecord;
  beforeAll(async () => {
    const texts = { model: at("t5"), task: "seq2seq", data: at("texts"), "source-prefix": "say: " };
    record = await train("writes", { ...texts, "max-target-length": 4, epochs: 12, "learning-rate": 1e-2 });
  });

  test("learns the word, and is measured teacher-forced and while it writes", () => {
    const { metrics, density } = record.result!;
    expect(record.metricName).toBe("rougeL");
    expect(metrics["exact_match"]).toBeGreaterThan(0.7);
    expect(metrics["rouge1"]).toBeGreaterThanOrEqual(metrics["exact_match"]!);
    expect(metrics["rouge2"]).toBe(0);
    expect(Object.keys(density)).toEqual(expect.arrayContaining(["encoder", "decoder", "generation"]));
    for (const stack of ["encoder", "decoder", "generation"] as const) {
      const own = density.layers.filter((layer) => layer.stack === stack).map(({ exact }) => exact);
      expect(density[stack]!.exact, stack).toBeCloseTo(own.reduce((sum, share) => sum + share, 0) / own.length, 12);
    }
  });

  test("keeps what it wrote for each example, from which its score follows", async () => {
    const outcomes = await outcomesOf("writes");
    const examples = tinySeq2seq(24, 2)
      .split("\n")
      .map((line) => JSON.parse(line) as { source: string; target: string });
    outcomes.forEach(({ prediction, ...outcome }, i) => {
      const { source, target } = examples[i]!;
      const isRight = Number(String(prediction).trim() === target);
      // of single words ROUGE-L is the exact match
      const metric = String(prediction).trim().split(" ").length > 1 ? outcome.metric : isRight;
      expect(outcome).toEqual({ line: i + 1, target, score: isRight, metric, text: source });
    });
    expect(meanScore(outcomes)).toBeCloseTo(record.result!.metrics["exact_match"]!, 12);
  });

  test("is evaluated alike afterwards, greedily and by beams", async () => {
    expect((await evaluated(at("writes"))).metrics).toEqual(record.result!.metrics);
    const beams = await evaluated(at("writes"), "--num-beams", "3", "--max-new-tokens", "3");
    expect(beams.metrics["exact_match"]).toBeGreaterThan(0.5);
  });

  test("writes the same by the rows of active neurons", async () => {
    const some = ["--batch-size", "1", "--limit-eval", "6"];
    const [dense, sparse] = [
      await evaluated(at("writes"), ...some),
      await evaluated(at("writes"), ...some, "--sparse-decoding"),
    ];
    expect(sparse.metrics).toEqual(dense.metrics);
    expect(sparse.density["generation"]).toEqual(dense.density["generation"]);
    const asked = [at("writes"), "--text", "the film is gripping"];
    expect(await answers(...asked, "--sparse-decoding")).toEqual(await answers(...asked));
  });

  test("writes texts for texts", async () => {
    expect(await answers(at("writes"), "--text", "the film is dull")).toEqual([{ text: "dull" }]);
  });

  test("answers questions too, over windows", async () => {
    const squad = { model: at("t5"), task: "squad", data: at("squad"), "max-length": 14, "doc-stride": 2 };
    const { result } = await train("asked", { ...squad, "max-target-length": 4, epochs: 12, "learning-rate": 1e-2 });
    expect(result!.examples).toBe(24);
    expect(result!.metrics["f1"]).toBeGreaterThan(0.5);
    const [one] = await answers(at("asked"), "--question", "what is it", "--context", "the film is gripping");
    expect(one!.score).toBeGreaterThan(0);
    expect(one!.score).toBeLessThanOrEqual(1);
  });
});

test("LoRA finds a T5's query and value, and its adapter opens again", async () => {
  const flags = { model: at("t5"), task: "squad", data: at("squad"), method: "lora", "max-steps": 2, "limit-eval": 4 };
  const { result, settings } = await train("lora", flags);
  expect(settings.method).toMatchObject({ targets: ["q", "v"] });
  expect((await evaluated(at("lora"))).metrics).toEqual(result!.metrics);
  const [one] = await answers(
    "--model",
    at("t5"),
    "--adapter",
    at("lora/adapter"),
    "--question",
    "what",
    "--context",
    "a film",
  );
  expect(one!.text).toBeTypeOf("string");
  const resumed = await deft("train", "--output", at("lora"), "--resume", "-q");
  expect(resumed).toMatchObject({ code: 0, err: "" });
});

test("the library asks and answers alike", async () => {
  const data = await squad(at("squad"), { limitEval: 6 });
  const method = lora({ targets: "all-linear" });
  const run = fineTune(at("bert"), {
    data,
    output: at("own"),
    method,
    density: null,
    maxSteps: 2,
    maxLength: 48,
    threads: 1,
  });
  const tuned = await run.result;
  const [answer] = await tuned.predict({ question: "what is it", context: "a dull film" });
  const { text, score } = answer as { text: string; score: number };
  expect("a dull film").toContain(text);
  expect(score).toBeGreaterThan(0);
  expect(score).toBeLessThanOrEqual(1);
  expect((await tuned.evaluate({ nBest: 3, docStride: 4 })).metrics).toHaveProperty("exact_match");
  await tuned.dispose();
  const texts = await seq2seq(at("texts"), { sourcePrefix: "say: ", limitEval: 4, limitTrain: 16 });
  const writes = fineTune(at("t5"), {
    data: texts,
    output: at("own-t5"),
    density: null,
    maxSteps: 2,
    maxTargetLength: 4,
    threads: 1,
  });
  const { record } = await writes.result;
  expect(record.settings.data.sourcePrefix).toBe("say: ");
  expect(record.result!.metrics).toHaveProperty("rougeL");
});

describe("wrong input is refused with exit code 2, and nothing is written", () => {
  const V1 = () => ({ model: at("bert"), task: "squad", data: at("squad") });
  const broken = {
    data: [
      {
        paragraphs: [
          { context: "a film", qas: [{ id: "1", question: "q", answers: [{ text: "plot", answer_start: 90 }] }] },
        ],
      },
    ],
  };
  const cases: readonly (readonly [string, () => Flags, readonly string[]])[] = [
    ["SQuAD on a file that is none", () => ({ ...V1(), data: at("texts/dev.jsonl") }), ["a column question"]],
    [
      "answers outside the context",
      () => ({ ...V1(), data: at("broken.json") }),
      ["data[0].paragraphs[0].qas[0].answers[0]", "90"],
    ],
    ["JSON cut off", () => ({ ...V1(), data: at("cut.json") }), ["expected JSON"]],
    ["a question without room", () => ({ ...V1(), "max-length": 4 }), ["--max-length", "the tokens of the question"]],
    [
      "seq2seq on an encoder",
      () => ({ model: at("bert"), task: "seq2seq", data: at("texts") }),
      ["an encoder–decoder (t5, mt5)"],
    ],
    ["labels on a T5", () => ({ model: at("t5"), task: "sst2", data: at("sst2") }), ["an encoder (bert, roberta, "]],
    [
      "a column that is not there",
      () => ({ model: at("t5"), task: "seq2seq", data: at("texts"), "target-column": "goal" }),
      ["a column goal", "--target-column"],
    ],
    ["a label's column for a text", () => ({ ...V1(), "label-column": "x" }), ["--label-column", "a task of labels"]],
    [
      "another task's flag",
      () => ({ model: at("bert"), task: "sst2", data: at("sst2"), "doc-stride": 3, "num-beams": 2 }),
      ["--doc-stride", "--num-beams"],
    ],
    [
      "beams that draw",
      () => ({ model: at("t5"), task: "seq2seq", data: at("texts"), "num-beams": 2, "top-k": 3 }),
      ["--top-k", "--num-beams 1"],
    ],
    [
      "values out of range",
      () => ({ ...V1(), "top-p": 2, "n-best": 0, temperature: 0 }),
      ["--top-p", "--n-best", "--temperature"],
    ],
  ];
  beforeAll(() =>
    writeFiles(folder, { "broken.json": JSON.stringify(broken), "cut.json": tinySquad(3, 1).slice(0, 200) }),
  );

  test.each(cases)("%s", async (_, flags, words) => {
    const { code, out, err } = await deft("train", ...argv({ output: at("refused"), ...flags() }));
    expect({ code, out }).toEqual({ code: 2, out: "" });
    for (const word of words) expect(err).toContain(word);
    expect(err.split("\n").length).toBeLessThan(30);
    expect(err).not.toMatch(/\n\s+at /);
    expect(await filesBelow(at("refused"))).toEqual({});
  });
});
