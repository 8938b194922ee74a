// Training that takes neurons and MLPs away, and finds its own weight: it resumes to the bit, and what it stored is what runs.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeExamples, makeBatch } from "../../src/data/index.ts";
import { ConfigError } from "../../src/errors.ts";
import { openSafetensors, safetensorsBytes } from "../../src/hub/index.ts";
import { workflow } from "../../src/library/index.ts";
import { compilePlain, inferenceFeeds, openMergedModel } from "../../src/load/merged-model.ts";
import { nodeEnvironment } from "../../src/node.ts";
import { readRun } from "../../src/runs/index.ts";
import { tinySeq2seq, writeTinyT5 } from "../support/tiny-answers.ts";
import { writeFiles, writeTinyModel, writeTinySst2 } from "../support/tiny-model.ts";
import { essence, steps, stored, trainEvents } from "./resumable.ts";

const STEPS = 24;
let folder: string;
const at = (...parts: readonly string[]) => join(folder, ...parts);
const environment = nodeEnvironment();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deft-removal-"));
  await writeTinyModel(at("model"), { numLayers: 2 });
  await writeTinySst2(at("data"), { train: 90, dev: 20 });
  await trained({ "density-weight": 0, output: at("plain") });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SHARED = { task: "sst2", "batch-size": 8, "learning-rate": 5e-3, "max-steps": STEPS, threads: 1 };
/** All that keeps a state of its own, at once. */
const EVERYTHING = () => ({
  "density-weight": "auto",
  "density-loss": "neurons",
  "target-density": 0.4,
  reference: at("plain"),
  ada: true,
  gates: "sigmoid",
  "keep-neurons": 0.25,
  "keep-scope": "global",
  "eval-steps": 8,
  "save-steps": 5,
});

const trained = (flags: Readonly<Record<string, unknown>>, stopAfter?: number) =>
  trainEvents({ model: at("model"), data: at("data"), ...SHARED }, flags, stopAfter);

describe("masks, gates and a weight by feedback", () => {
  test.each([
    ["at once", {}],
    ["in micro-batches", { accumulate: 2, "batch-size": 4 }],
  ])("%s: stopped at step 13 and resumed, the run ends with the same bytes", async (name, extra) => {
    const reference = name === "at once" ? {} : { reference: at("plain micro") };
    if (name !== "at once") await trained({ ...extra, "density-weight": 0, output: at("plain micro") });
    const flags = { ...EVERYTHING(), ...extra, ...reference };
    const whole = await trained({ ...flags, output: at(`${name} whole`) });
    const first = await trained({ ...flags, output: at(`${name} halves`) }, 13);
    const second = await trained({ output: at(`${name} halves`), resume: true });
    expect(steps(second)[0]!.step).toBe(14);
    expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
    expect(await stored(at(`${name} halves`))).toEqual(await stored(at(`${name} whole`)));
  });

  test("stopped between two points at which neurons leave the step, the run ends with the same bytes", async () => {
    const long = {
      "keep-neurons": 0.25,
      "removal-start": 0,
      "removal-end": 0.9,
      "save-steps": 5,
      targets: "all-linear",
    };
    const whole = await trained({ ...long, output: at("long whole") });
    const first = await trained({ ...long, output: at("long halves") }, 13);
    const second = await trained({ output: at("long halves"), resume: true });
    expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
    expect(await stored(at("long halves"))).toEqual(await stored(at("long whole")));
    const state = JSON.parse(await readFile(at("long whole", "checkpoints", "step-20", "trainer_state.json"), "utf8"));
    expect(state.neurons_left_at).toBe(9);
  });

  test("over a base in four bits, neurons stay in the step behind their masks", async () => {
    const bits = { "keep-neurons": 0.25, quantize: "nf4", "save-steps": 5, output: at("four bits") };
    const last = steps(await trained(bits)).at(-1)!;
    expect(last.keptShare).toBe(0.25);
    const files = Object.keys(await stored(at("four bits")));
    expect(files.some((file) => file.endsWith("energies.safetensors"))).toBe(true);
    expect(files.filter((file) => file.endsWith("left-neurons.safetensors"))).toEqual([]);
  });

  test("neurons go between the two points and stay away; the best is one without them", async () => {
    const { events, record } = await readRun(environment.files, at("at once whole"));
    const kept = steps(events).map(({ keptShare }) => keptShare!);
    expect(kept.slice(0, 4)).toEqual([1, 1, 1, 1]);
    for (let i = 1; i < STEPS; i++) expect(kept[i]).toBeLessThanOrEqual(kept[i - 1]!);
    expect(kept[13]).toBe(0.25);
    expect(kept.at(-1)).toBe(0.25);
    const evaluations = events.filter((event) => event.type === "eval");
    expect(evaluations.map(({ step }) => step)).toEqual([8, 16, 24]);
    expect(evaluations[0]!.best).toBe(false);
    const masks = await openSafetensors(environment.files, at("at once whole", "adapter", "deft.safetensors"));
    const mask = (await masks.get("bert.encoder.layer.0.intermediate.neuron_mask")!.read()).data;
    expect(new Set(mask as Float32Array)).toEqual(new Set([0, 1]));
    const shift = (await masks.get("bert.encoder.layer.0.output.neuron_shift")!.read()).data as Float32Array;
    expect(Math.max(...shift.map(Math.abs))).toBeGreaterThan(1e-4);
    const gone =
      64 - record.result!.density.layers.reduce((sum, { neurons, deadNeurons }) => sum + neurons - deadNeurons, 0);
    expect(gone).toBeGreaterThanOrEqual(48);
  });

  test("the controller's weight is what the steps were given, and begins small", async () => {
    const { events } = await readRun(environment.files, at("at once whole"));
    const all = steps(events);
    expect(all[0]!.densityWeight).toBe(0.1);
    expect(new Set(all.map(({ densityWeight }) => densityWeight)).size).toBe(STEPS);
    for (const { density, lossExcess, gates } of all) {
      expect(density).toBeGreaterThan(0);
      expect(Number.isFinite(lossExcess)).toBe(true);
      expect(gates).toHaveLength(2);
    }
  });

  test("scoring the run gives what training noted, and its predictions are those of the masked, gated model", async () => {
    const run = { kind: "run", folder: at("at once whole") } as const;
    const { record } = await readRun(environment.files, run.folder);
    const again = await workflow(environment).evaluate(run, {});
    expect(again.metrics).toEqual(record.result!.metrics);
    expect(again.density.encoder.deadNeurons).toBe(record.result!.density.encoder.deadNeurons);
    const sidecar = JSON.parse(await readFile(at("at once whole", "adapter", "deft.json"), "utf8"));
    expect(sidecar.removal).toEqual({ keep: 0.25, start: 0.2, end: 0.6, scope: "global" });
    expect(Object.keys(sidecar.gates.values)).toEqual(["bert.encoder.layer.0.output", "bert.encoder.layer.1.output"]);
  });
});

test("folded into plain weights, masks and gates give the same logits", async () => {
  const run = { kind: "run", folder: at("at once whole") } as const;
  const texts = ["a gripping plot", "the film is dull and it is flat"];
  const predictions: (readonly number[])[] = [];
  for await (const one of workflow(environment).predict(
    run,
    texts.map((text) => ({ text })),
  ))
    predictions.push("logits" in one ? one.logits : []);
  const frozen = await openMergedModel(environment, run, {});
  expect(frozen.gates.size).toBe(2);
  const program = await compilePlain(environment.backend("cpu", 1), frozen);
  for (const [i, text] of texts.entries()) {
    const examples = await encodeExamples([{ text, label: null, line: 1 }], frozen.opened.base.tokenizer, {
      maxLength: 64,
    });
    const batch = makeBatch(examples, [0], { padding: "longest" });
    const { logits } = await program.run(inferenceFeeds(batch));
    expect(predictions[i]).toHaveLength(2);
    for (const [c, logit] of predictions[i]!.entries()) {
      expect(Number(logits!.data[c])).toBeCloseTo(logit, 5);
    }
  }
  await program.dispose();
});

describe("--reference", () => {
  const mistake = async (flags: Readonly<Record<string, unknown>>): Promise<string> => {
    const failed = trained({ ...EVERYTHING(), output: at("refused"), ...flags });
    const error = await failed.then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(await environment.files.stat(at("refused"))).toBeNull();
    return (error as ConfigError).issues.map(({ path, expected, got }) => `${path}: ${expected} / ${got}`).join("\n");
  };

  test("refuses the run of another seed, naming it", async () => {
    expect(await mistake({ seed: 7 })).toBe(`--reference ${at("plain")}, seed: 7, as this run / 42`);
  });

  test("refuses a run with a density loss", async () => {
    expect(await mistake({ reference: at("at once whole") })).toContain("density-weight: 0: a run of plain PEFT / 0.1");
  });

  test("refuses a run that is too short", async () => {
    await trained({ "density-weight": 0, output: at("short") }, 3);
    expect(await mistake({ reference: at("short") })).toBe(`--reference: a run of ${STEPS} steps or more / one of 3`);
  });
});

test("gates and removal on a T5, encoder and decoder: resumed, the run ends with the same bytes", async () => {
  await writeTinyT5(at("t5"));
  await writeFiles(at("texts"), { "train.jsonl": tinySeq2seq(60, 1), "dev.jsonl": tinySeq2seq(8, 2) });
  const data = { model: at("t5"), task: "seq2seq", data: at("texts"), "max-target-length": 4 };
  const own = {
    ada: true,
    gates: "sigmoid",
    "keep-neurons": 0.25,
    "density-loss": "neurons",
    "eval-steps": 8,
    "save-steps": 5,
  };
  const flags = { ...data, ...own };
  const whole = await trained({ ...flags, output: at("t5 whole") });
  const first = await trained({ ...flags, output: at("t5 halves") }, 9);
  const second = await trained({ output: at("t5 halves"), resume: true });
  expect([...essence(first), ...essence(second)]).toEqual(essence(whole));
  expect(await stored(at("t5 halves"))).toEqual(await stored(at("t5 whole")));
  const last = steps(whole).at(-1)!;
  expect(last.keptShare).toBe(0.25);
  expect(last.gates).toHaveLength(4);
  expect(new Set(last.gates).size).toBe(4);
  const { record } = await readRun(environment.files, at("t5 whole"));
  const layers = record.result!.density.layers;
  expect(new Set(layers.map(({ stack }) => stack))).toEqual(new Set(["encoder", "decoder", "generation"]));
  for (const { neurons, deadNeurons } of layers) expect(deadNeurons).toBeGreaterThanOrEqual(0.75 * neurons);
  const again = await workflow(environment).evaluate({ kind: "run", folder: at("t5 whole") }, {});
  expect(again.metrics).toEqual(record.result!.metrics);
});

test("over a pruned base, what a masked update cannot reach scores nothing: those neurons go first", async () => {
  const parameters = await writeTinyModel(at("columns"), { numLayers: 1 });
  const name = "bert.encoder.layer.0.output.dense.weight";
  const { shape, data } = parameters.get(name)!;
  // even neurons reach nothing; the others little, less than an unmasked update would make of an even one
  const values = Float32Array.from(data as Float32Array, (value, i) => (i % 2 === 0 ? 0 : value / 100));
  parameters.set(name, { dtype: "float32", shape, data: values });
  await writeFile(at("columns", "model.safetensors"), safetensorsBytes(parameters));
  const own = { "mask-safe": true, targets: "all-linear", "keep-neurons": 0.5, "learning-rate": 0.05 };
  await trained({ ...own, model: at("columns"), output: at("masked") });
  const stored = await openSafetensors(environment.files, at("masked", "adapter", "deft.safetensors"));
  const mask = (await stored.get("bert.encoder.layer.0.intermediate.neuron_mask")!.read()).data as Float32Array;
  expect(Array.from(mask)).toEqual(Array.from(mask, (_, f) => f % 2));
});
