// What runs leave of their answers, and the warning for a model that answers one class: events, terminal and page.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../src/tasks/index.ts";
import type { TrainEvent } from "../../src/train/index.ts";
import { deft } from "../support/command.ts";
import { tinyExamples, writeTinyModel, writeTinySst2, writeTinyStsb } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-answers-"));
  await writeTinyModel(at("model"));
  await writeTinySst2(at("sst2"));
  await writeTinyStsb(at("stsb"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function train(name: string, task: string, ...flags: readonly string[]): Promise<string> {
  const data = ["--model", at("model"), "--task", task, "--data", at(task), "--output", at(name), "--threads", "1"];
  const { code, err } = await deft("train", ...data, "--density-weight", "0", ...flags);
  expect(code, err).toBe(0);
  return err;
}
const linesOf = async <T>(...parts: readonly string[]): Promise<T[]> =>
  (await readFile(at(...parts), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

describe("a model that answers one class", () => {
  // a head that hardly moves answers as it was initialised
  const still = ["--method", "head", "--learning-rate", "1e-9"];

  test("is warned of at its last evaluation, on the terminal, in the events and on the page", async () => {
    const err = await train("one", "sst2", ...still, "--max-steps", "4");
    const events = await linesOf<TrainEvent>("one", "events.jsonl");
    const order = events.map(({ type }) => type);
    const [warning] = events.filter((event) => event.type === "warning" && event.code === "majority-class");
    expect(warning).toMatchObject({
      step: 4,
      message: expect.stringMatching(
        /^at the evaluation of step 4, the model answers "(nega|posi)tive" for 100\.0 % of the evaluation examples, of which 50\.0 % have this label\. If this stays so, train longer, or change --learning-rate\.$/,
      ),
    });
    expect(order.slice(-4)).toEqual(["eval", "warning", "checkpoint", "end"]);
    expect(err).toContain(`warning at step 4: ${(warning as { message: string }).message}`);
    const { document } = parseHTML(await readFile(at("one", "report.html"), "utf8"));
    const warned = [...document.querySelectorAll(".warning")].map(({ textContent }) => textContent);
    expect(warned).toEqual([
      `step 4: ${(warning as { message: string }).message}`,
      expect.stringMatching(/^The model answers “(nega|posi)tive” for 100\.0 % of the evaluation examples/),
    ]);
    const { out } = await deft("report", at("one"), "--output", at("page.html"));
    expect(out).toMatch(/^warning: The model answers “/m);
  });

  test("is warned of once while it goes on, behind the step after its second evaluation", async () => {
    await train("on", "sst2", ...still, "--max-steps", "12", "--eval-steps", "3");
    const events = await linesOf<TrainEvent>("on", "events.jsonl");
    const at = events.findIndex((event) => event.type === "warning");
    expect(events.filter(({ type }) => type === "warning")).toHaveLength(1);
    expect(events[at]).toMatchObject({ step: 7, code: "majority-class" });
    expect(events[at - 1]).toMatchObject({ type: "step", step: 7 });
  });

  test("a run that has learnt its task is not warned of", async () => {
    const learns = ["--method", "full", "--learning-rate", "5e-3", "--epochs", "8", "--batch-size", "8"];
    await train("learnt", "sst2", ...learns, "--eval-steps", "96");
    const events = await linesOf<TrainEvent>("learnt", "events.jsonl");
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
  });
});

describe("predictions.jsonl", () => {
  test("of classes: probability, loss and text; their means are the run's accuracy and loss", async () => {
    const outcomes = await linesOf<Outcome>("learnt", "predictions.jsonl");
    const { result } = JSON.parse(await readFile(at("learnt", "run.json"), "utf8")) as {
      result: { loss: number; metrics: { accuracy: number } };
    };
    const mean = (of: (outcome: Outcome) => number) =>
      outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
    expect(mean(({ score }) => score!)).toBeCloseTo(result.metrics.accuracy, 12);
    expect(mean(({ loss }) => loss!)).toBeCloseTo(result.loss, 4);
    for (const { loss, probability, score } of outcomes)
      expect(score === 1 ? probability : 1 - probability!).toBeCloseTo(Math.exp(-loss!), 4);
    expect(outcomes.map(({ text }) => text)).toEqual(tinyExamples(32, 2).map(({ text }) => text));
  });

  test("of numbers: the squared error and both texts; their mean is the run's loss", async () => {
    await train("numbers", "stsb", "--method", "head", "--max-steps", "4");
    const outcomes = await linesOf<Outcome & { prediction: number; target: number }>("numbers", "predictions.jsonl");
    const { result } = JSON.parse(await readFile(at("numbers", "run.json"), "utf8")) as { result: { loss: number } };
    for (const { prediction, target, loss, pair, probability } of outcomes) {
      expect(loss).toBeCloseTo((prediction - target) ** 2, 3);
      expect(pair).toBeTypeOf("string");
      expect(probability).toBeUndefined();
    }
    expect(outcomes.reduce((sum, { loss }) => sum + loss!, 0) / outcomes.length).toBeCloseTo(result.loss, 3);
    const events = await linesOf<TrainEvent>("numbers", "events.jsonl");
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
  });
});

test("deft report --json holds the confusion matrix and the scores of each class", async () => {
  const { code, out } = await deft("report", at("learnt"), at("numbers"), "--output", at("page.html"), "--json");
  expect(code).toBe(0);
  const { runs } = JSON.parse(out) as { runs: Record<string, unknown>[] };
  const [classes, numbers] = runs as [
    { labels: string[]; confusion: number[][]; classes: { accuracy: number; classes: { support: number }[] } },
    object,
  ];
  expect(classes.labels).toEqual(["negative", "positive"]);
  expect(classes.confusion.flat().reduce((sum, count) => sum + count, 0)).toBe(32);
  expect(classes.classes.accuracy).toBeCloseTo((classes.confusion[0]![0]! + classes.confusion[1]![1]!) / 32, 12);
  expect(classes.classes.classes.map(({ support }) => support)).toEqual([16, 16]);
  expect(Object.keys(numbers)).toEqual(["name", "result"]);
});
