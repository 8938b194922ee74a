import { describe, expect, test } from "vitest";
import { ConfigError } from "../errors.ts";
import { PRESETS } from "./defaults.ts";
import { resolveComparison, resolvePartial, resolveSettings, type SettingsSources } from "./settings.ts";
import { DEFAULTS } from "./table/index.ts";
import { settingsInput, trainCommand } from "./text.ts";

const NEEDED = { model: "bert-base-uncased", task: "sst2", data: "data/SST-2" };

function mistakes(sources: SettingsSources): string {
  try {
    resolveSettings(sources);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.issues.map((i) => `${i.path}: ${i.expected} / ${i.got} / ${i.didYouMean ?? "-"}`).join("\n");
    throw error;
  }
  return "no mistake";
}

describe("resolveSettings", () => {
  test("lays flags over the file over the preset over the method over the defaults", () => {
    const file = { name: "c.yaml", text: "preset: paper\nepochs: 4\nbatch-size: 7\ntask: cola\n" };
    const settings = resolveSettings({ flags: { ...NEEDED, epochs: 5 }, file });
    expect(settings.optim.epochs).toBe(5);
    expect(settings.optim.batchSize).toBe(7);
    expect(settings.task).toBe("sst2");
    expect(settings.density).toEqual({
      weight: 1,
      auto: null,
      loss: "activations",
      warmupRatio: 0,
      cooldownRatio: 0,
      epsilon: { from: 1e-7, to: 1e-7 },
      positions: "all",
    });
    expect(settings.data.padding).toBe("max");
    expect(settings.seed).toBe(DEFAULTS.seed);
    expect(resolveSettings({ flags: { ...NEEDED, method: "full" } }).optim.learningRate).toBe(2e-5);
    expect(resolveSettings({ flags: { ...NEEDED, method: "head", preset: "paper" } }).optim.learningRate).toBe(
      PRESETS.paper["learning-rate"],
    );
  });

  test("reads gradual removal, gates, a weight by feedback, and the ε that suits the density loss", () => {
    const plain = resolveSettings({ flags: NEEDED });
    expect(plain.removal).toBeNull();
    expect(resolveSettings({ flags: { ...NEEDED, "keep-neurons": 0.25 } }).removal).toEqual({
      keep: 0.25,
      start: 0.2,
      end: 0.6,
      scope: "layer",
    });
    const auto = resolveSettings({ flags: { ...NEEDED, "density-weight": "auto", reference: "runs/plain" } });
    expect(auto.density).toMatchObject({
      weight: 0.1,
      auto: { margin: 0.05, targetDensity: null, reference: "runs/plain" },
    });
    expect(resolveSettings({ flags: settingsInput(auto) })).toEqual(auto);
    expect(plain.gates).toBeNull();
    expect(resolveSettings({ flags: { ...NEEDED, ada: true } }).gates).toEqual({
      kind: "importance",
      weight: 0.1,
      rate: 0.05,
    });
    const trained = resolveSettings({ flags: { ...NEEDED, ada: true, "gate-rate": 0.01 } });
    expect(trained.gates).toEqual({ kind: "sigmoid", weight: 0.1, rate: 0.01 });
    expect(resolveSettings({ flags: settingsInput(trained) })).toEqual(trained);
    expect(trainCommand(resolveSettings({ flags: { ...NEEDED, ada: true, gates: "sigmoid" } }))).toContain(
      "--gate-weight",
    );

    const neurons = resolveSettings({ flags: { ...NEEDED, "density-loss": "neurons" } });
    expect(neurons.density.epsilon).toEqual({ from: 0.1, to: 0.01 });
    expect(plain.density.epsilon).toEqual(DEFAULTS.epsilon);
    expect(trainCommand(neurons)).toContain("--density-loss");
    expect(trainCommand(neurons)).not.toContain("--epsilon");
  });

  test.each([
    [{ "keep-neurons": 0 }, "--keep-neurons: a number > 0 / 0"],
    [{ "keep-neurons": 25 }, "--keep-neurons: a number ≤ 1 / 25"],
    [{ "keep-scope": "global" }, "--keep-scope: --keep-neurons, without which it means nothing / no --keep-neurons"],
    [
      { "keep-neurons": 0.5, "removal-start": 0.7 },
      "--removal-start: a removal that starts before it ends / from 0.7 to 0.6",
    ],
    [
      { "keep-neurons": 0.5, "removal-start": 0.3, "removal-end": 0.3 },
      "--removal-end: a removal that starts before it ends / from 0.3 to 0.3",
    ],
    [{ "density-weight": "auto" }, "--reference: a run of plain PEFT to measure against / nothing"],
    [{ "density-weight": "most" }, '--density-weight: a number ≥ 0, or auto / "most"'],
    [{ "density-weight": -1 }, "--density-weight: a number ≥ 0, or auto / -1"],
    [{ "target-density": 0.2 }, "--target-density: --density-weight auto, which alone uses it / another weight"],
    [{ "density-weight": "auto", reference: "r", "target-density": 1 }, "--target-density: a number < 1 / 1"],
    [{ "density-weight": "auto", reference: "r", "density-warmup-ratio": 0.1 }, "--density-warmup-ratio: none with"],
    [{ "gate-weight": 0.1 }, "--gate-weight: --ada, without which it means nothing / no --ada"],
    [{ gates: "sigmoid" }, "--gates: --ada, without which it means nothing / no --ada"],
    [{ ada: true, gates: "hard" }, "--gates: one of importance, sigmoid /"],
    [
      { ada: true, gates: "importance", "gate-rate": 0.1 },
      "--gate-rate: --gates sigmoid, which alone uses it / importance",
    ],
    [{ ada: true, "gate-weight": -1, "gate-rate": 0 }, "--gate-weight: a number ≥ 0 / -1"],
    [{ ada: true, "gate-weight": -1, "gate-rate": 0 }, "--gate-rate: a number > 0 / 0"],
    [{ "density-loss": "neuron" }, '--density-loss: one of activations, neurons / "neuron" / neurons'],
    [{ "density-loss": "neurons", "density-weight": 0 }, "--density-loss: --density-weight above 0"],
    [{ "density-loss": "neurons", preset: "paper" }, "--density-loss: activations with --preset paper"],
  ])("refuses %j", (flags, expected) => {
    expect(mistakes({ flags: { ...NEEDED, ...flags } })).toContain(expected);
  });

  test("reads a teacher, and gives it back; runs of versions without one still open", () => {
    const plain = resolveSettings({ flags: NEEDED });
    expect(plain.distillation).toBeNull();
    const taught = resolveSettings({ flags: { ...NEEDED, teacher: "runs/large" } });
    expect(taught.distillation).toEqual({ teacher: "runs/large", weight: 0.5 });
    expect(trainCommand(taught)).toContain("--teacher");
    expect(trainCommand(taught)).not.toContain("--distillation-weight");
    const heavier = resolveSettings({ flags: { ...NEEDED, teacher: "runs/large", "distillation-weight": 0.9 } });
    expect(heavier.distillation?.weight).toBe(0.9);
    expect(resolveSettings({ flags: settingsInput(heavier) })).toEqual(heavier);
    const { distillation: _, ...old } = plain;
    expect(settingsInput(old)).toEqual(settingsInput(plain));
  });

  test("names every mistake about a teacher at once", () => {
    const flags = { ...NEEDED, task: "squad", teacher: "", "distillation-weight": 1.5 };
    expect(mistakes({ flags })).toBe(
      "--teacher: something / nothing / -\n--distillation-weight: a number ≤ 1 / 1.5 / -",
    );
  });

  test.each([
    [
      { "distillation-weight": 0.5 },
      "--distillation-weight: --teacher RUN, without which it means nothing / no --teacher",
    ],
    [{ teacher: "r", "distillation-weight": -0.1 }, "--distillation-weight: a number ≥ 0 / -0.1"],
    [{ teacher: "r", task: "seq2seq" }, "--teacher: a task of labels or squad, which alone uses it / --task seq2seq"],
  ])("refuses %j", (flags, expected) => {
    expect(mistakes({ flags: { ...NEEDED, ...flags } })).toContain(expected);
  });

  test("reads each method's own settings", () => {
    const lora = resolveSettings({ flags: { ...NEEDED, rank: 4, targets: "query, key" } }).method;
    expect(lora).toEqual({
      kind: "lora",
      rank: 4,
      alpha: 16,
      dropout: 0.1,
      targets: ["query", "key"],
      bias: "none",
      rslora: false,
    });
    expect(resolveSettings({ flags: { ...NEEDED, targets: "all-linear" } }).method).toMatchObject({
      targets: "all-linear",
    });
    expect(resolveSettings({ flags: { ...NEEDED, method: "adapter", "adapter-kind": "houlsby" } }).method).toEqual({
      kind: "adapter",
      style: "houlsby",
      reductionFactor: 16,
      nonLinearity: "swish",
    });
    const prompt = (flags: Record<string, unknown>) =>
      resolveSettings({ flags: { ...NEEDED, method: "prompt", ...flags } }).method;
    expect(prompt({})).toEqual({ kind: "prompt", virtualTokens: 60, init: "random", initText: null });
    expect(prompt({ "virtual-tokens": 5, "prompt-init-text": "good or bad" })).toEqual({
      kind: "prompt",
      virtualTokens: 5,
      init: "text",
      initText: "good or bad",
    });
    const prefix = { method: "prefix", "prefix-projection": true, "prefix-projection-size": 9 };
    expect(resolveSettings({ flags: { ...NEEDED, ...prefix } }).method).toEqual({
      kind: "prefix",
      virtualTokens: 60,
      projection: true,
      projectionSize: 9,
    });
  });

  test("gives the paper's prompt tuning the ε of its script", () => {
    const epsilon = (flags: Record<string, unknown>) =>
      resolveSettings({ flags: { ...NEEDED, preset: "paper", ...flags } }).density.epsilon;
    expect(epsilon({ method: "prompt" })).toEqual({ from: 20, to: 20 });
    expect(epsilon({ method: "prompt", epsilon: 3 })).toEqual({ from: 3, to: 3 });
    expect(epsilon({ method: "prefix" })).toEqual({ from: 1e-7, to: 1e-7 });
  });

  test.each([
    ["1e-3", { from: 1e-3, to: 1e-3 }],
    ["1e-2:1e-4", { from: 1e-2, to: 1e-4 }],
    [0.5, { from: 0.5, to: 0.5 }],
    [
      { from: 1, to: 0.1 },
      { from: 1, to: 0.1 },
    ],
  ])("reads epsilon %j", (epsilon, expected) => {
    expect(resolveSettings({ flags: { ...NEEDED, epsilon } }).density.epsilon).toEqual(expected);
  });

  test.each([["0"], ["-1"], ["1:2:3"], ["1:"], ["x"], [null], [{ from: 0, to: 1 }]])(
    "refuses epsilon %j",
    (epsilon) => {
      expect(mistakes({ flags: { ...NEEDED, epsilon } })).toContain("a number > 0, or FROM:TO to anneal it");
    },
  );

  test("lists every mistake at once, of flags and file, with its place", () => {
    const text = "model: m\nepochs: -1\nlerning-rate: 1\npatience: 1.5\nmethod: qlra\nrslora: maybe\ntargets: 3\n";
    const flags = { task: "sst", padding: "", "batch-size": "many", dropout: 1, seed: 2 ** 32 };
    expect(mistakes({ flags, file: { name: "c.yaml", text } })).toMatchInlineSnapshot(`
      "c.yaml:2:1 (epochs): a number > 0 / -1 / -
      c.yaml:3:1 (lerning-rate): a known setting / "lerning-rate" / learning-rate
      c.yaml:4:1 (patience): a whole number / 1.5 / -
      c.yaml:5:1 (method): one of lora, qlora, ia3, adapter, prompt, prefix, head, full / "qlra" / qlora
      c.yaml:6:1 (rslora): true or false / "maybe" / -
      c.yaml:7:1 (targets): a list, or words joined by commas / 3 / -
      --task: one of cola, mnli, mrpc, qnli, qqp, rte, sst2, stsb, wnli, text-classification, text-pair, text-regression, text-pair-regression, multi-label, token-classification, squad, seq2seq / "sst" / sst2
      --padding: one of longest, max / nothing / -
      --batch-size: a number / "many" / -
      --dropout: a number < 1 / 1 / -
      --seed: a number ≤ 4294967295 / 4294967296 / -
      --data: a GLUE folder, SQuAD JSON, or a CSV, TSV, JSONL or Parquet file / nothing / -"
    `);
  });

  test("says where YAML itself is wrong", () => {
    expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text: "epochs: 3\nseed: [1\n" } })).toMatch(
      /^c\.yaml:3:\d+: YAML /,
    );
    expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text: "- 1\n" } })).toMatch(/^c\.yaml:1:1: settings/);
    expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text: "seed: 1\nseed: 2\n" } })).toMatch(/unique/);
    expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text: "" } })).toBe("no mistake");
    expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text: "patience:\n" } })).toBe("no mistake");
  });

  test.each(["[", "[a, ", "{a: ", "- ", "? ", "a: ["])(
    "refuses YAML of %j many times over before anything follows it",
    (open) => {
      const text = `model: m\ntargets:\n  ${open.repeat(20_000)}`;
      const expected = "c.yaml: lists and maps nested at most 64 deep / more / -";
      expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text } })).toBe(expected);
    },
  );

  test("says what is wrong of YAML values that cannot be written out", () => {
    const of = (text: string) => mistakes({ flags: NEEDED, file: { name: "c.yaml", text } });
    expect(of("targets: &a [x, *a]\n")).toBe(
      'c.yaml:1:1 (targets): a list, or words joined by commas / ["x",["x",["x",["x",[…]]]]] / -',
    );
    expect(of("epochs: .inf\n")).toBe("c.yaml:1:1 (epochs): a number / Infinity / -");
    expect(of(`task: ${"x".repeat(200)}\n`)).toMatch(/ \/ "x{59}… \/ -$/);
    const bomb = Array.from(
      { length: 9 },
      (_, i) =>
        `a${i}: &a${i} [${
          i === 0
            ? "x"
            : Array(9)
                .fill(`*a${i - 1}`)
                .join()
        }]`,
    );
    expect(of(bomb.join("\n"))).toBe(
      "c.yaml: settings without aliases of aliases / aliases that stand for far too much / -",
    );
  });

  test("refuses contradictions, at the place they were written", () => {
    const contradiction = (flags: Record<string, unknown>) => mistakes({ flags: { ...NEEDED, ...flags } });
    expect(contradiction({ method: "adapter", rank: 4 })).toMatch(/^--rank: --method lora/);
    expect(contradiction({ "reduction-factor": 4 })).toMatch(/^--reduction-factor: --method adapter/);
    expect(contradiction({ "density-weight": 0, epsilon: 1, positions: "all" }).split("\n")).toHaveLength(2);
    expect(contradiction({ resume: true })).toMatch(/^--resume: --output RUN/);
    expect(contradiction({ resume: true, output: "runs/a" })).toBe("no mistake");
    expect(contradiction({ task: "text-classification", "pair-column": "b" })).toMatch(
      /^--pair-column: --task text-pair/,
    );
    expect(contradiction({ patience: 2 })).toBe("no mistake");
    expect(contradiction({ "virtual-tokens": 5 })).toMatch(/^--virtual-tokens: --method prompt or prefix/);
    expect(contradiction({ method: "prefix", "prompt-init": "random" })).toMatch(/^--prompt-init: --method prompt/);
    expect(contradiction({ method: "prompt", "prefix-projection": true })).toMatch(/^--prefix-projection: --method/);
    expect(contradiction({ method: "prompt", "prompt-init": "text" })).toMatch(/^--prompt-init: --prompt-init-text/);
    expect(contradiction({ method: "prompt", "prompt-init": "random", "prompt-init-text": "a" })).toMatch(
      /^--prompt-init-text: --prompt-init text/,
    );
    expect(contradiction({ method: "prompt", "prompt-init-text": " " })).toMatch(/^--prompt-init-text: some words/);
    expect(contradiction({ method: "prefix", "prefix-projection-size": 4 })).toMatch(
      /^--prefix-projection-size: --prefix-projection/,
    );
    expect(contradiction({ method: "prefix", "virtual-tokens": 0 })).toMatch(/^--virtual-tokens: a number ≥ 1/);
    expect(mistakes({ flags: NEEDED, file: { name: "c.yaml", text: "method: head\nalpha: 3\n" } })).toMatch(
      /^c\.yaml:2:1 \(alpha\)/,
    );
  });
});

describe("resolveComparison", () => {
  test("makes a PEFT and a DEFT run a method and seed, equal but for the weight and the folder", () => {
    const flags = { ...NEEDED, methods: "lora,adapter", seeds: "1,2", rank: 4, output: "runs/c" };
    const cells = resolveComparison({ flags });
    expect(cells.map((cell) => [cell.method, cell.seed])).toEqual([
      ["lora", 1],
      ["lora", 2],
      ["adapter", 1],
      ["adapter", 2],
    ]);
    for (const { peft, deft } of cells) {
      expect(peft.density.weight).toBe(0);
      expect(deft.density.weight).toBe(DEFAULTS["density-weight"]);
      expect({ ...peft, density: deft.density, output: deft.output }).toEqual(deft);
      expect(peft.output).not.toBe(deft.output);
    }
  });

  test("takes lists over what a file says for a single run", () => {
    const file = { name: "c.yaml", text: "model: m\ntask: sst2\ndata: d\nmethod: lora\nrank: 4\nseed: 3\n" };
    const cells = resolveComparison({ flags: { methods: "adapter,lora", seeds: "1,2" }, file });
    expect(cells.map(({ method, seed }) => `${method} ${seed}`)).toEqual([
      "adapter 1",
      "adapter 2",
      "lora 1",
      "lora 2",
    ]);
    expect(cells[2]!.deft.method).toMatchObject({ kind: "lora", rank: 4 });
    expect(resolveComparison({ flags: { methods: "adapter" }, file })[0]!.deft.method.kind).toBe("adapter");
  });

  test("refuses weight 0, unknown methods and seeds that are no numbers", () => {
    expect(() => resolveComparison({ flags: { ...NEEDED, "density-weight": 0 } })).toThrow("--density-weight");
    expect(() => resolveComparison({ flags: { ...NEEDED, methods: "lora,adaptor" } })).toThrow("did you mean adapter");
    expect(() => resolveComparison({ flags: { ...NEEDED, seeds: "1,x" } })).toThrow(
      '--seeds: expected a number, got "x"',
    );
  });
});

test("resolvePartial asks for nothing, and still checks", () => {
  expect(resolvePartial({ flags: { threads: 2 } })).toEqual({ threads: 2 });
  expect(() => resolvePartial({ flags: { threads: 0 } })).toThrow("--threads: expected a number ≥ 1, got 0");
});

describe("settingsInput and trainCommand", () => {
  const cases: Record<string, unknown>[] = [
    {},
    { preset: "paper", output: "runs/a", threads: 2 },
    { method: "adapter", "reduction-factor": 4, "density-weight": 0, "text-column": "t" },
    { method: "full", patience: 2, "max-steps": 10, "eval-steps": 5, "max-grad-norm": 1 },
    { method: "prompt", "prompt-init-text": "good or bad", "virtual-tokens": 7 },
    { method: "prefix", "prefix-projection": true, "prefix-projection-size": 8 },
    { targets: "all-linear", rslora: true, epsilon: "1e-2:1e-4", seed: 0 },
  ];
  test.each(cases)("give the same settings back: %j", (flags) => {
    const settings = resolveSettings({ flags: { ...NEEDED, ...flags } });
    const same = { ...settings, density: expect.objectContaining({ weight: settings.density.weight }) };
    expect(resolveSettings({ flags: settingsInput(settings) })).toEqual(
      flags["density-weight"] === 0 ? same : settings,
    );
  });

  test("leave out what is a default", () => {
    const words = trainCommand(
      resolveSettings({ flags: { ...NEEDED, epsilon: "1e-2:1e-4", rslora: true, epochs: 3 } }),
    );
    expect(words.join(" ")).toBe(
      "deft train --model bert-base-uncased --task sst2 --data data/SST-2 --rslora --epsilon 0.01:0.0001",
    );
  });
});

describe("a ReLU that is put in", () => {
  const density = (flags: Readonly<Record<string, unknown>>) =>
    resolveSettings({ flags: { ...NEEDED, activation: "relu", output: "runs/relu", ...flags } }).density;

  test("weighs the density loss anew, with an ε of the size of its activations", () => {
    expect(density({})).toMatchObject({ weight: 2, epsilon: { from: 1, to: 1 } });
    expect(density({ "density-weight": 0.5, epsilon: 0.1 })).toMatchObject({
      weight: 0.5,
      epsilon: { from: 0.1, to: 0.1 },
    });
  });

  test("leaves the loss of whole neurons its ε, and the paper's values as they are", () => {
    expect(density({ "density-loss": "neurons" }).epsilon).toEqual({ from: 0.1, to: 0.01 });
    expect(density({ preset: "paper" })).toMatchObject({ weight: 1, epsilon: { from: 1e-7, to: 1e-7 } });
  });

  test("is written into a command line that makes the same run", () => {
    const settings = resolveSettings({
      flags: { ...NEEDED, activation: "relu", output: "runs/relu", "density-budget": 0.03 },
    });
    expect(trainCommand(settings).join(" ")).toContain("--activation relu --density-budget 0.03");
    expect(trainCommand(settings)).not.toContain("--epsilon");
    expect(resolveSettings({ flags: settingsInput(settings) })).toEqual(settings);
  });
});
