// Gates that are read off the gradient: they change nothing of a run, come out the same after a resume, and order what is removed.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeEnvironment } from "../../src/node.ts";
import { type Compression, readGates, readRun } from "../../src/runs/index.ts";
import { deft } from "../support/command.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { essence, steps, stored, trainEvents } from "./resumable.ts";

const STEPS = 12;
let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const { files } = nodeEnvironment();

const SHARED = { task: "sst2", "batch-size": 8, "learning-rate": 5e-3, "max-steps": STEPS, threads: 1 };
const trained = (flags: Readonly<Record<string, unknown>>, stopAfter?: number) =>
  trainEvents({ model: at("model"), data: at("data"), ...SHARED }, flags, stopAfter);
const lastGates = (events: Awaited<ReturnType<typeof trained>>) => steps(events).at(-1)!.gates!;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-gates-"));
  await writeTinyModel(at("model"), { numLayers: 3 });
  await writeTinySst2(at("data"), { train: 90, dev: 20 });
  await writeTinyT5(at("t5"));
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(60, 1), "dev.jsonl": tinySeq2seq(8, 2) });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const T5 = () => ({ model: at("t5"), task: "seq2seq", data: at("texts"), "max-target-length": 4 });

describe("a run with gates", () => {
  test("trains the same bits as one without them, and stores what they say", async () => {
    await trained({ "density-weight": 0, output: at("plain") });
    const events = await trained({ "density-weight": 0, ada: true, output: at("gated") });
    const adapter = (name: string) => readFileSync(at(name, "adapter", "adapter_model.safetensors"));
    expect(adapter("gated")).toEqual(adapter("plain"));
    const gates = lastGates(events);
    expect(new Set(gates).size).toBe(3);
    for (const gate of gates) expect(gate).toBeGreaterThan(0);
    expect(Math.max(...gates)).toBeLessThan(1);
    expect((await readGates(files, at("gated")))!.map(({ gate }) => gate)).toEqual(gates);
    const { record } = await readRun(files, at("gated"));
    expect(record.settings.gates).toMatchObject({ kind: "importance" });
  });

  test.each([
    ["with the density loss and neurons that go", { "keep-neurons": 0.5, "density-loss": "neurons" }],
    ["in micro-batches", { accumulate: 2, "batch-size": 4 }],
    ["stage by stage", { staged: true }],
  ])("%s: stopped and resumed, it ends with the same bytes", async (name, more) => {
    const flags = { ada: true, ...more, "eval-steps": 4, "save-steps": 5 };
    const whole = await trained({ ...flags, output: at(`${name} whole`) });
    const first = await trained({ ...flags, output: at(`${name} halves`) }, 7);
    const second = await trained({ output: at(`${name} halves`), resume: true });
    expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
    expect(await stored(at(`${name} halves`))).toEqual(await stored(at(`${name} whole`)));
  });

  test("has the same gates stage by stage", async () => {
    const plain = { ada: true, "density-weight": 0, method: "full", model: at("dry") };
    await writeTinyModel(at("dry"), { numLayers: 3 });
    const config = JSON.parse(readFileSync(at("dry", "config.json"), "utf8")) as Record<string, unknown>;
    const without = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
    await writeFiles(at("dry"), { "config.json": JSON.stringify({ ...config, ...without }) });
    const one = lastGates(await trained(plain));
    const other = lastGates(await trained({ ...plain, staged: true }));
    expect(other).toHaveLength(3);
    for (const [layer, gate] of other.entries()) expect(gate).toBeCloseTo(one[layer]!, 4);
  });

  test.each([
    ["whole", {}],
    ["stage by stage", { staged: true }],
    ["of prefixes", { method: "prefix", "virtual-tokens": 3 }],
    ["of adapters", { method: "adapter", "reduction-factor": 4 }],
  ])("on a T5, %s, has one for each MLP of both stacks", async (name, more) => {
    const events = await trained({ ...T5(), ...more, ada: true, output: at(`t5 ${name}`) });
    expect(lastGates(events)).toHaveLength(4);
    expect(new Set(lastGates(events)).size).toBe(4);
  });
});

test("--dry-run times a step with gates, and trains nothing", async () => {
  const data = ["--model", at("model"), "--data", at("data"), "--task", "sst2", "--threads", "1"];
  const { code, err } = await deft("train", ...data, "--ada", "--dry-run", "--output", at("dry run"));
  expect(err).not.toMatch(/Error|expected/);
  expect(code).toBe(0);
  expect(await files.stat(at("dry run"))).toBeNull();
});

describe("deft compress", () => {
  const compress = async (run: string, name: string, ...flags: string[]) => {
    const { code, err } = await deft("compress", run, "--output", at(name), "--threads", "1", "-q", ...flags);
    expect(err).toBe("");
    expect(code).toBe(0);
    return JSON.parse(readFileSync(at(name, "compression.json"), "utf8")) as Compression;
  };
  const gone = ({ layers }: Compression) => layers.flatMap(({ kept }, i) => (kept === 0 ? [i] : []));

  test.each([
    ["gated", 3],
    ["t5 whole", 4],
  ])("removes first what has the lowest gates: %s", async (run, count) => {
    const gates = (await readGates(files, at(run)))!.map(({ gate }) => gate);
    const order = [...gates.keys()].sort((a, b) => gates[a]! - gates[b]!);
    const by = await compress(at(run), `${run} by gates`, "--count", "1", "--count-by", "gates");
    expect(gone(by)).toEqual([order[0]]);
    expect(by.chosen).toMatchObject({ countBy: "gates", gates });
    // what is measured stands beside them
    expect(by.candidates).toHaveLength(count);
    const between = (gates[order[1]!]! + gates[order[2]!]!) / 2;
    const below = await compress(at(run), `${run} below`, "--gate-threshold", String(between));
    expect(gone(below)).toEqual(order.slice(0, 2).sort((a, b) => a - b));
  });

  test("reads the gates of a checkpoint, and leaves the model as it is where nothing goes", async () => {
    await trained({ "density-weight": 0, ada: true, "save-steps": 5, output: at("saved") }, 7);
    const checkpoint = at("saved", "checkpoints", "step-5");
    const by = await compress(checkpoint, "from checkpoint", "--count", "1", "--count-by", "gates");
    expect(gone(by)).toHaveLength(1);
    const whole = await compress(at("gated"), "nothing gone", "--keep-neurons", "1");
    expect(whole).toMatchObject({ exactness: "exact", after: { mlps: 3 } });
    expect(whole.logitsDifference).toBeLessThan(1e-5);
  });

  test.each([
    [
      "a run without gates",
      "plain",
      ["--count", "1", "--count-by", "gates"],
      /--count-by gates: expected a run trained/,
    ],
    ["no count", "gated", ["--count-by", "gates"], /--count-by: expected --count, without which it means nothing/],
    ["another word", "gated", ["--count", "1", "--count-by", "depth"], /--count-by: expected ablation or gates, got/],
  ])("refuses %s", async (_, run, flags, message) => {
    const { code, err } = await deft("compress", at(run), "--output", at("refused"), "--threads", "1", ...flags);
    expect(err).toMatch(message);
    expect(code).toBe(2);
    expect(await files.stat(at("refused"))).toBeNull();
  });
});
