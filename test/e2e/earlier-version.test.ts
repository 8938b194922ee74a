// A run folder written by version 0.1.0 of this package still opens, scores, resumes and compresses as it did there.
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openSafetensorsFile } from "../../src/hub/index.ts";
import { deft } from "../support/command.ts";

const STORED = join(import.meta.dirname, "../golden/run-0.1.0");
const before = process.cwd();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-earlier-"));
  await cp(STORED, folder, { recursive: true });
  // the records name the model and the data by relative paths
  process.chdir(folder);
});

afterAll(async () => {
  process.chdir(before);
  await rm(folder, { recursive: true, force: true });
});

const json = async (path: string) => JSON.parse(await readFile(join(folder, path), "utf8")) as Record<string, unknown>;

async function tensorsOf(path: string): Promise<Map<string, Float32Array>> {
  const opened = await openSafetensorsFile(nodeFiles(), join(folder, path));
  const values = new Map<string, Float32Array>();
  for (const [name, weight] of opened.weights) values.set(name, (await weight.read()).data as Float32Array);
  return values;
}

/** Another processor may round otherwise; on the one that wrote the folder the bytes are equal. */
async function expectSameTensors(got: string, wanted: string): Promise<void> {
  const [actual, expected] = [await tensorsOf(got), await tensorsOf(wanted)];
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, values] of expected)
    actual.get(name)!.forEach((value, i) => {
      expect(Math.abs(value - values[i]!), `${name}[${i}]`).toBeLessThanOrEqual(1e-5);
    });
}

test("eval and predict give what they gave", async () => {
  const evaluated = JSON.parse((await deft("eval", "run", "--json")).out) as { loss: number; metrics: unknown };
  const wanted = (await json("expected-eval.json")) as unknown as typeof evaluated;
  expect(evaluated.metrics).toEqual(wanted.metrics);
  expect(evaluated.loss).toBeCloseTo(wanted.loss, 5);
  const predicted = JSON.parse((await deft("predict", "run", "--text", "a lovely funny story")).out) as {
    label: string;
    logits: number[];
  };
  const answer = (await json("expected-predict.json")) as unknown as typeof predicted;
  expect(predicted.label).toBe(answer.label);
  predicted.logits.forEach((logit, i) => {
    expect(logit).toBeCloseTo(answer.logits[i]!, 5);
  });
});

test("an interrupted run resumes and ends with the parameters, the best checkpoint and the adapter of that version", async () => {
  await cp(join(folder, "interrupted"), join(folder, "resumed"), { recursive: true });
  const { code, err } = await deft("train", "--output", "resumed", "--resume");
  expect(code, err).toBe(0);
  await expectSameTensors("resumed/adapter/adapter_model.safetensors", "run/adapter/adapter_model.safetensors");
  for (const step of [4, 8, 12])
    for (const file of ["trainable.safetensors", "optimizer.safetensors"])
      await expectSameTensors(`resumed/checkpoints/step-${step}/${file}`, `run/checkpoints/step-${step}/${file}`);
  const state = async (run: string) => {
    const { bestStep, globalStep, fingerprint } = await json(`${run}/checkpoints/step-12/trainer_state.json`);
    return { bestStep, globalStep, fingerprint };
  };
  expect(await state("resumed")).toEqual(await state("run"));
});

test("a compressed model and its plan still open", async () => {
  const evaluated = JSON.parse((await deft("eval", "small", "--json")).out) as { loss: number };
  expect(evaluated.loss).toBeCloseTo(((await json("expected-small-eval.json")) as { loss: number }).loss, 5);
  const { code, err } = await deft("compress", "run", "--plan", "small/plan.json", "--output", "again", "--json");
  expect(code, err).toBe(0);
  await expectSameTensors("again/model.safetensors", "small/model.safetensors");
});

test("its adapter exports to peft's format, and the report opens", async () => {
  const exported = await deft("export", "run", "--format", "peft", "--output", "peft", "--json");
  expect(exported.code, exported.err).toBe(0);
  await expectSameTensors("peft/adapter_model.safetensors", "run/adapter/adapter_model.safetensors");
  const reported = await deft("report", "run", "--output", "report.html");
  expect(reported.code, reported.err).toBe(0);
});
