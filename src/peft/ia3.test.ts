// IA3: which layers are scaled and where, its vectors folded into weights, and its files.
import { describe, expect, test } from "vitest";
import { CheckpointError, type CheckpointIssue, ConfigError, UnsupportedError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import { memoryFiles } from "../hub/files-memory.ts";
import { factsOf } from "../models/index.ts";
import { linear, Scope } from "../nn/index.ts";
import { float32, memoryWeights, type Tensor } from "../tensor/index.ts";
import { readAdapter, writeAdapter } from "./formats/adapter-format.ts";
import { fromPeftIa3, type Ia3Adapter, toPeftIa3 } from "./formats/peft-ia3-format.ts";
import { IA3, type Ia3Options, ia3 } from "./ia3.ts";
import { mergedWeights } from "./method-of.ts";
import type { AdapterFacts } from "./record.ts";

const LAYER = "bert.encoder.layer.0";
const SITES = [
  "attention.self.query",
  "attention.self.key",
  "attention.output.dense",
  "intermediate.dense",
  "output.dense",
].map((end) => `${LAYER}.${end}`);
const factsOfType = (modelType: string) => factsOf({ model_type: modelType });
const USUAL = IA3.onModel(ia3().settings, factsOfType("bert"));

/** Names and shapes of the vectors at these layers `[3, 2]`. */
function vectors(options: Ia3Options, sites: readonly string[] = [...SITES, "classifier"]) {
  const graph = new Graph();
  const root = Scope.root(graph, { hooks: ia3(options).hooks });
  const at = (site: string) =>
    site === "classifier" ? root.head(site) : site === "lm_head" ? root.head(site, "vocabulary") : root.child(site);
  for (const site of sites) linear(at(site), graph.input("x", "float32", ["B", 2]), 3);
  return root.parameters
    .filter(({ name }) => name.endsWith(".ia3_l"))
    .map(({ name, shape, init }) => [name.slice(`${LAYER}.`.length, -".ia3_l".length), shape.join("x"), init?.kind]);
}

describe("layers", () => {
  test("usual on BERT: key behind, both output.dense before, begun as ones", () => {
    expect(vectors(USUAL)).toEqual([
      ["attention.self.key", "3x1", "ones"],
      ["attention.output.dense", "1x2", "ones"],
      ["output.dense", "1x2", "ones"],
    ]);
  });

  test.each([
    ["all but the head, and not the vocabulary's", { targets: "all-linear", feedforward: [] }, 5],
    ["by whole paths", { targets: [`${LAYER}.output.dense`], feedforward: [`${LAYER}.output.dense`] }, 1],
    ["by last parts", { targets: ["dense"], feedforward: ["intermediate.dense"] }, 3],
  ] as const)("%s", (_, options, count) => {
    expect(vectors(options, [...SITES, "classifier", "lm_head"])).toHaveLength(count);
  });

  test.each(["bert", "roberta", "t5"])("those usual for %s are peft's", (modelType) => {
    const { targets, feedforward } = IA3.onModel(ia3().settings, factsOfType(modelType));
    const expected =
      modelType === "t5" ? [["k", "v", "wo"], ["wo"]] : [["key", "value", "output.dense"], ["output.dense"]];
    expect([targets, feedforward]).toEqual(expected);
    const own = { kind: "ia3", targets: ["query"], feedforward: ["x"] } as const;
    expect(IA3.onModel(own, factsOfType(modelType))).toEqual(own);
  });

  test("left to a model and met by none are asked for", () => {
    expect(() => vectors({})).toThrow(ConfigError);
    expect(() => ia3().check(SITES)).toThrow(/^targets: expected names of linear layers/);
  });

  test("are checked against the model, the usual feed-forward ones beside targets of one's own too", () => {
    expect(() => ia3({ targets: ["kye"], feedforward: [] }).check(SITES)).toThrow(/targets: .*got "kye".*key/);
    expect(() => ia3({ targets: ["key"], feedforward: ["intermediate.dense"] }).check(SITES)).toThrow(
      'feedforward-targets: expected layers among the targets (key), got "intermediate.dense"',
    );
    ia3({ targets: ["key"], feedforward: USUAL.feedforward }).check(SITES);
    ia3({ targets: "all-linear", feedforward: ["intermediate.dense"] }).check(SITES);
  });
});

describe("merging", () => {
  const trained = (entries: Record<string, Tensor>) => new Map(Object.entries(entries));
  const read = async (weights: ReturnType<typeof mergedWeights>, name: string) =>
    Array.from((await weights.get(name)!.read()).data, Number);

  test("scales rows and bias behind a layer, columns before one, and keeps zeros", async () => {
    const base = memoryWeights([
      ["a.key.weight", float32([2, 3], [1, 2, 0, 4, -0, 0.1])],
      ["a.key.bias", float32([2], [1, 0])],
      ["a.output.dense.weight", float32([2, 2], [1, 0, 3, 4])],
      ["a.output.dense.bias", float32([2], [5, 6])],
      ["classifier.weight", float32([1], [7])],
    ]);
    const merged = mergedWeights(
      base,
      trained({
        "a.key.ia3_l": float32([2, 1], [2, -3]),
        "a.output.dense.ia3_l": float32([1, 2], [10, 100]),
        "classifier.weight": float32([1], [8]),
      }),
      USUAL,
    );
    expect([...merged.keys()]).toEqual([...base.keys()]);
    expect(await read(merged, "a.key.weight")).toEqual([2, 4, 0, -12, 0, Math.fround(Math.fround(0.1) * -3)]);
    expect(await read(merged, "a.key.bias")).toEqual([2, -0]);
    expect(await read(merged, "a.output.dense.weight")).toEqual([10, 0, 30, 400]);
    expect(await read(merged, "a.output.dense.bias")).toEqual([5, 6]);
    expect(await read(merged, "classifier.weight")).toEqual([8]);
    expect(await read(base, "a.key.weight")).toEqual([1, 2, 0, 4, -0, Math.fround(0.1)]);
  });

  test("refuses a layer without a matrix of its own", () => {
    const settings = ia3({ targets: ["lm_head"], feedforward: [] }).settings;
    const vector = trained({ "lm_head.ia3_l": float32([2, 1], [1, 1]) });
    expect(() => mergedWeights(memoryWeights([]), vector, settings)).toThrow(UnsupportedError);
  });
});

describe("peft's files", () => {
  const ones = (...shape: number[]) =>
    float32(
      shape,
      Array.from({ length: shape[0]! * shape[1]! }, (_, i) => i),
    );
  const ADAPTER: Ia3Adapter = {
    method: "ia3",
    config: {
      targets: ["key", "output.dense"],
      feedforward: ["output.dense"],
      modulesToSave: ["classifier"],
      taskType: "SEQ_CLS",
      baseModel: "org/base",
    },
    tensors: new Map([
      [`${LAYER}.attention.self.key.ia3_l`, ones(4, 1)],
      [`${LAYER}.output.dense.ia3_l`, ones(1, 8)],
      ["classifier.weight", ones(2, 4)],
    ]),
  };
  const stored = toPeftIa3(ADAPTER);
  const changed = (config: object, misfits?: CheckpointIssue[], tensors = stored.tensors) =>
    fromPeftIa3({ config: { ...stored.config, ...config }, tensors }, "adapter_config.json", misfits);

  test("come back as they were, from a folder too", async () => {
    expect(fromPeftIa3(stored)).toEqual(ADAPTER);
    expect([...stored.tensors.keys()][0]).toBe(`base_model.model.${LAYER}.attention.self.key.ia3_l`);
    const files = memoryFiles();
    await writeAdapter(files, "run/adapter", ADAPTER);
    expect(await readAdapter(files, "run/adapter")).toEqual(ADAPTER);
    const facts = { linearSites: () => SITES };
    expect(IA3.format.settingsOf(ADAPTER, facts, "x")).toEqual({
      kind: "ia3",
      targets: ADAPTER.config.targets,
      feedforward: ADAPTER.config.feedforward,
    });
  });

  test.each([
    ["an expression", { feedforward_modules: ".*\\.output\\.dense" }],
    ["the end of a name without a dot", { feedforward_modules: ["put.dense"] }],
    ["nothing, as the least configuration that peft loads", { feedforward_modules: null }],
  ])("say which are feed-forward by %s", (_, config) => {
    expect(changed(config).config.feedforward).toEqual([`${LAYER}.output.dense`]);
  });

  test("select layers by expressions and exclusions", () => {
    const adapter = changed({ target_modules: `.*(key|output\\.dense)`, exclude_modules: ["attention.output.dense"] });
    expect(adapter.config.targets).toEqual([`${LAYER}.attention.self.key`, `${LAYER}.output.dense`]);
    expect(IA3.format.settingsOf(adapter, { linearSites: () => SITES }, "x").targets).toEqual(adapter.config.targets);
  });

  test("name each layer where peft would take others for feed-forward ones, or refuse", () => {
    const facts = { model: "m", modulesToSave: [], taskType: null } as unknown as AdapterFacts;
    const [key, output] = [...ADAPTER.tensors.keys()].map((name) => name.replace(".ia3_l", ""));
    const spelled = (options: Ia3Options) => {
      const { targets, feedforward } = IA3.format.toAdapter(ia3(options).settings, ADAPTER.tensors, facts).config;
      return { targets, feedforward };
    };
    const whole = { targets: [key, output], feedforward: [output] };
    expect(spelled({ targets: ["key", "output.dense"], feedforward: ["output.dense"] })).toEqual(
      spelled(ADAPTER.config),
    );
    expect(spelled(ADAPTER.config)).toEqual({ targets: ["key", "output.dense"], feedforward: ["output.dense"] });
    expect(spelled({ targets: ["key", "dense"], feedforward: ["output.dense"] })).toEqual(whole);
    expect(spelled({ targets: "all-linear", feedforward: ["output.dense"] })).toEqual(whole);
  });

  test("are refused with every setting that is malformed or not built, and every tensor that does not fit", () => {
    const mistakes = () => changed({ fan_in_fan_out: true, new_in_2031: 3 });
    expect(mistakes).toThrow(/fan_in_fan_out: expected false, got true\n.*new_in_2031: expected null, got 3/);
    expect(() => changed({ feedforward_modules: "(", target_modules: 3 })).toThrow(
      /target_modules.*feedforward_modules/s,
    );
    expect(() => changed({ peft_type: "LORA" })).toThrow(UnsupportedError);
    const odd = new Map([
      ...stored.tensors,
      [`base_model.model.${LAYER}.attention.self.key.ia3_l`, ones(1, 4)],
      ["base_model.model.pooler.weight", ones(1, 1)],
    ]);
    expect(() => changed({}, undefined, odd)).toThrow(CheckpointError);
    const misfits: CheckpointIssue[] = [];
    changed({}, misfits, odd);
    expect(misfits).toEqual([
      { name: `${LAYER}.attention.self.key.ia3_l`, expected: "[out, 1]", got: "[1, 4]" },
      {
        name: "base_model.model.pooler.weight",
        expected: "an IA3 vector or part of classifier, score",
        got: "an unknown name",
      },
    ]);
  });
});
