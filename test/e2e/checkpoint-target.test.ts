// A checkpoint, and a run that has not ended, are evaluated, predicted with, exported and compressed like a run.
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseEvents } from "../../src/runs/index.ts";
import { deft, filesBelow } from "../support/command.ts";

const before = process.cwd();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-checkpoint-"));
  await cp(join(import.meta.dirname, "../golden/run-0.1.0"), folder, { recursive: true });
  process.chdir(folder);
});

afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

/** What the run itself measured after `step` steps. */
async function noted(run: string, step: number): Promise<{ readonly loss: number; readonly metrics: unknown }> {
  const events = parseEvents("events.jsonl", await readFile(join(run, "events.jsonl"), "utf8"));
  const found = events.find((event) => event.type === "eval" && event.step === step);
  if (found?.type !== "eval") throw new Error(`no evaluation at step ${step}`);
  return { loss: found.loss, metrics: found.metrics };
}

const evaluated = async (target: string) => {
  const { code, out, err } = await deft("eval", target, "--json");
  expect(code, err).toBe(0);
  const { loss, metrics } = JSON.parse(out) as { loss: number; metrics: unknown };
  return { loss, metrics, err };
};

describe.each([4, 8, 12])("checkpoints/step-%i", (step) => {
  test("scores as the run did at that step", async () => {
    const wanted = await noted("run", step);
    for (const target of [`run/checkpoints/step-${step}`, `run/checkpoints/step-${step}/`]) {
      const { loss, metrics } = await evaluated(target);
      expect(loss).toBeCloseTo(wanted.loss, 5);
      expect(metrics).toEqual(wanted.metrics);
    }
  });
});

test("a run that has not ended stands for the checkpoint that it would keep, which is said", async () => {
  const { loss, err } = await evaluated("interrupted");
  expect(loss).toBeCloseTo((await noted("interrupted", 4)).loss, 5);
  expect(err).toContain("interrupted has not ended: its checkpoint of step 4 is used");
});

test.each([
  ["peft", ["export", "--format", "peft"], "adapter_model.safetensors"],
  ["merged", ["export", "--format", "merged"], "model.safetensors"],
  ["onnx", ["export", "--format", "onnx", "--precision", "fp32"], "onnx/model.onnx"],
  ["compressed", ["compress", "--keep-neurons", "0.5"], "model.safetensors"],
])("exports and compresses: %s", async (name, [command, ...flags], file) => {
  for (const target of ["interrupted", "run/checkpoints/step-8"]) {
    const output = `${name}-${target.replaceAll("/", "-")}`;
    const { code, err } = await deft(command!, target, ...flags, "--output", output);
    expect(code, err).toBe(0);
    expect(Object.keys(await filesBelow(output))).toContain(file);
  }
});

test("what is not there is refused with what is", async () => {
  const missing = await deft("eval", "run/checkpoints/step-7");
  expect(missing.code).toBe(2);
  expect(missing.err).toContain("step-7: expected a checkpoint of the run, got step-4, step-8, step-12");
  await rm("interrupted/checkpoints", { recursive: true });
  const begun = await deft("predict", "interrupted", "--text", "a");
  expect(begun.code).toBe(2);
  expect(begun.err).toContain("deft train --output interrupted --resume");
});
