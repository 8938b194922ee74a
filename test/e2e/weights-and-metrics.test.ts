// Unbalanced classes from the command line: weights in the loss, the metric that chooses a checkpoint, and what is refused.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deft, filesBelow } from "../support/command.ts";
import { writeFiles, writeTinyModel } from "../support/tiny-model.ts";
import { conllText, jsonLines, tinyLabelled, tinyTagged } from "../support/tiny-words.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

/**
 * Ten texts that are always of the frequent class, then seven of which two are of the rare one: by accuracy it is best never to answer
 * with that, by the classes' mean F1 always for such texts.
 */
function unbalanced(times: number): { readonly text: string; readonly label: string }[] {
  const rows = Array.from({ length: 17 }, (_, i) => ({
    text: i < 10 ? "a bright film" : "a dull plot",
    label: i < 15 ? "often" : "rare",
  }));
  return Array.from({ length: times }, () => rows).flat();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-weights-"));
  await writeTinyModel(at("bert"));
  const three = unbalanced(3).map((row, i) => (i % 5 === 0 ? { ...row, label: "third" } : row));
  await writeFiles(folder, {
    "data/train.jsonl": jsonLines(unbalanced(8)),
    "data/dev.jsonl": jsonLines(unbalanced(4)),
    "three/train.jsonl": jsonLines(three),
    "three/dev.jsonl": jsonLines(three),
    "several/train.jsonl": jsonLines(tinyLabelled(32, 1)),
    "several/dev.jsonl": jsonLines(tinyLabelled(16, 2)),
    "words/train.conll": conllText(tinyTagged(32, 1)),
    "words/dev.conll": conllText(tinyTagged(16, 2)),
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const flagsOf = (output: string, ...flags: readonly string[]) => [
  "train",
  "--model",
  at("bert"),
  "--task",
  "text-classification",
  "--data",
  at("data"),
  "--output",
  at(output),
  ..."--method full --density-weight 0 --batch-size 8 --accumulate 2 --threads 1 -q".split(" "),
  ...flags,
];
const succeed = async (...args: readonly string[]) => {
  const { code, out, err } = await deft(...args);
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  return out;
};
const LEARNS = ["--learning-rate", "0.01", "--max-steps", "20", "--eval-steps", "4"];

interface Event {
  readonly type: string;
  readonly step: number;
  readonly code?: string;
  readonly message?: string;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly best: boolean;
}
const eventsOf = async (output: string): Promise<Event[]> =>
  (await readFile(at(output, "events.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Event);
interface Stored {
  readonly metricName: string;
  readonly classWeights?: Readonly<Record<string, number>>;
  readonly settings: { readonly metric: string | null; readonly classWeights: unknown };
  readonly result: { readonly loss: number; readonly metrics: Readonly<Record<string, number>> };
}
const recordOf = async (output: string) => JSON.parse(await readFile(at(output, "run.json"), "utf8")) as Stored;

/** F1 of the rare class: 0 where it is never answered. */
const rareF1 = ({ result }: Stored) => result.metrics.f1!;

describe("a rare class", () => {
  test("is never answered without weights, and the warning says what helps", async () => {
    await succeed(...flagsOf("plain", ...LEARNS));
    const record = await recordOf("plain");
    expect(record).not.toHaveProperty("classWeights");
    expect(record).toMatchObject({ metricName: "accuracy", settings: { metric: null, classWeights: null } });
    expect(Object.keys(record.result.metrics)).toEqual(["accuracy", "f1"]);
    expect(rareF1(record)).toBe(0);
    const warning = (await eventsOf("plain")).find(({ code }) => code === "majority-class");
    expect(warning!.message).toMatch(/, or weigh rare classes with --class-weights balanced\.$/);
  });

  test("is answered with balanced weights, which run.json tells as numbers", async () => {
    await succeed(...flagsOf("balanced", ...LEARNS, "--class-weights", "balanced", "--metric", "macro-f1"));
    const record = await recordOf("balanced");
    expect(record.settings).toMatchObject({ classWeights: "balanced", metric: "f1_macro" });
    // 136 examples, 16 of them rare
    expect(record.classWeights).toEqual({ often: 136 / (2 * 120), rare: 136 / (2 * 16) });
    expect(rareF1(record)).toBeGreaterThan(0.4);
    const warnings = (await eventsOf("balanced")).filter(({ type }) => type === "warning");
    for (const { message } of warnings) expect(message).not.toContain("--class-weights");
  });

  test("has no weight in the loss of evaluations", async () => {
    const lines = (await readFile(at("balanced/predictions.jsonl"), "utf8")).trim().split("\n");
    const losses = lines.map((line) => (JSON.parse(line) as { loss: number }).loss);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    expect((await recordOf("balanced")).result.loss).toBeCloseTo(mean, 5);
  });
});

describe("the metric", () => {
  const bestStep = async (output: string) => (await eventsOf(output)).findLast(({ best }) => best)!.step;

  test("chooses the checkpoint: accuracy an earlier one than the mean F1 of classes", async () => {
    await succeed(...flagsOf("by-accuracy", ...LEARNS, "--class-weights", "balanced"));
    const [early, late] = [await recordOf("by-accuracy"), await recordOf("balanced")];
    expect([early.metricName, late.metricName]).toEqual(["accuracy", "f1_macro"]);
    expect(await bestStep("by-accuracy")).toBeLessThan(await bestStep("balanced"));
    expect(early.result.metrics.accuracy).toBeGreaterThan(late.result.metrics.accuracy!);
    const all = (await eventsOf("balanced")).flatMap(({ type, metrics }) =>
      type === "eval" ? [metrics.f1_macro!] : [],
    );
    expect(late.result.metrics.f1_macro).toBe(Math.max(...all));
  });

  test("is what a run is evaluated, compressed and compared by", async () => {
    const said = JSON.parse(
      await succeed("eval", at("balanced"), "--json", "--threads", "1", "-q"),
    ) as Stored["result"];
    expect(said.metrics.f1_macro).toBeCloseTo((await recordOf("balanced")).result.metrics.f1_macro!, 12);
    const flags = ["--score-budget", "5", "--output", at("small"), "--threads", "1", "-q"];
    await succeed("compress", at("balanced"), ...flags);
    const compression = JSON.parse(await readFile(at("small/compression.json"), "utf8")) as {
      readonly metricName: string;
      readonly run: { readonly metricName: string };
      readonly before: { readonly metrics: Readonly<Record<string, number>> };
      readonly after: { readonly metrics: Readonly<Record<string, number>> };
      readonly budget: { readonly reached: number };
    };
    const { before, after, budget, metricName, run } = compression;
    expect([metricName, run.metricName]).toEqual(["f1_macro", "f1_macro"]);
    expect(budget.reached).toBeCloseTo(before.metrics.f1_macro! - after.metrics.f1_macro!, 12);
  });

  test("of another evaluation file is measured too", async () => {
    const out = await succeed("eval", at("balanced"), "--data", at("data/train.jsonl"), "--json", "-q");
    expect((JSON.parse(out) as Stored["result"]).metrics).toHaveProperty("f1_macro");
  });
});

describe("a run that goes on", () => {
  test("has the same weights, and is not given others", async () => {
    const begin = (...flags: readonly string[]) =>
      flagsOf("resumed", "--max-steps", "4", "--eval-steps", "2", ...flags);
    await succeed(...begin("--class-weights", "balanced"));
    const { result, classWeights } = await recordOf("resumed");
    await succeed(...begin("--class-weights", "balanced", "--resume"));
    expect(await recordOf("resumed")).toMatchObject({ result, classWeights });
    for (const [flag, value] of [
      ["--class-weights", "often=1,rare=2"],
      ["--metric", "f1"],
    ] as const) {
      const { code, err } = await deft(...begin(flag, value, "--resume"));
      expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining(`${flag}: expected`) as string });
    }
  });
});

describe("several labels and words", () => {
  test.each([
    ["multi-label", "several", ["bright", "dull", "place"]],
    ["token-classification", "words", ["B-LOC", "B-PER", "I-PER", "O"]],
  ])("%s", async (task, data, names) => {
    const flags = ["--task", task, "--data", at(data), "--max-steps", "2", "--class-weights", "balanced"];
    await succeed(...flagsOf(`${data}-run`, ...flags));
    const { classWeights } = await recordOf(`${data}-run`);
    expect(Object.keys(classWeights!).sort()).toEqual(names);
    for (const weight of Object.values(classWeights!)) expect(weight).toBeGreaterThan(0);
  });
});

describe("refused, with nothing written", () => {
  test.each<readonly [string, readonly string[], RegExp]>([
    [
      "a class without a weight",
      ["--class-weights", "often=1"],
      /a weight for each class.*"often", "rare", got none for "rare"/,
    ],
    [
      "unknown and missing classes",
      ["--class-weights", "often=1,seldom=2"],
      /got none for "rare"; "seldom", which the data do not have/,
    ],
    [
      "a class that no training example has",
      ["--class-weights", "balanced", "--labels", "never,often,rare"],
      /--class-weights balanced: expected training examples of every class, got no such for "never"/,
    ],
    [
      "no such metric",
      ["--metric", "rougeL"],
      /--metric: .*accuracy, f1, f1_macro, matthews_correlation, got "rougeL"/,
    ],
    [
      "a metric of two classes where there are three",
      ["--data", "three", "--metric", "f1"],
      /--metric: expected a metric of text-classification with 3 classes: accuracy, f1_macro, matthews_correlation, got "f1"/,
    ],
    [
      "a metric of other tasks",
      ["--data", "several", "--task", "multi-label", "--metric", "f1"],
      /f1_micro, f1_macro, accuracy/,
    ],
  ])("%s", async (_, flags, message) => {
    const placed = flags.map((flag) => (["three", "several"].includes(flag) ? at(flag) : flag));
    const { code, err } = await deft(...flagsOf("never", ...placed));
    expect({ code, err: err.replaceAll("\n", " ") }).toEqual({
      code: 2,
      err: expect.stringMatching(message) as string,
    });
    expect(await filesBelow(at("never"))).toEqual({});
  });
});
