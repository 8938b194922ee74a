// Recovery after removal: what is trained, who teaches it, what is recorded, and what is refused.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/hub/index.ts";
import { type CompressEvent, compressOptions, compressRun } from "../../src/jobs/index.ts";
import { compress, nodeEnvironment, nodeFiles } from "../../src/node.ts";
import { compressionLine } from "../../src/report/index.ts";
import type { Pruning, RunRecord } from "../../src/runs/index.ts";
import { deft } from "../support/command.ts";
import { type TinyRun, tinyRun } from "./support.ts";
import { argv, done } from "./t5-support.ts";

type Flags = Readonly<Record<string, string | number>>;

let tiny: TinyRun;
const at = (...parts: readonly string[]) => join(tiny.root, ...parts);
beforeAll(async () => {
  // without dropout a model that was not cut says what the dense one says
  tiny = await tinyRun({ numLayers: 2, config: { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 } });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const record = (name: string) => JSON.parse(readFileSync(at(name, "recovery", "run", "run.json"), "utf8")) as RunRecord;
const bytes = (name: string) => readFileSync(at(name, "model.safetensors"));

async function compressed(name: string, flags: Flags, run = tiny.run) {
  const out = await done("compress", run, ...argv({ output: at(name), threads: 1, ...flags }), "--json");
  return JSON.parse(out) as { readonly chosen: Readonly<Record<string, unknown>>; readonly after: { neurons: number } };
}

async function events(name: string, flags: Flags, run = tiny.run): Promise<CompressEvent[]> {
  const options = compressOptions({ output: at(name), ...flags });
  const seen: CompressEvent[] = [];
  for await (const event of compressRun(nodeEnvironment(), { kind: "run", folder: run }, options, { threads: 1 }))
    seen.push(event);
  return seen;
}

/** The losses of a recovery's steps. */
const lossesOf = (seen: readonly CompressEvent[]) =>
  seen.flatMap((event) => (event.type === "recovery" ? [event.loss] : []));
const losses = async (...of: Parameters<typeof events>) => lossesOf(await events(...of));

test("the dense model teaches: nothing at all where nothing was cut, and half of the loss unless told otherwise", async () => {
  const uncut = { "keep-neurons": 1, "recovery-steps": 3, "recovery-method": "full", "recovery-rate": 1e-12 };
  const seen = await events("taught", { ...uncut, "recovery-distillation": 1 });
  const taught = lossesOf(seen);
  expect(taught).toHaveLength(3);
  const asked = seen.filter((event) => event.type === "teacher").at(-1)!;
  expect(asked).toMatchObject({ teacher: tiny.run, done: asked.examples });
  expect(compressionLine(asked)).toMatch(/^recover: asking the teacher .* (\d+)\/\1 examples$/);
  for (const loss of taught) expect(Math.abs(loss)).toBeLessThan(1e-5);
  const labels = await losses("labels", { ...uncut, "recovery-distillation": 0 });
  const both = await losses("both", uncut);
  both.forEach((loss, i) => {
    expect(loss).toBeCloseTo(labels[i]! / 2, 5);
  });
  expect(record("taught").settings.distillation).toEqual({ teacher: tiny.run, weight: 1 });
  expect(record("labels").settings.distillation).toBeNull();
  expect(record("both").settings.distillation).toEqual({ teacher: tiny.run, weight: 0.5 });
});

describe("on a pruned base", () => {
  let pruned: TinyRun;
  beforeAll(async () => {
    pruned = await tinyRun({ numLayers: 2, prune: "wanda:0.5" });
  });
  afterAll(() => rmSync(pruned.root, { recursive: true, force: true }));

  async function zeroShare(folder: string): Promise<number> {
    let [zeros, size] = [0, 0];
    for (const [name, weight] of (await openCheckpoint(nodeFiles(), folder)).weights) {
      if (!/encoder.*(dense|query|key|value)\.weight$/.test(name)) continue;
      const { data } = await weight.read();
      for (const value of data as Float32Array) zeros += value === 0 ? 1 : 0;
      size += data.length;
    }
    return zeros / size;
  }

  test.each(["lora", "full"])(
    "zeros stay, by %s too; a refit fills those of the outputs, and only when asked for",
    async (method) => {
      const folder = (name: string) => join(pruned.root, `${name}-${method}`);
      const cut = { "keep-neurons": 0.5, "recovery-steps": 2, "recovery-method": method, "recovery-rate": 1e-2 };
      const compressed = (name: string, flags: Flags) =>
        done("compress", pruned.run, ...argv({ output: folder(name), threads: 1, ...flags }));
      await compressed("usual", cut);
      expect(existsSync(join(folder("usual"), "plan.safetensors"))).toBe(false);
      const usual = await zeroShare(folder("usual"));
      expect(usual).toBeGreaterThan(0.45);
      await compressed("refitted", { ...cut, compensation: "refit" });
      expect(existsSync(join(folder("refitted"), "plan.safetensors"))).toBe(true);
      expect(await zeroShare(folder("refitted"))).toBeLessThan(usual);
      // the record travels while it is true
      const { recipe, sparsity } = JSON.parse(
        readFileSync(join(folder("usual"), "deft-pruning.json"), "utf8"),
      ) as Pruning;
      expect(recipe).toBe("wanda:0.5");
      expect(sparsity).toBeCloseTo(usual, 6);
      expect(existsSync(join(folder("refitted"), "deft-pruning.json"))).toBe(false);
    },
  );

  test("a run on the smaller model keeps its zeros by itself, and so does what is made of it", async () => {
    const at = (name: string) => join(pruned.root, name);
    await done("compress", pruned.run, ...argv({ output: at("half"), threads: 1, "keep-neurons": 0.5, skip: 1 }));
    const where = { model: at("half"), task: "sst2", data: pruned.data, output: at("again") };
    const how = { method: "lora", targets: "all-linear", "max-steps": 4, "learning-rate": 1e-2, threads: 1 };
    await done("train", ...argv({ ...where, ...how }), "-q");
    await done("export", at("again"), "--format", "merged", "--output", at("merged"), "-q");
    expect(await zeroShare(at("merged"))).toBeGreaterThan(0.45);
    await done("compress", at("again"), ...argv({ output: at("smaller"), threads: 1, "keep-neurons": 0.5 }));
    const names = ["half", "smaller"].map((name) => {
      const { layers } = JSON.parse(readFileSync(join(at(name), "deft-pruning.json"), "utf8")) as Pruning;
      return layers.map((layer) => layer.name);
    });
    expect(names[0]!.some((name) => name.includes("layer.1.intermediate"))).toBe(false);
    expect(names[1]).toEqual(names[0]);
  });
});

test("what is trained, and how fast, goes into the plan and the record", async () => {
  const cut = { "keep-neurons": 0.25, "recovery-steps": 4 };
  const own = await compressed("own", cut);
  expect(own.chosen).toMatchObject({
    recoverySteps: 4,
    recoveryMethod: "lora",
    recoveryRate: 0.01,
    recoveryDistillation: 0.5,
  });
  expect(record("own").settings.method).toMatchObject({ kind: "lora", targets: "all-linear" });
  const full = await compressed("full", { ...cut, "recovery-method": "full" });
  expect(full.after.neurons).toBe(own.after.neurons);
  expect(full.chosen).toMatchObject({ recoverySteps: 4, recoveryMethod: "full", recoveryRate: 5e-5 });
  expect(record("full").settings).toMatchObject({ method: { kind: "full" }, optim: { learningRate: 5e-5 } });
  expect(JSON.parse(readFileSync(at("full", "plan.json"), "utf8"))).toMatchObject({ chosen: full.chosen });
  const fast = await compress(tiny.run, {
    keepNeurons: 0.25,
    recoverySteps: 4,
    recoveryMethod: "full",
    recoveryRate: 1e-3,
    recoveryDistillation: 0,
    output: at("fast"),
    threads: 1,
  });
  expect(fast.compression.chosen).toMatchObject({ recoveryRate: 1e-3, recoveryDistillation: 0 });
  expect(new Set(["own", "full", "fast"].map((name) => bytes(name).toString("base64"))).size).toBe(3);
  // a plan says what was removed; what was recovered behind it, the next compression says of itself
  const again = await compressed("again", { plan: at("full", "plan.json") });
  expect(Object.keys(again.chosen).filter((key) => key.startsWith("recovery"))).toEqual([]);
  const { err } = await deft("eval", at("full"), "--json");
  expect(err).toBe("");
});

test("a full recovery that was stopped is gone on with: the same model; with another teacher's share it is refused", async () => {
  const cut = { "keep-neurons": 0.25, "recovery-steps": 5, "recovery-method": "full" };
  const options = compressOptions({ output: at("stopped"), ...cut });
  const stop = new AbortController();
  const target = { kind: "run", folder: tiny.run } as const;
  const running = compressRun(nodeEnvironment(), target, options, { threads: 1 }, { signal: stop.signal });
  const follow = async () => {
    for await (const event of running) if (event.type === "recovery" && event.step === 2) stop.abort();
  };
  await expect(follow()).rejects.toThrow(/abort/i);
  const flags = argv({ ...cut, output: at("stopped"), threads: 1 });
  const other = await deft("compress", tiny.run, ...flags, "--recovery-distillation", "0.9");
  expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/another recovery in/) });
  await done("compress", tiny.run, ...flags);
  await compressed("unstopped", cut);
  expect(bytes("stopped").equals(bytes("unstopped"))).toBe(true);
});

describe("runs of other kinds", () => {
  const train = (name: string, flags: Flags, ...switches: readonly string[]) => {
    const data = { model: tiny.model, task: "sst2", data: tiny.data, output: at(name), threads: 1 };
    const short = { "max-steps": 8, "batch-size": 8, "density-weight": 0 };
    return done("train", ...argv({ ...data, ...short, ...flags }), ...switches, "-q");
  };
  const cut = { "keep-neurons": 0.5, "recovery-steps": 3 };

  test("full over a base in 4 bits trains the plain smaller model", async () => {
    await train("qlora", { method: "qlora" });
    await compressed("qlora small", { ...cut, "recovery-method": "full" }, at("qlora"));
    expect(record("qlora small").settings).toMatchObject({ quantize: null, method: { kind: "full" } });
    await compressed("qlora own", cut, at("qlora"));
    expect(record("qlora own").settings).toMatchObject({ quantize: "nf4", method: { kind: "lora" } });
  });

  test("lora behind a full run has lora's own rate; a run of one's own method keeps its own", async () => {
    await train("whole", { method: "full", "learning-rate": 1e-3 });
    const lora = await compressed("whole lora", { ...cut, "recovery-method": "lora" }, at("whole"));
    expect(lora.chosen).toMatchObject({ recoveryMethod: "lora", recoveryRate: 3e-4 });
    const own = await compressed("whole own", cut, at("whole"));
    expect(own.chosen).toMatchObject({ recoveryMethod: "full", recoveryRate: 1e-3 });
  });

  test("a weight that was found by feedback, gates and a teacher are not the recovery's", async () => {
    await train("plain", {});
    const auto = { "density-weight": "auto", reference: at("plain"), "density-loss": "neurons" };
    await train("auto", auto, "--ada");
    await compressed("auto small", cut, at("auto"));
    expect(record("auto small").settings).toMatchObject({
      density: { weight: 0, auto: null },
      gates: null,
      distillation: { teacher: at("auto"), weight: 0.5 },
    });
    // what was compressed is a run too, and teaches the next one
    await compressed("smaller", { "keep-neurons": 0.5, "recovery-steps": 2 }, at("auto small"));
    expect(record("smaller").settings.distillation).toEqual({ teacher: at("auto small"), weight: 0.5 });
  });
});

describe("refused", () => {
  test.each<[Flags, RegExp[]]>([
    [
      { "recovery-method": "full", "recovery-rate": 1e-3, "recovery-distillation": 0 },
      [
        /--recovery-method: expected --recovery-steps N, without which it means nothing/,
        /--recovery-rate: expected --recovery-steps N/,
        /--recovery-distillation: expected --recovery-steps N/,
      ],
    ],
    [
      { "recovery-steps": 3, "recovery-method": "head", "recovery-rate": 0, "recovery-distillation": 2 },
      [
        /--recovery-method: expected lora or full, got "head"/,
        /--recovery-rate: expected a learning rate above 0, got 0/,
        /--recovery-distillation: expected the dense model's share of the loss, from 0 to 1, got 2/,
      ],
    ],
  ])("%j", async (flags, expected) => {
    const { code, err } = await deft("compress", tiny.run, ...argv({ output: at("x"), "keep-neurons": 0.5, ...flags }));
    for (const message of expected) expect(err).toMatch(message);
    expect(code).toBe(2);
  });

  test("a model without a run", async () => {
    const flags = { model: at("uncut"), task: "sst2", data: tiny.data, output: at("x"), "recovery-steps": 3 };
    await done("export", tiny.run, "--format", "merged", "--output", at("uncut"));
    const { code, err } = await deft("compress", ...argv(flags));
    expect(err).toMatch(/--recovery-steps: expected a RUN to recover, got a model without a run/);
    expect(code).toBe(2);
  });
});
