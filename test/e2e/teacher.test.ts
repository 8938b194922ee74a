// Training with a teacher: its answers to the right examples, resumed to the bit, beside every method and extra; and what is recorded.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/errors.ts";
import { workflow } from "../../src/library/index.ts";
import { fineTune, full, loadModel, nodeEnvironment, table } from "../../src/node.ts";
import { openSettings, parseEvents, readRun } from "../../src/runs/index.ts";
import { deft } from "../support/command.ts";
import { tinySquad, writeTinyT5 } from "../support/tiny-answers.ts";
import { tinyExamples, writeFiles, writeTinyModel, writeTinySst2, writeTinyStsb } from "../support/tiny-model.ts";
import { essence, steps, stored, trainEvents } from "./resumable.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const environment = nodeEnvironment();
/** Without dropout a model that begins as its teacher says what it says. */
const STILL = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-teacher-"));
  await writeTinyModel(at("model"), { numLayers: 2 });
  await writeTinySst2(at("data"), { train: 90, dev: 20 });
  await trained({ method: "full", "max-steps": 20, output: at("teacher") });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SHARED = { task: "sst2", "density-weight": 0, "batch-size": 8, "learning-rate": 5e-3, threads: 1 };

const trained = (flags: Readonly<Record<string, unknown>>, stopAfter?: number) =>
  trainEvents({ model: at("model"), data: at("data"), ...SHARED, "max-steps": 16 }, flags, stopAfter);

describe("a model that begins as its own teacher has nothing to learn from it", () => {
  test.each([
    ["classes", "sst2", ["negative", "positive"]],
    ["unnamed classes", "sst2", ["LABEL_0", "LABEL_1"]],
    ["scores", "stsb", ["LABEL_0"]],
  ])("%s: at weight 1 the loss of each batch of the first epoch is 0", async (name, task, labels) => {
    const [model, data] = [at(`${name} model`), at(`${task} data`)];
    const id2label = Object.fromEntries(labels.map((label, i) => [i, label]));
    await writeTinyModel(model, { headLabels: labels.length, config: { ...STILL, id2label } });
    await (task === "stsb" ? writeTinyStsb : writeTinySst2)(data, { train: 50, dev: 8 });
    const flags = { model, data, task, teacher: model, method: "full", "learning-rate": 1e-12, accumulate: 2 };
    const events = await trained({ ...flags, "distillation-weight": 1, "max-steps": 4 });
    expect(steps(events)).toHaveLength(4);
    for (const { taskLoss, loss } of steps(events)) {
      expect(Math.abs(taskLoss)).toBeLessThan(1e-5);
      expect(loss).toBe(taskLoss);
    }
    const [labelsAlone] = steps(await trained({ ...flags, "distillation-weight": 0, "max-steps": 1 }));
    const [both] = steps(await trained({ ...flags, "max-steps": 1 }));
    expect(labelsAlone!.taskLoss).toBeGreaterThan(0.1);
    expect(both!.taskLoss).toBeCloseTo(labelsAlone!.taskLoss / 2, 5);
  });
});

test("a model that writes its answers is refused a teacher before it is asked", async () => {
  await writeTinyT5(at("t5"));
  await writeFiles(at("questions"), { "train-v1.1.json": tinySquad(20, 1), "dev-v1.1.json": tinySquad(4, 2) });
  const flags = { model: at("t5"), data: at("questions"), task: "squad", teacher: at("t5"), output: at("written") };
  await expect(trained(flags)).rejects.toThrow(
    /--teacher .*: expected a model that answers by labels or by pointing, whose logits are learned, got one that writes/,
  );
  expect(await environment.files.stat(at("written"))).toBeNull();
});

describe("an encoder that points at answers", () => {
  const squad = { task: "squad", "max-length": 12, "doc-stride": 2, "max-steps": 4 };
  beforeAll(async () => {
    const still = { numLayers: 2, config: STILL };
    await writeTinyModel(at("still"), still);
    await writeFiles(at("squad"), { "train-v1.1.json": tinySquad(40, 1), "dev-v1.1.json": tinySquad(8, 2) });
    const flags = { ...squad, model: at("still"), data: at("squad"), method: "full", "max-steps": 30 };
    await trained({ ...flags, output: at("span teacher") });
    const { code, err } = await deft("export", at("span teacher"), "--format", "merged", "--output", at("span model"));
    expect({ code, err }).toMatchObject({ code: 0 });
  });

  test("that begins as its teacher has nothing to learn from it: every window gets its own logits", async () => {
    const same = { ...squad, model: at("span model"), data: at("squad"), method: "full", "learning-rate": 1e-12 };
    const flags = { ...same, teacher: at("span model"), accumulate: 2 };
    const events = await trained({ ...flags, "distillation-weight": 1 });
    for (const { taskLoss } of steps(events)) expect(Math.abs(taskLoss)).toBeLessThan(1e-5);
    const [labelsAlone] = steps(await trained({ ...flags, "distillation-weight": 0, "max-steps": 1 }));
    const [both] = steps(await trained({ ...flags, "max-steps": 1 }));
    expect(labelsAlone!.taskLoss).toBeGreaterThan(0.1);
    expect(both!.taskLoss).toBeCloseTo(labelsAlone!.taskLoss / 2, 5);
    // one window's logits at another would not be its own
    const other = steps(await trained({ ...flags, model: at("still"), "distillation-weight": 1, "max-steps": 1 }));
    expect(other[0]!.taskLoss).toBeGreaterThan(0.01);
  });

  test("resumes to the bit, and is refused a teacher that reads other tokens", async () => {
    const flags = { ...squad, model: at("still"), data: at("squad"), teacher: at("span teacher"), "max-steps": 8 };
    const whole = await trained({ ...flags, output: at("span whole") });
    const first = await trained({ ...flags, output: at("span cut") }, 5);
    const second = await trained({ output: at("span cut"), resume: true });
    expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
    const adapter = async (name: string) =>
      Object.entries(await stored(at(name))).filter(([path]) => path.startsWith("adapter/"));
    expect(await adapter("span cut")).toEqual(await adapter("span whole"));
    await writeTinyModel(at("byte level"), { modelType: "roberta", config: STILL });
    const odd = { ...flags, "max-length": 60, model: at("byte level"), output: at("refused") };
    await expect(trained(odd)).rejects.toThrow(/expected a model with the same tokenizer, whose tokens it answers for/);
    expect(await environment.files.stat(at("refused"))).toBeNull();
  });
});

test("stopped at step 9 and resumed, in micro-batches, the run ends with the same bytes", async () => {
  const flags = { teacher: at("teacher"), accumulate: 2, "batch-size": 4, "eval-steps": 8, "save-steps": 5 };
  const whole = await trained({ ...flags, output: at("whole") });
  const first = await trained({ ...flags, output: at("halves") }, 9);
  const second = await trained({ output: at("halves"), resume: true });
  expect(steps(second)[0]!.step).toBe(10);
  expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
  expect(await stored(at("halves"))).toEqual(await stored(at("whole")));
  const { record } = await readRun(environment.files, at("whole"));
  expect(record.settings.distillation).toEqual({ teacher: at("teacher"), weight: 0.5 });
  expect(record.fingerprints.teacher).toMatch(/^[0-9a-f]{64}$/);
  // scores are stated by the labels alone
  const again = await workflow(environment).evaluate({ kind: "run", folder: at("whole") }, {});
  expect(again.loss).toBeCloseTo(record.result!.loss, 6);
});

test("a teacher that has become another one is told on resume", async () => {
  await trained({ method: "head", "max-steps": 4, output: at("changing") });
  await trained({ teacher: at("changing"), output: at("stopped") }, 5);
  await rm(at("changing"), { recursive: true });
  await trained({ method: "head", "max-steps": 4, seed: 7, output: at("changing") });
  const error = await trained({ output: at("stopped"), resume: true }).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as ConfigError).issues).toMatchObject([
    { path: `--teacher ${at("changing")}`, expected: expect.stringContaining("the content the run was started with") },
  ]);
});

test.each<[string, Record<string, unknown>]>([
  ["full", { method: "full", "learning-rate": 1e-3 }],
  [
    "adapter, gates, removal",
    {
      method: "adapter",
      ada: true,
      gates: "sigmoid",
      "keep-neurons": 0.5,
      "density-loss": "neurons",
      "density-weight": 1,
    },
  ],
  ["LoRA on a quantised base", { method: "qlora" }],
  ["stage by stage", { staged: true }],
])("goes with %s", async (name, own) => {
  const output = at(`with ${name}`);
  const all = steps(await trained({ teacher: at("teacher"), ...own, output }));
  expect(all).toHaveLength(16);
  for (const { taskLoss } of all) expect(taskLoss).toBeGreaterThan(0);
  expect((await readRun(environment.files, output)).record.result).not.toBeNull();
});

test("a run that was taught teaches in turn, gates and all; so does what it was compressed to", async () => {
  const small = at("small");
  const gated = { ada: true, gates: "sigmoid", "keep-neurons": 0.5, targets: "all-linear", output: at("gated") };
  await trained({ teacher: at("teacher"), ...gated });
  const { compressOptions, compressRun } = await import("../../src/jobs/index.ts");
  const target = { kind: "run", folder: at("gated") } as const;
  await compressRun(environment, target, compressOptions({ output: small }), { threads: 1 }).result;
  const losses: number[][] = [];
  for (const teacher of [at("gated"), small])
    losses.push(essence(await trained({ teacher, "max-steps": 3 })).map(({ taskLoss }) => taskLoss));
  losses[0]!.forEach((loss, i) => {
    expect(losses[1]![i]).toBeCloseTo(loss, 5);
  });
});

test("stopped while the teacher is asked, a run has not begun: nothing is written", async () => {
  const flags = { model: at("model"), data: at("data"), ...SHARED, teacher: at("teacher"), output: at("unbegun") };
  const settings = await openSettings(environment.files, { flags });
  const running = workflow(environment).train(settings, { signal: AbortSignal.abort() });
  expect(await running.result).toMatchObject({ interrupted: true, folder: null });
  expect(await environment.files.stat(at("unbegun"))).toBeNull();
});

test("the teacher's examples are counted while it is asked, and its events are kept before the run's start", async () => {
  const flags = { model: at("model"), data: at("data"), ...SHARED, teacher: at("teacher"), output: at("told") };
  const running = workflow(environment).train(await openSettings(environment.files, { flags }));
  const types: string[] = [];
  const done: number[] = [];
  for await (const event of running) {
    if (types.at(-1) !== event.type) types.push(event.type);
    if (event.type === "teacher") done.push(event.done / event.examples);
  }
  expect(types.slice(0, 3)).toEqual(["teacher", "start", "step"]);
  expect(done[0]).toBe(0);
  expect(done.at(-1)).toBe(1);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  const kept = parseEvents("events.jsonl", await readFile(at("told", "events.jsonl"), "utf8"));
  expect(kept.filter(({ type }) => type === "teacher")).toHaveLength(done.length);
  expect(kept.findIndex(({ type }) => type === "start")).toBe(done.length);
});

test("--dry-run opens the teacher too", async () => {
  const flags = { model: at("model"), data: at("data"), ...SHARED, teacher: at("teacher"), output: at("dry") };
  const settings = await openSettings(environment.files, { flags });
  expect((await workflow(environment).estimate(settings)).durationMs).toBeGreaterThan(0);
  expect(await environment.files.stat(at("dry"))).toBeNull();
});

test("the library: a teacher by its folder, told apart by labels", async () => {
  const rows = tinyExamples(40).map(({ text, label }) => JSON.stringify({ text, label: label === 1 ? "good" : "bad" }));
  await writeFiles(at("own"), { "all.jsonl": `${rows.join("\n")}\n` });
  const options = { data: await table(at("own", "all.jsonl")), density: null, maxSteps: 4, batchSize: 8, threads: 1 };
  const base = await loadModel(at("model"));
  const teacher = await fineTune(base, { ...options, method: full(), output: at("own teacher") }).result;
  const taught = await fineTune(base, {
    ...options,
    teacher: teacher.folder,
    distillationWeight: 0.25,
    output: at("own taught"),
  }).result;
  expect(taught.record.settings.distillation).toEqual({ teacher: at("own teacher"), weight: 0.25 });
  const run = JSON.parse(await readFile(at("own taught", "run.json"), "utf8")) as {
    settings: { distillation: object };
  };
  expect(run.settings.distillation).toEqual({ teacher: at("own teacher"), weight: 0.25 });
  const wrong = fineTune(base, { ...options, teacher: at("teacher"), output: at("wrong") });
  await expect(wrong.result).rejects.toThrow(
    /^teacher .*: expected a run of task text-classification, got one of sst2\nteacher .*: expected the labels of the data, \["bad","good"\], got \["negative","positive"\]/,
  );
});
