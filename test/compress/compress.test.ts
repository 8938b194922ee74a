// `deft compress` end to end: rules, exactness, what the folder holds, and what is refused.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMPRESS_KEYS, compressOptions, compressRun } from "../../src/jobs/index.ts";
import { type CompressRequest, compress as compressModel, loadRun, nodeEnvironment } from "../../src/node.ts";
import type { BudgetOutcome, Candidate, Compression } from "../../src/runs/index.ts";
import { deft } from "../support/command.ts";
import { type TinyRun, tinyRun } from "./support.ts";

let tiny: TinyRun;
beforeAll(async () => {
  tiny = await tinyRun({ numLayers: 3 });
});
afterAll(() => rmSync(tiny.root, { recursive: true, force: true }));

const json = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;

async function compress(name: string, ...argv: string[]) {
  const output = join(tiny.root, name);
  const outcome = await deft("compress", tiny.run, "--output", output, "--threads", "1", "--json", ...argv);
  return { ...outcome, output, result: outcome.code === 0 ? (JSON.parse(outcome.out) as Record<string, never>) : null };
}

describe("rules", () => {
  test("--keep-neurons leaves a plain smaller model that eval and predict open as a run", async () => {
    const { result, output } = await compress("half", "--keep-neurons", "0.5");
    expect(result).toMatchObject({
      exactness: "calibrated",
      before: { neurons: 96, mlps: 3 },
      after: { neurons: 48, mlps: 3 },
      stated: { split: "dev", examples: 32 },
      calibration: { split: "train", examples: 96 },
    });
    expect(json(join(output, "config.json"))).toMatchObject({ intermediate_size: 16 });
    const evaluation = await deft("eval", output, "--json");
    expect(evaluation.err).toBe("");
    expect(JSON.parse(evaluation.out)).toMatchObject({ task: "sst2", examples: 64 });
    const again = await deft("eval", "--model", output, "--task", "sst2", "--data", tiny.data, "--json");
    expect(JSON.parse(again.out).metrics).toEqual(JSON.parse(evaluation.out).metrics);
    expect((await deft("predict", output, "--text", "a dull film")).code).toBe(0);
  });

  test("--skip removes MLPs, and sizes may differ by layer", async () => {
    const { result, output } = await compress("skip", "--skip", "1", "--keep-neurons", "0.25");
    expect(result!.layers).toMatchObject([{ kept: 8 }, { kept: 0 }, { kept: 8 }]);
    expect(json(join(output, "config.json"))).toMatchObject({ mlp_sizes: [8, 0, 8] });
  });

  test("keeping everything is exact and changes no logit", async () => {
    const { result } = await compress("all", "--keep-neurons", "1");
    expect(result).toMatchObject({ exactness: "exact", after: { neurons: 96 } });
    expect(Number(result!.logitsDifference)).toBeLessThan(1e-5);
  });

  test("a plan made once gives the same model again", async () => {
    const { output, result } = await compress("planned", "--plan", join(tiny.root, "half", "plan.json"));
    expect(result!.after).toEqual(json(join(tiny.root, "half", "compression.json")).after);
    expect(readFileSync(join(output, "model.safetensors"))).toEqual(
      readFileSync(join(tiny.root, "half", "model.safetensors")),
    );
  });

  test("--count removes the MLP that is missed least", async () => {
    const { result } = await compress("count", "--count", "1", "--quantize", "int8");
    expect(result).toMatchObject({ after: { mlps: 2 }, quantization: "int8" });
    // a count of the 32 stated examples
    const { accuracy } = (result as unknown as Compression).quantized!;
    expect(accuracy! * 32).toBeCloseTo(Math.round(accuracy! * 32), 9);
    expect(accuracy).toBeLessThanOrEqual(1);
  });
});

describe("budgets", () => {
  test("--score-budget searches on one half and states the other; a search that was stopped goes on", async () => {
    const { result, output } = await compress("budget", "--score-budget", "20", "--calibration-examples", "64");
    expect(result).toMatchObject({ budget: { kind: "score", asked: 0.2 }, stated: { examples: 32 } });
    const { reached, interval } = result!.budget as unknown as BudgetOutcome;
    expect(interval!.low).toBeLessThanOrEqual(reached);
    expect(interval!.high).toBeGreaterThanOrEqual(reached);
    expect(result!.chosen).toMatchObject({ rule: "score-budget", searchExamples: 64, searchTrainExamples: 32 });
    expect((json(join(output, "compression.json")).after as { neurons: number }).neurons).toBeLessThan(96);
    const measured = readFileSync(join(output, "search.jsonl"), "utf8");
    const folder = join(tiny.root, "resumed");
    // as a search leaves its folder that was stopped half way
    const half = measured.split("\n").slice(0, 8);
    mkdirSync(folder);
    writeFileSync(join(folder, "search.jsonl"), `${half.join("\n")}\n`);
    const resumed = await compress("resumed", "--score-budget", "20", "--calibration-examples", "64");
    expect(resumed.result!.layers).toEqual(result!.layers);
    expect(readFileSync(join(folder, "search.jsonl"), "utf8").startsWith(half.join("\n"))).toBe(true);
  });

  test("--keep-scope global shares the neurons out by what the logits ask for", async () => {
    const { result } = await compress("shared", "--keep-neurons", "0.4", "--keep-scope", "global");
    expect(result).toMatchObject({
      exactness: "calibrated",
      budget: null,
      chosen: { rule: "keep-neurons", keepNeurons: 0.4, scope: "global" },
      after: { neurons: 38 },
    });
    // every layer alone at each size, then the dense model and the place found
    const candidates = result!.candidates as unknown as readonly Candidate[];
    expect(candidates.filter(({ divergence }) => divergence !== undefined)).toHaveLength(24);
    expect(candidates.filter(({ score }) => score !== undefined)).toHaveLength(2);
  });

  test("--latency-budget out of reach is refused with the floor", async () => {
    const { code, err } = await compress("floor", "--latency-budget", "0.01x");
    expect(code).toBe(2);
    expect(err).toMatch(/--latency-budget: expected at least 0\.\d\dx|--latency-budget: expected at least 1\.\d\dx/);
    expect(err).toMatch(/out of reach by/);
  });
});

describe("refused, one screen, code 2", () => {
  const refused = async (expected: RegExp, name: string, ...argv: string[]) => {
    const { code, err } = await compress(name, ...argv);
    expect(err).toMatch(expected);
    expect(code).toBe(2);
    expect(err.split("\n").length).toBeLessThan(20);
  };

  test("no rule, wrong values, rules that exclude each other", async () => {
    await refused(/expected a rule, or neurons that training switched off/, "x");
    await refused(/--keep-neurons: expected a share above 0/, "x", "--keep-neurons", "0");
    await refused(/--score-budget: expected no other rule beside it/, "x", "--score-budget", "1", "--skip", "1");
    await refused(/--keep-scope: expected --keep-neurons/, "x", "--keep-scope", "global");
    const both = ["--keep-neurons", "0.5", "--keep-scope", "global", "--count", "1"];
    await refused(/--keep-scope global: expected no other rule beside it/, "x", ...both);
    await refused(/--skip: expected layers 0 to 2, got 7/, "x", "--skip", "7");
    await refused(/--skip: expected an MLP left in at least one layer/, "x", "--skip", "0,1,2");
    await refused(
      /--calibration-examples: expected at least one example/,
      "x",
      "--keep-neurons",
      "0.5",
      "--calibration-examples",
      "0",
    );
    await refused(/--output: expected a new folder/, "half", "--keep-neurons", "0.5");
  });

  test("plans for another model, or edited to nonsense", async () => {
    const plan = json(join(tiny.root, "half", "plan.json"));
    const edited = async (change: object, expected: RegExp) => {
      const file = join(tiny.root, "edited.json");
      writeFileSync(file, JSON.stringify({ ...plan, ...change }));
      await refused(expected, "x", "--plan", file);
    };
    const layers = plan.layers as Record<string, unknown>[];
    await edited(
      { base: { model: "other", fingerprint: "0".repeat(64) } },
      /base: expected a plan for .* got one for other/,
    );
    await edited({ adapter: null }, /adapter: expected a plan for the adapter/);
    await edited({ layers: layers.slice(1) }, /layers: expected 3 layers, got 2/);
    await edited(
      { layers: layers.map((l) => ({ ...l, kept: [3, 3, 99] })) },
      /kept: expected ascending indices below 32/,
    );
    await edited({ layers: layers.map((l) => ({ ...l, kept: [], constant: null })) }, /expected an MLP left/);
    await edited(
      { layers: layers.map((l) => ({ ...l, gate: "much" })) },
      /gate: expected a plan as deft compress writes it/,
    );
    await edited({ exactness: "surely" }, /exactness/);
    writeFileSync(join(tiny.root, "edited.json"), "{");
    await refused(/edited\.json/, "x", "--plan", join(tiny.root, "edited.json"));
  });
});

describe("after training that removes or gates", () => {
  const train = async (name: string, ...argv: string[]) => {
    const run = join(tiny.root, name);
    const { code, err } = await deft(
      "train",
      "--model",
      tiny.model,
      "--task",
      "sst2",
      "--data",
      tiny.data,
      "--output",
      run,
      "--threads",
      "1",
      "-q",
      "--targets",
      "all-linear",
      "--learning-rate",
      "0.01",
      "--max-steps",
      "12",
      "--batch-size",
      "8",
      ...argv,
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    return run;
  };
  const compressed = async (run: string, ...argv: string[]) => {
    const output = `${run}-small`;
    const outcome = await deft("compress", run, "--output", output, "--threads", "1", "--json", ...argv);
    expect(outcome.err).toBe("");
    const metrics = async (of: string) =>
      (JSON.parse((await deft("eval", of, "--json")).out) as { metrics: object }).metrics;
    expect(await metrics(output)).toEqual(await metrics(run));
    return JSON.parse(outcome.out) as Record<string, unknown> & { logitsDifference: number };
  };

  test("masked neurons are removed without a rule, exactly", async () => {
    const result = await compressed(await train("masked", "--keep-neurons", "0.25", "--density-weight", "0"));
    expect(result).toMatchObject({
      exactness: "exact",
      after: { neurons: 24 },
      chosen: { rule: "silent", masked: true },
    });
    expect(result.logitsDifference).toBeLessThan(1e-5);
  });

  test("gates are folded, exactly, and closed ones named by a threshold", async () => {
    const run = await train("gated", "--ada", "--gates", "sigmoid");
    const result = await compressed(run, "--keep-neurons", "1");
    expect(result).toMatchObject({
      exactness: "exact",
      after: { mlps: 3 },
    });
    const { gates } = json(join(run, "adapter", "deft.json")) as { gates: { values: Record<string, number> } };
    expect((result.chosen as { gates: unknown }).gates).toEqual(
      [0, 1, 2].map((layer) => gates.values[`bert.encoder.layer.${layer}.output`]),
    );
    expect(result.logitsDifference).toBeLessThan(1e-5);
    const all = await deft("compress", run, "--output", join(tiny.root, "x"), "--gate-threshold", "1");
    expect(all).toMatchObject({ code: 2, err: expect.stringMatching(/--gate-threshold: expected an MLP left/) });
    const without = await deft("compress", tiny.run, "--output", join(tiny.root, "x"), "--gate-threshold", "0.5");
    expect(without.err).toMatch(/--gate-threshold: expected a run trained with --ada/);
  });

  test("--recovery-steps trains the smaller model and merges what it learned", async () => {
    const { result, output } = await compress("recovered", "--keep-neurons", "0.25", "--recovery-steps", "5");
    expect(result).toMatchObject({ exactness: "calibrated", after: { neurons: 24 }, chosen: { recoverySteps: 5 } });
    const { result: bare } = await compress("bare", "--keep-neurons", "0.25");
    expect(readFileSync(join(output, "model.safetensors"))).not.toEqual(
      readFileSync(join(tiny.root, "bare", "model.safetensors")),
    );
    expect(bare!.after).toMatchObject({ neurons: 24 });
  });

  test("a recovery that was stopped is gone on with: the same model; another one in its place is refused", async () => {
    const flags = ["--keep-neurons", "0.25", "--recovery-steps", "5"];
    const output = join(tiny.root, "stopped");
    const environment = nodeEnvironment();
    const options = compressOptions({ output, "keep-neurons": 0.25, "recovery-steps": 5 });
    const stop = new AbortController();
    const target = { kind: "run", folder: tiny.run } as const;
    const running = compressRun(environment, target, options, { threads: 1 }, { signal: stop.signal });
    const follow = async () => {
      for await (const event of running) if (event.type === "recovery" && event.step === 2) stop.abort();
    };
    await expect(follow()).rejects.toThrow(/abort/i);
    expect(existsSync(join(output, "compression.json"))).toBe(false);
    const other = await deft("compress", tiny.run, "--output", output, ...flags.with(1, "0.5"), "--threads", "1");
    expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/another recovery in/) });
    const { code, err } = await deft("compress", tiny.run, "--output", output, ...flags, "--threads", "1", "-q");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const { output: whole } = await compress("unstopped", ...flags);
    const bytes = (folder: string) => readFileSync(join(folder, "model.safetensors"));
    expect(bytes(output).equals(bytes(whole))).toBe(true);
  });
});

type Camel<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;
type Missing = Exclude<Camel<(typeof COMPRESS_KEYS)[number]>, keyof CompressRequest>;

test("the library has every flag of the command in camel case", () => {
  const missing: Missing[] = [];
  // compiles only while no key is missing
  const none: never[] = missing;
  expect(none).toEqual([]);
  expect(COMPRESS_KEYS).toContain("compensation");
});

test("the library: compress, ask, export", async () => {
  const stages: string[] = [];
  const small = await compressModel(await loadRun(tiny.run), {
    keepNeurons: 0.5,
    compensation: "mean",
    threads: 1,
    onProgress: (event) => event.type === "stage" && stages.push(event.stage),
  });
  expect(stages).toEqual(["open", "calibrate", "choose", "measure", "write"]);
  expect(existsSync(join(small.folder, "plan.safetensors"))).toBe(false);
  expect(small.folder).toBe(join(tiny.run, "compressed"));
  expect(small.compression).toMatchObject({ exactness: "calibrated", after: { neurons: 48 } });
  expect(await small.predict("a dull film")).toMatchObject([{ label: expect.stringMatching(/positive|negative/) }]);
  const exported = await small.export({
    format: "onnx",
    output: join(tiny.root, "library-onnx"),
    precisions: ["int8"],
  });
  expect(exported.files).toMatchObject([{ precision: "int8", path: "onnx/model_quantized.onnx" }]);
  await small.dispose();
  await expect(compressModel(tiny.run, { scoreBudget: 1, keepNeurons: 0.5 })).rejects.toThrow(
    /no other rule beside it/,
  );
});
