// The library as a user writes it, on a tiny model: load, fine-tune, ask, read back.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { abs, greater, where } from "../../src/graph.ts";
import {
  adapter,
  ConfigError,
  DataError,
  FileError,
  fineTune,
  glue,
  type Hooks,
  loadModel,
  loadRun,
  lora,
  type MetricInput,
  nodeEnvironment,
  nodeFiles,
  rows,
  type TrainEvent,
  type TunedRun,
  table,
  workflow,
} from "../../src/node.ts";
import { openSettings } from "../../src/runs/index.ts";
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
    ["options", () => ({ learningRate: -1, epochs: 0 }), /^learningRate: .*\nepochs: /],
    ["options of the density loss", () => ({ density: { warmupRatio: 2 } }), /^density\.warmupRatio: /],
    [
      "a folder that holds a run",
      () => ({ output: join(folder, "run") }),
      /^output: expected a folder without a run.*\nAdd resume to go on/,
    ],
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

  test("an interrupted run without a checkpoint cannot be asked, one with a checkpoint answers by that", async () => {
    const stop = new AbortController();
    stop.abort();
    const data = await glue("sst2", sst2);
    const options = { ...SHORT, data, output: join(folder, "stopped") };
    const run = fineTune(model, { ...options, signal: stop.signal });
    const tuned = await run.result;
    expect(tuned).toMatchObject({ interrupted: true, result: null });
    await rm(join(folder, "stopped", "checkpoints"), { recursive: true, force: true });
    await expect(tuned.predict("a film")).rejects.toThrow(
      "expected a finished run, or one with a checkpoint, got neither",
    );
    const soon = new AbortController();
    const begun = fineTune(model, { ...options, output: join(folder, "begun"), signal: soon.signal, saveSteps: 1 });
    for await (const event of begun) if (event.type === "checkpoint") soon.abort();
    const answering = await begun.result;
    expect(answering.interrupted).toBe(true);
    expect(await answering.predict("a film")).toMatchObject([{ label: expect.any(String) }]);
    await answering.dispose();
  });
});

describe("a metric function", () => {
  const seen: MetricInput[] = [];
  const firstIsBest = (input: MetricInput) => {
    seen.push(input);
    return -seen.length;
  };
  const options = { ...SHORT, maxSteps: 6, evalSteps: 2, density: null, metric: firstIsBest };

  test("decides the best evaluation, and is asked for again on resume", async () => {
    const data = await glue("sst2", sst2);
    const output = join(folder, "own-metric");
    const events: TrainEvent[] = [];
    const run = fineTune(model, { ...options, data, output });
    for await (const event of run) events.push(event);
    const tuned = await run.result;
    expect(events.filter(({ type }) => type === "eval")).toMatchObject([
      { best: true },
      { best: false },
      { best: false },
    ]);
    expect(events.at(-1)).toMatchObject({ metricName: "custom_firstIsBest", bestStep: 2, bestMetric: -1 });
    expect(tuned.record.metricName).toBe("custom_firstIsBest");
    expect(tuned.result!.metrics).toMatchObject({ custom_firstIsBest: -1, accuracy: expect.any(Number) });
    expect(seen).toHaveLength(3);
    expect(seen[0]!.predictions).toHaveLength(32);
    expect(new Set(seen[0]!.labels)).toEqual(new Set(LABELS));
    expect(seen[0]!.probabilities.every((p) => p !== null && p >= 0.5)).toBe(true);
    const again = await fineTune(model, { ...options, data, output, resume: true }).result;
    expect(again.result).toEqual(tuned.result);
    const { metric: _, ...without } = options;
    await expect(fineTune(model, { ...without, data, output, resume: true }).result).rejects.toThrow(
      /^metric: expected the metric function firstIsBest, as the run was started, got accuracy\n.*the same metric/,
    );
    const named = fineTune(model, { ...options, metricName: "other", data, output, resume: true });
    await expect(named.result).rejects.toThrow(/got the metric function other/);
  });

  test.each<[string, object, RegExp]>([
    [
      "a name without a function",
      { metric: undefined, metricName: "cost" },
      /^metricName: expected metric to be a function/,
    ],
    ["a name that is none", { metricName: "a b" }, /^metricName: expected a name of letters.*got "a b"/],
    [
      "no number",
      { metric: () => "0.5" },
      /^metric: expected a function that gives a number, got a value of type string/,
    ],
    ["a metric that the task has not", { metric: "rouge9" }, /^metric: expected a metric of sst2/],
  ])("%s is refused", async (_, given, message) => {
    const data = await glue("sst2", sst2);
    const output = join(folder, `refused-${Object.keys(given).join()}-${message.source.length}`);
    const run = fineTune(model, { ...options, data, output, ...given });
    await expect(run.result).rejects.toThrow(message);
  });
});

describe("rows in memory", () => {
  const examples = tinyExamples(80).map(({ text, label }) => ({ review: text, verdict: label === 1 ? "good" : "bad" }));
  const columns = { textColumn: "review", labelColumn: "verdict" };
  const options = { ...SHORT, maxSteps: 4, density: null };
  let tuned: TunedRun;

  beforeAll(async () => {
    const data = await rows(examples, columns);
    tuned = await fineTune(model, { ...options, data, output: join(folder, "from-rows") }).result;
  });
  afterAll(() => tuned.dispose());

  test("a run keeps them in its folder, so that it is read back and scored like any other", async () => {
    expect(tuned.labels).toEqual(["bad", "good"]);
    expect(tuned.record.settings.data.path).toBe(join(folder, "from-rows", "rows.jsonl"));
    const again = await loadRun(tuned.folder);
    expect((await again.evaluate({ threads: 1 })).metrics).toEqual(tuned.result!.metrics);
    expect(await again.predict("a lovely film")).toMatchObject([{ label: expect.stringMatching(/good|bad/) }]);
    await again.dispose();
  });

  test("are held out as from a file, and resumed by their content", async () => {
    const file = join(folder, "same.jsonl");
    await writeFiles(folder, { "same.jsonl": examples.map((row) => JSON.stringify(row)).join("\n") });
    const output = join(folder, "from-file");
    const other = await fineTune(model, { ...options, data: await table(file, columns), output }).result;
    expect(other.result!.metrics).toEqual(tuned.result!.metrics);
    expect(other.result!.examples).toBe(tuned.result!.examples);
    async function* oneByOne() {
      for (const row of examples) yield await Promise.resolve(row);
    }
    const resume = { ...options, output: join(folder, "from-rows"), resume: true };
    const same = await fineTune(model, { ...resume, data: await rows(oneByOne(), columns) }).result;
    expect(same.result!.metrics).toEqual(tuned.result!.metrics);
    const changed = fineTune(model, { ...resume, data: await rows(examples.slice(2), columns) });
    await expect(changed.result).rejects.toThrow(/^data rows: expected the content the run was started with/);
  });

  test("a run that was stopped goes on from the rows in its folder, without the program", async () => {
    const stop = new AbortController();
    const data = await rows(examples, columns);
    const output = join(folder, "stopped-rows");
    const run = fineTune(model, { ...options, data, output, saveSteps: 1, signal: stop.signal });
    for await (const event of run) if (event.type === "checkpoint") stop.abort();
    expect((await run.result).interrupted).toBe(true);
    const settings = await openSettings(nodeFiles(), { flags: { output, resume: true } });
    const { record } = await workflow(nodeEnvironment()).train(settings).result;
    expect(record.result!.metrics).toEqual(tuned.result!.metrics);
  });

  test("train and dev of one's own, other rows to score, and exports", async () => {
    const data = await rows({ train: examples.slice(0, 60), dev: new Set(examples.slice(60)) }, columns);
    const run = await fineTune(model, { ...options, data, output: join(folder, "two-lists") }).result;
    expect(run.result!.examples).toBe(20);
    expect((await run.evaluate({ data: await rows(examples.slice(0, 7), columns), threads: 1 })).examples).toBe(7);
    const peft = await run.export({ format: "peft", output: join(folder, "as-peft") });
    expect(peft).toMatchObject({ format: "peft", output: join(folder, "as-peft") });
    const onnx = await run.export({ format: "onnx", output: join(folder, "as-onnx"), precisions: ["fp32"] });
    expect(onnx.files).toMatchObject([{ precision: "fp32" }]);
    await expect(run.export({ format: "adapters", output: join(folder, "no") })).rejects.toThrow(
      /^format adapters: expected a run of bottleneck adapters, got a run of lora\nExport it with format peft/,
    );
    const wrong = { format: "onx", output: "", precisions: ["int3"] } as unknown as { format: "onnx"; output: string };
    await expect(run.export(wrong)).rejects.toThrow(
      /^format: expected one of .*did you mean onnx.*\noutput: .*\nprecisions: /,
    );
    await run.dispose();
  });

  test("what is wrong with them is said by the row", async () => {
    const lacking = [...examples.slice(0, 17), { review: "a film", verdict: null }, ...examples.slice(18)];
    const run = fineTune(model, { ...options, data: await rows(lacking, columns), output: join(folder, "never") });
    const error = await run.result.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toMatch(/^rows\[17\], column verdict: /);
    expect((error as Error).stack).not.toContain("jsonl");
    const other = await rows({ train: examples, dev: [{ review: "a film", verdict: "fine" }] }, columns);
    const unknown = fineTune(model, { ...options, data: other, output: join(folder, "never") });
    await expect(unknown.result).rejects.toThrow(/^rows\.dev\[0\], column verdict: /);
    const nameless = fineTune(model, {
      ...options,
      data: await rows([{ a: "x", b: 1 }]),
      output: join(folder, "never"),
    });
    await expect(nameless.result).rejects.toThrow(/textColumn/);
    expect(existsSync(join(folder, "never"))).toBe(false);
    await expect(rows([], columns)).rejects.toThrow("rows: expected at least one row");
  });
});
