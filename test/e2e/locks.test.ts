// One writer a folder: of two processes, or two calls in one, one runs and the other says who holds it; the run is as if alone.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compressOptions } from "../../src/jobs/index.ts";
import { fineTune, glue, nodeEnvironment, workflow } from "../../src/node.ts";
import { deft, filesBelow, outcomeOf, startScript } from "../support/command.ts";
import { writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";

let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const STEPS = ["--batch-size", "8", "--max-steps", "30", "--eval-steps", "10", "--threads", "1"];
const train = (output: string, ...rest: readonly string[]) => {
  const named = ["--model", at("model"), "--task", "sst2", "--data", at("data"), "--output", at(output)];
  return ["train", ...named, ...STEPS, ...rest];
};
const adapterOf = async (run: string) => filesBelow(at(run, "adapter"));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-locks-"));
  await writeTinyModel(at("model"), { numLayers: 1 });
  await writeTinySst2(at("data"), { train: 90, dev: 20 });
  expect((await deft(...train("alone"), "-q")).code).toBe(0);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const HELD = /expected a folder that nobody else writes, got one held by process \d+ on \S+, since 20/;

test("of processes that begin together on one folder one runs, and the others say who holds it", {
  timeout: 300_000,
}, async () => {
  const started = [1, 2, 3].map(() => outcomeOf(startScript("src/cli/main.ts", train("together"))));
  const outcomes = await Promise.all(started);
  const codes = outcomes.map(({ code }) => code).sort((a, b) => a - b);
  expect(codes, outcomes.map(({ err }) => err).join("\n")).toEqual([0, 2, 2]);
  for (const { code, err } of outcomes)
    if (code === 2) expect(err).toMatch(new RegExp(`${HELD.source}|expected a folder without a run`));
  expect(await adapterOf("together")).toEqual(await adapterOf("alone"));
  expect(existsSync(at("together", ".lock"))).toBe(false);
});

test("--resume, and a new run, beside a living one are refused, and do it no harm", { timeout: 300_000 }, async () => {
  const living = startScript("src/cli/main.ts", train("living", "--max-steps", "60"));
  let others: Promise<readonly { code: number; err: string }[]> | null = null;
  const { code, err } = await outcomeOf(living, (text) => {
    if (others !== null || !/step|training/.test(text.err) || !existsSync(at("living", "run.json"))) return;
    others = Promise.all([
      deft("train", "--output", at("living"), "--resume", "-q"),
      deft(...train("living"), "-q"),
      deft("compare", ...train("living").slice(1), "--resume", "-q"),
    ]);
  });
  expect(code, err).toBe(0);
  const [resumed, anew] = await others!;
  for (const outcome of [resumed!, anew!]) {
    expect(outcome.code).toBe(2);
    expect(outcome.err).toMatch(HELD);
  }
  expect((await deft(...train("apart", "--max-steps", "60"), "-q")).code).toBe(0);
  expect(await adapterOf("living")).toEqual(await adapterOf("apart"));
});

test("two calls in one process on one folder: one runs", async () => {
  const options = { data: await glue("sst2", at("data")), output: at("twice"), maxSteps: 6, batchSize: 8, threads: 1 };
  const results = await Promise.allSettled([
    fineTune(at("model"), options).result,
    fineTune(at("model"), options).result,
  ]);
  const failed = results.filter(({ status }) => status === "rejected");
  expect(failed).toHaveLength(1);
  expect(String((failed[0] as PromiseRejectedResult).reason)).toMatch(/held by this process itself/);
  for (const result of results) if (result.status === "fulfilled") await result.value.dispose();
});

test("a process that was killed leaves a lock, which the next takes over with a word", {
  timeout: 300_000,
}, async () => {
  const killed = startScript("src/cli/main.ts", train("killed", "--max-steps", "400"));
  const { signal } = await outcomeOf(killed, () => {
    if (existsSync(at("killed", "checkpoints", "step-10"))) killed.kill("SIGKILL");
  });
  expect(signal).toBe("SIGKILL");
  expect(existsSync(at("killed", ".lock"))).toBe(true);
  const { code, err } = await deft("train", "--output", at("killed"), "--resume", "--max-steps", "400", "-q");
  expect(code, err).toBe(0);
  expect(err).toMatch(/killed: process \d+, which wrote here since 20\S+, is gone; going on in its place/);
  expect(existsSync(at("killed", ".lock"))).toBe(false);
});

test("two compressions into one folder: one runs, and its folder is whole", async () => {
  const { compress } = workflow(nodeEnvironment());
  const options = compressOptions({ output: at("small"), "keep-neurons": 0.5 });
  const both = [1, 2].map(() => compress({ kind: "run", folder: at("alone") }, options, { threads: 1 }).result);
  const results = await Promise.allSettled(both);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const names = Object.keys(await filesBelow(at("small")));
  for (const name of ["config.json", "model.safetensors", "plan.json", "compression.json", "events.jsonl"])
    expect(names).toContain(name);
  expect(names.filter((name) => name.startsWith("."))).toEqual([]);
  expect((await deft("eval", at("small"), "--threads", "1", "-q")).code).toBe(0);
});
