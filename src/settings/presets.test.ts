// The named runs: each resolves to what the paper did, and wrong names find the right one.
import { describe, expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { isPresetName, nearestPreset, PRESET_NAMES, ROW_PRESETS, rowPreset } from "./presets.ts";
import { resolveComparison, resolveSettings } from "./settings.ts";
import { settingsInput } from "./text.ts";

const settingsOf = (preset: string, flags: Record<string, unknown> = {}) =>
  resolveSettings({ flags: { preset, ...flags } });

test("the rows on SQuAD have no warm-up and no weight decay, and clip gradients at 1", () => {
  const of = (preset: string) => resolveSettings({ flags: { preset } }).optim;
  expect(of("flan-t5-xl/squad/lora-deft")).toMatchObject({ warmupRatio: 0, weightDecay: 0, maxGradNorm: 1 });
  const { optim } = resolveSettings({ flags: { preset: "paper", model: "m", task: "squad", data: "d" } });
  expect(optim).toMatchObject({ warmupRatio: 0, weightDecay: 0, maxGradNorm: 1, learningRate: 3e-5 });
  expect(of("roberta-large/sst2/lora-deft")).toMatchObject({ warmupRatio: 0.06, weightDecay: 0.01, maxGradNorm: null });
});

describe("rows of the paper", () => {
  test("are every model, task, method and variant, once", () => {
    expect(ROW_PRESETS).toHaveLength((9 + 2) * 5 * 3);
    expect(new Set(PRESET_NAMES).size).toBe(ROW_PRESETS.length + 1);
    for (const name of [
      "roberta-large/sst2/adapter-deft",
      "flan-t5-xl/squad/lora-peft",
      "flan-t5-xxl/squad/adapter-ada-deft",
    ])
      expect(isPresetName(name)).toBe(true);
  });

  test.each(ROW_PRESETS.map(({ name }) => name))("%s resolves, alone and written out whole", (name) => {
    const settings = settingsOf(name);
    const [model, task, way] = name.split("/") as [string, string, string];
    expect(settings.model.toLowerCase()).toContain(model);
    expect(settings.task).toBe(task);
    expect(settings.density.weight).toBe(way.endsWith("-peft") ? 0 : 1);
    expect(settings.gates === null).toBe(!way.endsWith("-ada-deft"));
    expect(settings.quantize).toBe(way.startsWith("qlora") ? "nf4" : null);
    const again = resolveSettings({ flags: settingsInput(settings) });
    // without a density loss its other settings are not written
    expect(settings.density.weight === 0 ? { ...again, density: settings.density } : again).toEqual(settings);
  });

  test("have the paper's values", () => {
    expect(settingsOf("roberta-large/sst2/adapter-deft")).toMatchObject({
      model: "FacebookAI/roberta-large",
      data: { path: "data/SST-2", maxLength: 128, padding: "max" },
      method: { kind: "adapter", style: "pfeiffer", reductionFactor: 16 },
      density: { weight: 1, epsilon: { from: 1e-7, to: 1e-7 }, positions: "all", warmupRatio: 0 },
      optim: { epochs: 10, batchSize: 64, learningRate: 3e-4, weightDecay: 0.01, warmupRatio: 0.06, maxGradNorm: null },
    });
    expect(settingsOf("flan-t5-xl/squad/lora-ada-deft")).toMatchObject({
      data: { path: "data/squad", maxLength: 384, docStride: 128, maxTargetLength: 30 },
      method: { kind: "lora", rank: 8, alpha: 16, dropout: 0.1, targets: ["query", "value"] },
      optim: { epochs: 10, batchSize: 4, learningRate: 3e-5 },
    });
    expect(settingsOf("roberta-large/cola/prompt-deft").density.epsilon).toEqual({ from: 20, to: 20 });
    expect(settingsOf("roberta-large/cola/prefix-deft").method).toMatchObject({ virtualTokens: 60 });
  });
});

describe("a row under other settings", () => {
  test("yields to the file and to flags", () => {
    const file = { name: "c.yaml", text: "preset: roberta-large/rte/lora-deft\nepochs: 4\nseed: 7\n" };
    expect(resolveSettings({ flags: { epochs: 5, data: "mine/RTE", method: "adapter" }, file })).toMatchObject({
      task: "rte",
      seed: 7,
      data: { path: "mine/RTE" },
      method: { kind: "adapter" },
      optim: { epochs: 5, batchSize: 64 },
    });
  });

  test("gives a comparison its base; a list of methods stands for the row's own", () => {
    const flags = { preset: "roberta-large/mrpc/lora-ada-deft", methods: "adapter,prompt", seeds: "1,2" };
    const cells = resolveComparison({ flags });
    expect(cells.map(({ method, seed }) => `${method}${seed}`)).toEqual(["adapter1", "adapter2", "prompt1", "prompt2"]);
    expect(cells[0]!.peft).toMatchObject({ task: "mrpc", density: { weight: 0 }, gates: null });
    expect(cells[0]!.deft).toMatchObject({ density: { weight: 1 }, gates: { weight: 0.1 } });
    expect(() => resolveComparison({ flags: { preset: "roberta-large/mrpc/lora-peft" } })).toThrow(ConfigError);
  });
});

test.each([
  ["roberta-large/sst/lora-deft", "roberta-large/sst2/lora-deft"],
  ["roberta-large/sst2/lora", "roberta-large/sst2/lora-deft"],
  ["roberta/sst2/lora-deft", "roberta-large/sst2/lora-deft"],
  ["flan-t5-x/squad/lora-deft", "flan-t5-xl/squad/lora-deft"],
  ["flan-t5-xl/sqad/adaptor-deft", "flan-t5-xl/squad/adapter-deft"],
  ["papers", "paper"],
])("%s means %s", (wrong, meant) => {
  expect(rowPreset(wrong)).toBeNull();
  expect(nearestPreset(wrong)).toBe(meant);
  expect(() => settingsOf(wrong)).toThrow(
    `--preset: expected paper, or a row of the paper (deft init --list), got "${wrong}" (did you mean ${meant}?)`,
  );
});
