// A run's life from the command line, on a tiny model that can learn its data: train, eval, predict, profile, compare, report.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHTML } from "linkedom";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { headlineDensity } from "../../src/density/index.ts";
import { openSafetensors } from "../../src/hub/index.ts";
import { nodeFiles } from "../../src/node.ts";
import { parseEvents, type RunRecord } from "../../src/runs/index.ts";
import type { EvalEvent, TrainEvent } from "../../src/train/index.ts";
import { deft, filesBelow, outcomeOf, startScript } from "../support/command.ts";
import { tinyExamples, writeTinyModel, writeTinyRte, writeTinySst2, writeTinyStsb } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-life-"));
  await writeTinyModel(at("model"));
  await writeTinyModel(at("roberta"), { modelType: "roberta" });
  await writeTinySst2(at("sst2"));
  await writeTinyStsb(at("stsb"));
  await writeTinyRte(at("rte"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A recipe under which the tiny model learns SST-2's stand-in. */
const LEARNS = {
  method: "full",
  "learning-rate": 5e-3,
  "density-weight": 0.05,
  "batch-size": 8,
  epochs: 10,
  threads: 1,
};
type Flags = Readonly<Record<string, string | number>>;
const argv = (flags: Flags) => Object.entries(flags).flatMap(([key, value]) => [`--${key}`, String(value)]);

async function train(output: string, flags: Flags, ...more: readonly string[]) {
  const given = { model: at("model"), task: "sst2", data: at("sst2"), output: at(output), threads: 1, ...flags };
  const { code, err } = await deft("train", ...argv(given), ...more, "-q");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return { events: await eventsOf(at(output)), record: await recordOf(at(output)) };
}
const eventsOf = async (run: string): Promise<TrainEvent[]> =>
  parseEvents("events.jsonl", await readFile(join(run, "events.jsonl"), "utf8"));
const recordOf = async (run: string) => JSON.parse(await readFile(join(run, "run.json"), "utf8")) as RunRecord;
const evaluations = (events: readonly TrainEvent[]) => events.filter((event) => event.type === "eval");
const stepsOf = (events: readonly TrainEvent[]) => events.filter(({ type }) => type === "step").length;
const main = ({ metrics }: EvalEvent, name = "accuracy") => metrics[name]!;

describe("a run that learns", () => {
  let events: TrainEvent[];
  let record: RunRecord;
  beforeAll(async () => {
    ({ events, record } = await train("run", { ...LEARNS, patience: 4 }));
  });

  test("leaves the whole folder behind", async () => {
    const names = Object.keys(await filesBelow(at("run")));
    for (const name of ["run.json", "events.jsonl", "report.html", "README.md", "adapter/deft.json"]) {
      expect(names).toContain(name);
    }
    expect(names.filter((name) => name.startsWith("tensorboard/events.out.tfevents."))).toHaveLength(1);
    expect(names.filter((name) => /^checkpoints\/step-\d+\/trainer_state\.json$/.test(name)).length).toBeGreaterThan(1);
    expect(names.filter((name) => /(^|\/)\.|\.tmp$|partial/.test(name))).toEqual([]);
    expect(record.result!.metrics["accuracy"]).toBeGreaterThan(0.8);
    expect(record.labels).toEqual(["negative", "positive"]);
  });

  test("tells it in order", () => {
    expect(events[0]!.type).toBe("start");
    expect(events.at(-1)).toMatchObject({ type: "end", metricName: "accuracy" });
    const steps = events.flatMap((event) => (event.type === "step" ? [event.step] : []));
    expect(steps).toEqual(steps.map((_, i) => i + 1));
    for (const [i, event] of events.entries()) {
      if (event.type === "eval") expect(events[i - 1]).toMatchObject({ type: "step", step: event.step });
      if (event.type === "checkpoint") expect(events[i - 1]).toMatchObject({ type: "eval", step: event.step });
    }
    expect(evaluations(events).map(({ step }) => step)).toEqual(evaluations(events).map((_, i) => 12 * (i + 1)));
  });

  test("keeps the best evaluation, not the last", async () => {
    const all = evaluations(events);
    // of equal scores the lower density, else the lower loss, else the later
    const density = (event: (typeof all)[number]) => headlineDensity(event.density);
    const best = all.reduce((a, b) => {
      if (main(b) !== main(a)) return main(b) > main(a) ? b : a;
      if (density(b) !== density(a)) return density(b) < density(a) ? b : a;
      return b.loss <= a.loss ? b : a;
    });
    expect(events.at(-1)).toMatchObject({ bestStep: best.step, bestMetric: main(best) });
    expect(record.result).toMatchObject({ metrics: best.metrics, loss: best.loss, density: best.density });
    const files = nodeFiles();
    const kept = await openSafetensors(files, at("run/adapter/trained.safetensors"));
    const noted = await openSafetensors(files, at(`run/checkpoints/step-${best.step}/trainable.safetensors`));
    for (const [name, weight] of noted) expect(await kept.get(name)!.read()).toEqual(await weight.read());
    const { code, out } = await deft("eval", at("run"), "--json", "--threads", "1");
    expect(code).toBe(0);
    const evaluation = JSON.parse(out);
    expect(evaluation).toMatchObject({ task: "sst2", split: "dev", examples: 32, metrics: best.metrics });
    expect(evaluation.density.encoder.exact).toBeCloseTo(best.density.encoder.exact, 6);
  });

  test("predicts what it learnt, also line by line", async () => {
    const { code, out } = await deft("predict", at("run"), "--text", "a funny story", "--threads", "1");
    expect(code).toBe(0);
    const { label, score, logits } = JSON.parse(out) as { label: string; score: number; logits: [number, number] };
    expect(label).toBe("positive");
    expect(logits).toHaveLength(2);
    expect(logits[1]).toBeGreaterThan(logits[0]);
    expect(score).toBeCloseTo(1 / (1 + Math.exp(logits[0] - logits[1])), 6);
    const examples = tinyExamples(40, 9);
    await writeFile(at("texts.jsonl"), examples.map(({ text }) => `${JSON.stringify({ text })}\n`).join(""));
    const many = await deft("predict", at("run"), "--input", at("texts.jsonl"), "--batch-size", "7", "--threads", "1");
    const labels = many.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).label === "positive");
    const right = labels.filter((isPositive, i) => isPositive === (examples[i]!.label === 1)).length;
    expect(labels).toHaveLength(40);
    expect(right).toBeGreaterThan(32);
  });

  test("is profiled, reported and refused a second start", async () => {
    const profile = await deft("profile", at("run"), "--json", "--threads", "1");
    expect(JSON.parse(profile.out).density.layers).toHaveLength(2);
    const report = await deft("report", at("run"), "--output", at("page.html"), "--json");
    expect(JSON.parse(report.out)).toMatchObject({ report: at("page.html") });
    const { document } = parseHTML(await readFile(at("page.html"), "utf8"));
    const accuracy = `${(100 * record.result!.metrics["accuracy"]!).toFixed(2)} %`;
    expect(document.querySelector(".tiles dd")?.textContent).toBe(accuracy);
    const [dots] = document.querySelectorAll("#score .wide g.dot");
    expect(dots?.querySelectorAll("circle")).toHaveLength(evaluations(events).length);
    const cells = [...document.querySelectorAll(".matrix td[style]")].map((cell) => Number(cell.textContent));
    expect(cells.reduce((sum, count) => sum + count, 0)).toBe(32);
    expect((cells[0]! + cells[3]!) / 32).toBeCloseTo(record.result!.metrics["accuracy"]!, 12);
    expect(
      (await deft("train", ...argv({ model: at("model"), task: "sst2", data: at("sst2"), output: at("run") }))).code,
    ).toBe(2);
  });
});

test("early stopping: as many evaluations without gain as patience says, then the end", async () => {
  const { events } = await train("patient", { ...LEARNS, "learning-rate": 1e-9, epochs: 20, patience: 2 });
  expect(events.at(-1)).toMatchObject({ type: "end", reason: "early-stopping", step: 36 });
  // patience counts scores, which are equal; which of them is kept is decided by density and loss
  expect(new Set(evaluations(events).map((event) => main(event))).size).toBe(1);
});

describe("how long a run is", () => {
  test.each<[Flags, number]>([
    [{ "max-steps": 5 }, 5],
    [{ epochs: 0.5 }, 6],
    [{ epochs: 2, accumulate: 4 }, 6],
    [{ epochs: 1, "limit-train": 20 }, 3],
  ])("%j", async (flags, steps) => {
    const { events } = await train(`long-${steps}-${Object.keys(flags).at(-1)}`, { "batch-size": 8, ...flags });
    expect(stepsOf(events)).toBe(steps);
    expect(evaluations(events).at(-1)!.step).toBe(steps);
  });
});

describe("every method and kind of task", () => {
  test.each<[string, Flags, string]>([
    ["LoRA on all linears", { method: "lora", targets: "all-linear", rank: 2 }, "adapter_model.safetensors"],
    ["an Adapter as Pfeiffer", { method: "adapter", "reduction-factor": 4 }, "adapter.safetensors"],
    [
      "an Adapter as Houlsby",
      { method: "adapter", "adapter-kind": "houlsby", "reduction-factor": 4 },
      "adapter.safetensors",
    ],
    ["the head", { method: "head" }, "trained.safetensors"],
    ["RoBERTa", { model: "roberta" }, "adapter_model.safetensors"],
    ["a regression", { task: "stsb", data: "stsb" }, "adapter_model.safetensors"],
    ["pairs", { task: "rte", data: "rte", model: "roberta" }, "adapter_model.safetensors"],
    ["the paper's settings", { preset: "paper", "max-length": 32 }, "adapter_model.safetensors"],
  ])("%s", async (name, { model = "model", data = "sst2", ...flags }, file) => {
    const output = name.replaceAll(" ", "-");
    const given = { ...flags, model: at(String(model)), data: at(String(data)), "max-steps": 6, "batch-size": 8 };
    const { record } = await train(output, given);
    expect(Object.keys(await filesBelow(at(output, "adapter")))).toContain(file);
    const { code, out, err } = await deft("eval", at(output), "--json", "--threads", "1");
    // a text that the model cannot read whole is said, and nothing else
    const cut = /^(\d+ of \d+ texts (is|are) longer than .* (was|were) cut; .*\n)?$/;
    expect(code).toBe(0);
    expect(err).toMatch(cut);
    const { metrics } = JSON.parse(out);
    for (const [metric, value] of Object.entries(record.result!.metrics))
      if (value === null) expect(metrics[metric]).toBeNull();
      else expect(metrics[metric]).toBeCloseTo(value, 5);
  });

  test("a regression predicts a value", async () => {
    const { out } = await deft(
      "predict",
      at("a-regression"),
      "--text",
      "a film",
      "--pair",
      "it is dull",
      "--threads",
      "1",
    );
    const { value, ...rest } = JSON.parse(out) as { value: number };
    expect(Math.abs(value)).toBeLessThan(10);
    expect(rest).toEqual({ logits: [value] });
  });
});

test("compare: both variants, one row a method and seed, a page; finished runs are read back", async () => {
  const flags = { model: at("model"), task: "sst2", data: at("sst2"), "max-steps": 3, "batch-size": 8, threads: 1 };
  const given = { ...flags, methods: "lora,head", seeds: "1", output: at("compared") };
  const { code, out, err } = await deft("compare", ...argv(given), "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const { rows } = JSON.parse(out);
  expect(rows.map(({ method, seed }: { method: string; seed: number }) => [method, seed])).toEqual([
    ["lora", 1],
    ["head", 1],
  ]);
  expect(rows[0]).toMatchObject({ peft: { examples: 32 }, deft: { examples: 32 } });
  const [before, after] = [rows[0].peft, rows[0].deft].map(
    ({ density }) => density.encoder.thresholds["0.01"] as number,
  );
  expect(rows[0].densityChange.encoder).toBeCloseTo((before! - after!) / before!, 12);
  const names = Object.keys(await filesBelow(at("compared")));
  for (const name of ["comparison.json", "report.html", "lora-seed1-peft/run.json", "head-seed1-deft/report.html"])
    expect(names).toContain(name);
  const again = await deft("compare", ...argv(given), "--resume", "--json");
  expect(JSON.parse(again.out)).toEqual(JSON.parse(out));
  const other = await deft("compare", ...argv({ ...given, "max-steps": 4 }), "--resume");
  expect(other.code).toBe(2);
  expect(other.err).toContain("--max-steps: expected 3, as the run was started, got 4");
});

test("--json: one JSON value on standard output and nothing on standard error, also from a process of its own", async () => {
  const flags = argv({ model: at("model"), task: "sst2", data: at("sst2"), "max-steps": 2, output: at("json") });
  const { code, out, err } = await outcomeOf(startScript("src/cli/main.ts", ["train", ...flags, "--json"]));
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(JSON.parse(out)).toMatchObject({ run: at("json"), interrupted: false, result: { task: "sst2" } });
  const dry = await deft(
    "train",
    ...argv({ model: at("model"), task: "sst2", data: at("sst2"), output: at("dry") }),
    "--dry-run",
    "--json",
  );
  expect(JSON.parse(dry.out)).toMatchObject({ trainExamples: 96, totalSteps: 9 });
  expect(await filesBelow(at("dry"))).toEqual({});
});

test("profile of a model without a head", async () => {
  const { code, out } = await deft(
    "profile",
    at("model"),
    "--task",
    "sst2",
    "--data",
    at("sst2"),
    "--json",
    "--threads",
    "1",
  );
  expect(code).toBe(0);
  expect(JSON.parse(out).density.encoder.neurons).toBe(64);
});

test("what a method adds is no missing part of the checkpoint: nothing is warned of", async () => {
  const flags = { method: "adapter", "reduction-factor": 4, "max-steps": 2, "batch-size": 4 };
  const { events } = await train("no-warning", flags);
  expect(events.filter(({ type }) => type === "warning")).toEqual([]);
});
