// The library as a user writes it, on a tiny model: load, fine-tune, ask, read back.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { abs, greater, where } from "../../src/graph.ts";
import {
  adapter,
  ConfigError,
  FileError,
  fineTune,
  glue,
  type Hooks,
  loadModel,
  loadRun,
  lora,
  type TrainEvent,
  type TunedRun,
  table,
} from "../../src/node.ts";
import { tinyExamples, writeFiles, writeTinyModel, writeTinySst2, writeTinyStsb } from "../support/tiny-model.ts";

const LABELS = ["negative", "positive"];
const OWN: Hooks = { activation: (_, a) => a };
const SHORT = { maxSteps: 12, batchSize: 8, learningRate: 1e-2, seed: 1, threads: 1 };

let folder: string;
let model: string;
let sst2: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-library-"));
  [model, sst2] = [join(folder, "model"), join(folder, "SST-2")];
  await writeTinyModel(model);
  await writeTinySst2(sst2);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a run from load to prediction", () => {
  const events: TrainEvent[] = [];
  let tuned: TunedRun;

  beforeAll(async () => {
    const base = await loadModel(model, { task: "sequence-classification", labels: LABELS });
    const data = await glue("sst2", sst2);
    const method = lora({ rank: 4, targets: "all-linear" });
    const run = fineTune(base, { ...SHORT, method, density: { weight: 0.5 }, data, output: join(folder, "run") });
    for await (const event of run) events.push(event);
    tuned = await run.result;
  });
  afterAll(() => tuned.dispose());

  test("yields every event, and the tuned run at the end", () => {
    expect(events[0]).toMatchObject({ type: "start", totalSteps: 12, method: "lora", seed: 1 });
    expect(events.filter(({ type }) => type === "step")).toHaveLength(12);
    expect(events.at(-1)).toMatchObject({ type: "end", reason: "finished" });
    expect(tuned).toMatchObject({ interrupted: false, labels: LABELS, folder: join(folder, "run") });
  });

  test("writes the options into the run's settings", () => {
    const { method, density, optim } = tuned.record.settings;
    expect(method).toMatchObject({ kind: "lora", rank: 4, targets: "all-linear" });
    expect(density.weight).toBe(0.5);
    expect(optim).toMatchObject({ maxSteps: 12, batchSize: 8, learningRate: 1e-2 });
  });

  test("predicts one text, a pair or several, with a program that stays open", async () => {
    const [one] = await tuned.predict("the plot is gripping");
    expect(one).toMatchObject({ label: expect.stringMatching(/^(negative|positive)$/) });
    const several = await tuned.predict(["the plot is gripping", { text: "a dull film", pair: "it is flat" }]);
    expect(several).toHaveLength(2);
    // padded beside a longer text, the sums run in another order
    const logitsOf = (prediction = one!) => ("logits" in prediction ? prediction.logits : []);
    expect(logitsOf()).toHaveLength(2);
    logitsOf(several[0]).forEach((logit, i) => {
      expect(logit).toBeCloseTo(logitsOf()[i]!, 5);
    });
    expect(await tuned.predict([])).toEqual([]);
  });

  test("evaluates as the run did, on its own split and on another source", async () => {
    const again = await tuned.evaluate({ threads: 1 });
    expect(again.metrics).toEqual(tuned.result!.metrics);
    const limited = await tuned.evaluate({ data: await glue("sst2", sst2, { limitEval: 10 }), threads: 1 });
    expect(limited.examples).toBe(10);
  });

  test("is read back by its folder", async () => {
    const again = await loadRun(tuned.folder);
    expect(again.result).toEqual(tuned.result);
    expect(await again.predict("a tender story")).toEqual(await tuned.predict("a tender story"));
    await again.dispose();
  });

  test("profiles a base model with its adapter and hooks of one's own", async () => {
    const tau = 0.05;
    const plain = await loadModel(model, { adapter: join(tuned.folder, "adapter") });
    const cut = await loadModel(model, {
      adapter: join(tuned.folder, "adapter"),
      hooks: { activation: (_, a) => where(greater(abs(a), tau), a, 0) },
    });
    const data = await glue("sst2", sst2);
    const [before, after] = [await plain.profile({ data, threads: 1 }), await cut.profile({ data, threads: 1 })];
    const first = (profile: typeof before) => profile.density.layers[0]!;
    expect(first(before).exact).toBeGreaterThan(0.9);
    expect(first(after).exact).toBe(first(before).thresholds["0.05"]);
  });
});

test("fine-tunes on one's own table with an adapter, and resumes", async () => {
  const file = join(folder, "films.csv");
  const rows = tinyExamples(80).map(({ text, label }) => `${text},${label === 1 ? "good" : "bad"}`);
  await writeFiles(folder, { "films.csv": ["review,verdict", ...rows, ""].join("\n") });
  const data = await table(file, { textColumn: "review", labelColumn: "verdict" });
  const options = { ...SHORT, maxSteps: 4, data, method: adapter({ reductionFactor: 4 }), density: null } as const;
  const output = join(folder, "films");
  const tuned = await fineTune(model, { ...options, output }).result;
  expect(tuned.labels).toEqual(["bad", "good"]);
  expect(tuned.record.settings.density.weight).toBe(0);
  const resumed = await fineTune(model, { ...options, output, resume: true }).result;
  expect(resumed.result!.metrics).toEqual(tuned.result!.metrics);
});

test("warns, once, when the density loss drives the task to chance", async () => {
  const events: TrainEvent[] = [];
  const density = { weight: 1000, warmupRatio: 0, epsilon: 1e-2 };
  const data = await glue("sst2", sst2);
  const options = { ...SHORT, maxSteps: 120, evalSteps: 120, data, density, method: lora({ targets: "all-linear" }) };
  const run = fineTune(model, { ...options, output: join(folder, "collapsed") });
  for await (const event of run) events.push(event);
  const warnings = events.filter((event) => event.type === "warning");
  expect(warnings).toEqual([expect.objectContaining({ code: "collapse", step: 100 })]);
  expect(warnings[0]!.message).toContain("no better than guessing");
});

test("profiles a model on data of another task, and a regression", async () => {
  const base = await loadModel(model);
  const file = join(folder, "three.csv");
  await writeFiles(folder, { "three.csv": "text,label\none story,x\nthe plot,y\na film,z\n" });
  const { examples, density } = await base.profile({ data: await table(file), threads: 1 });
  expect(examples).toBe(3);
  expect(density.layers).toHaveLength(base.numLayers);
  await writeTinyStsb(join(folder, "STS-B"));
  const data = await glue("stsb", join(folder, "STS-B"), { limitEval: 8 });
  const tuned = await fineTune(model, { ...SHORT, maxSteps: 2, data, output: join(folder, "stsb") }).result;
  expect(await tuned.profile({ threads: 1 })).toMatchObject({ examples: 8, density: tuned.result!.density });
  const [answer, ...others] = await tuned.predict({ text: "a film", pair: "the film" });
  const { value } = answer as { value: number };
  expect(Math.abs(value)).toBeLessThan(10);
  expect([answer, ...others]).toEqual([{ value, logits: [value] }]);
});

describe("what is wrong is said before anything is trained", () => {
  test.each([
    ["options", () => ({ learningRate: -1, epochs: 0 }), /--learning-rate: .*\n--epochs: /],
    ["a folder that holds a run", () => ({ output: join(folder, "run") }), /--output: expected a folder without a run/],
    [
      "a method with hooks of its own",
      () => ({ method: { ...lora(), hooks: { ...lora().hooks, ...OWN } } }),
      /method: expected lora\(\)/,
    ],
  ])("%s", async (_, options, message) => {
    const data = await glue("sst2", sst2);
    const run = fineTune(model, { data, output: join(folder, "never"), ...options() });
    const error = await run.result.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message).toMatch(message);
  });

  test("labels in another order than the data's", async () => {
    const base = await loadModel(model, { labels: ["positive", "negative"] });
    const run = fineTune(base, { data: await glue("sst2", sst2), output: join(folder, "never") });
    await expect(run.result).rejects.toThrow('labels: expected those of the data, ["negative","positive"]');
  });

  test("data that is not there", async () => {
    await expect(glue("rte", join(folder, "RTE"))).rejects.toThrow(FileError);
    await expect(table(join(folder, "no.csv"))).rejects.toThrow(FileError);
  });

  test("an interrupted run cannot be asked", async () => {
    const stop = new AbortController();
    stop.abort();
    const data = await glue("sst2", sst2);
    const run = fineTune(model, { ...SHORT, data, output: join(folder, "stopped"), signal: stop.signal });
    const tuned = await run.result;
    expect(tuned).toMatchObject({ interrupted: true, result: null });
    await expect(tuned.predict("a film")).rejects.toThrow("expected a finished run, got one that has not ended");
  });
});
