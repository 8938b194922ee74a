// `deft train --activation relu`: the run trains a changed model that it keeps, resumes as any other, and comparisons share one.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunRecord } from "../../src/runs/index.ts";
import { argv } from "../compress/t5-support.ts";
import { deft, filesBelow } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { stored, trainEvents } from "./resumable.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const recordOf = (run: string) => JSON.parse(readFileSync(at(run, "run.json"), "utf8")) as RunRecord;
const configOf = (model: string) =>
  JSON.parse(readFileSync(at(model, "config.json"), "utf8")) as Record<string, unknown>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-activation-"));
  await writeTinyModel(at("model"), { numLayers: 2 });
  await writeTinySst2(at("data"), { train: 90, dev: 24 });
  await writeTinyT5(at("t5"), { config: { feed_forward_proj: "gated-gelu" } });
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(40, 1), "dev.jsonl": tinySeq2seq(12, 2) });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const flags = (output: string) => ({
  model: at("model"),
  task: "sst2",
  data: at("data"),
  activation: "relu",
  "max-steps": 12,
  "eval-steps": 6,
  "batch-size": 8,
  "learning-rate": 5e-3,
  threads: 1,
  output: at(output),
});

test("the run keeps the changed model, is measured on it, and resumes with the same bytes", async () => {
  await trainEvents({}, flags("whole"));
  const { settings, result, fingerprints } = recordOf("whole");
  expect(settings).toMatchObject({ model: at("whole/base"), activation: null });
  expect(configOf("whole/base")["hidden_act"]).toBe("relu");
  expect(result!.density.headline).toBe("exact");
  // a GELU's are hardly ever zero
  expect(result!.density.encoder.exact).toBeLessThan(0.7);
  expect(JSON.parse(readFileSync(at("whole/base/plan.json"), "utf8"))).toMatchObject({
    activation: "relu",
    base: { model: at("model") },
  });
  expect(Object.keys(await filesBelow(at("whole/base")))).toContain("deft.sha256");
  // stopped behind its fifth step, which is saved
  const events = await trainEvents({}, flags("stopped"), 5);
  expect(events.at(-1)).toMatchObject({ type: "end", reason: "interrupted" });
  await trainEvents({}, { output: at("stopped"), resume: true });
  expect(recordOf("stopped").fingerprints).toEqual(fingerprints);
  const [one, other] = [await stored(at("whole")), await stored(at("stopped"))];
  const weights = (files: Record<string, string>) =>
    Object.entries(files).filter(([path]) => path.endsWith("adapter_model.safetensors"));
  expect(weights(other)).toEqual(weights(one));
  expect(weights(one)).toHaveLength(1);
});

test("with a share of activations that are left, the model is that sparse before training", async () => {
  await trainEvents({}, { ...flags("sparser"), "density-budget": 0.05, "max-steps": 2 });
  const { settings, result } = recordOf("sparser");
  expect(settings).toMatchObject({ activation: null, densityBudget: null });
  expect(JSON.parse(readFileSync(at("sparser/base/plan.json"), "utf8"))).toMatchObject({
    chosen: { activation: "relu", densityBudget: 0.05 },
  });
  expect(result!.density.encoder.exact).toBeLessThan(0.1);
});

test("a run that was moved with its model is asked, and gone on with, where it lies", async () => {
  await trainEvents({}, { ...flags("made-here"), "max-steps": 2 });
  const [before, score] = [recordOf("made-here").settings.model, recordOf("made-here").result!.metrics];
  await mkdir(at("elsewhere"));
  await rename(at("made-here"), at("elsewhere/moved"));
  expect(existsSync(before)).toBe(false);
  const { code, out, err } = await deft("eval", at("elsewhere/moved"), "--threads", "1", "--json");
  expect(code, err).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ metrics: score });
  await trainEvents({}, flags("to-go-on"), 5);
  await rename(at("to-go-on"), at("elsewhere/gone-on"));
  const events = await trainEvents({}, { output: at("elsewhere/gone-on"), resume: true });
  expect(events.at(-1)).toMatchObject({ type: "end", reason: "finished" });
  expect(recordOf("elsewhere/gone-on").settings.model).toBe(at("elsewhere/gone-on/base"));
});

test("all runs of a comparison are on one changed model, also when it is gone on with", async () => {
  const own = argv({
    model: at("model"),
    task: "sst2",
    data: at("data"),
    activation: "relu",
    "max-steps": "4",
    seeds: "1,2",
    threads: "1",
  });
  expect(await deft("compare", ...own, "--output", at("compared"), "-q")).toMatchObject({ code: 0 });
  const runs = ["lora-seed1-peft", "lora-seed1-deft", "lora-seed2-peft", "lora-seed2-deft"].map((run) =>
    recordOf(join("compared", run)),
  );
  for (const { settings } of runs) expect(settings.model).toBe(at("compared/base"));
  expect(new Set(runs.map(({ fingerprints }) => fingerprints["base"])).size).toBe(1);
  const before = await filesBelow(at("compared/base"));
  expect(await deft("compare", ...own, "--output", at("compared"), "--resume", "-q")).toMatchObject({ code: 0 });
  expect(await filesBelow(at("compared/base"))).toEqual(before);
});

test("a T5 with gates in its MLPs too", async () => {
  const own = argv({ model: at("t5"), task: "seq2seq", data: at("texts"), "max-target-length": "4", targets: "q,v" });
  const more = argv({ activation: "relu", "max-steps": 2, threads: 1, output: at("writer") });
  const { code, err } = await deft("train", ...own, ...more, "-q");
  expect(code, err).toBe(0);
  expect(configOf("writer/base")).toMatchObject({ feed_forward_proj: "gated-relu", mlp_bias: true });
  expect(recordOf("writer").result!.density.decoder!.exact).toBeLessThan(0.7);
});

test("what cannot be is refused before anything is written", async () => {
  const own = (name: string) =>
    argv({ model: at("model"), task: "sst2", data: at("data"), "max-steps": 2, threads: 1, output: at(name) });
  expect((await deft("train", ...own("run-4-bits"), "--method", "qlora", "-q")).code).toBe(0);
  const form = argv({ format: "merged", quantize: "nf4", output: at("in-4-bits") });
  expect((await deft("export", at("run-4-bits"), ...form, "-q")).code).toBe(0);
  for (const [more, message] of [
    [["--model", at("in-4-bits")], "--activation: expected a model in float"],
    [["--density-budget", "1.5"], "--density-budget: expected a number < 1, got 1.5"],
    [["--targets", "nothing-of-that-name"], "targets: expected linear layers"],
    [["--data", at("nowhere")], "nowhere"],
  ] as const) {
    const { code, err } = await deft("train", ...own("refused"), "--activation", "relu", ...more);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(existsSync(at("refused"))).toBe(false);
  }
  const alone = await deft("train", ...own("refused"), "--density-budget", "0.05");
  expect([alone.code, alone.err]).toEqual([
    2,
    expect.stringContaining("expected --activation relu, whose zeros it counts"),
  ]);
});
