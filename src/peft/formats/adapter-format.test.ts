import { describe, expect, it } from "vitest";
import {
  CheckpointError,
  type CheckpointIssue,
  ConfigError,
  DataError,
  FileError,
  UnsupportedError,
} from "../../errors.ts";
import { memoryFiles } from "../../hub/files-memory.ts";
import { float32, float32ToFloat16, type Tensor, tensor } from "../../tensor/index.ts";
import type { BottleneckAdapter, LoraAdapter } from "./adapter.ts";
import { readAdapter, writeAdapter } from "./adapter-format.ts";
import { fromAdapterHub, toAdapterHub } from "./adapterhub-format.ts";
import { fromPeft, toPeft } from "./peft-format.ts";
import { patternValues, selectedSites, sitesOver } from "./peft-targets.ts";
import { readSidecar, type Sidecar, writeSidecar } from "./sidecar.ts";

const filled = (shape: number[], first = 0) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, (_, i) => first + i),
  );
const QUERY = "roberta.encoder.layer.0.attention.self.query";
const LORA: LoraAdapter = {
  method: "lora",
  config: {
    rank: 2,
    alpha: 4,
    dropout: 0.1,
    rsLora: false,
    bias: "none",
    targets: ["query"],
    modulesToSave: ["classifier"],
    taskType: "SEQ_CLS",
    baseModel: "org/base",
  },
  tensors: new Map([
    [`${QUERY}.lora_A.weight`, filled([2, 8])],
    [`${QUERY}.lora_B.weight`, filled([8, 2], 20)],
    ["classifier.dense.weight", filled([8, 8], 50)],
    ["classifier.out_proj.bias", filled([2], 90)],
  ]),
};

const OUTPUT = "bert.encoder.layer.0.output";
const PFEIFFER: BottleneckAdapter = {
  method: "adapter",
  config: {
    placement: "pfeiffer",
    reductionFactor: 16,
    nonLinearity: "relu",
    scaling: 1,
    dropout: 0,
    originalLnBefore: true,
    originalLnAfter: true,
    residualBeforeLn: true,
    name: "sst2",
    hiddenSize: 32,
    modelType: "bert",
    modelClass: "BertForSequenceClassification",
    baseModel: "org/base",
    labels: ["negative", "positive"],
  },
  tensors: new Map([
    [`${OUTPUT}.adapter_down.weight`, filled([2, 32])],
    [`${OUTPUT}.adapter_down.bias`, filled([2])],
    [`${OUTPUT}.adapter_up.weight`, filled([32, 2])],
    [`${OUTPUT}.adapter_up.bias`, filled([32])],
    ["classifier.weight", filled([2, 32])],
    ["classifier.bias", filled([2])],
  ]),
};

function thrown<T extends Error>(kind: new (...args: never[]) => T, act: () => unknown): T {
  let error: unknown;
  try {
    act();
  } catch (reason) {
    error = reason;
  }
  expect(error).toBeInstanceOf(kind);
  return error as T;
}

describe("peft's LoRA", () => {
  const stored = toPeft(LORA);
  const changed =
    (config: object, tensors = stored.tensors) =>
    () =>
      fromPeft({ config: { ...stored.config, ...config }, tensors });
  const withTensors = (entries: [string, Tensor][], without: string[] = []) =>
    new Map([...stored.tensors, ...entries].filter(([name]) => !without.some((part) => name.endsWith(part))));

  it("has peft's names", () => {
    expect([...stored.tensors.keys()]).toEqual([
      `base_model.model.${QUERY}.lora_A.weight`,
      `base_model.model.${QUERY}.lora_B.weight`,
      "base_model.model.classifier.dense.weight",
      "base_model.model.classifier.out_proj.bias",
    ]);
    expect(stored.config).toMatchObject({
      peft_type: "LORA",
      r: 2,
      lora_alpha: 4,
      target_modules: ["query"],
      use_dora: false,
    });
  });

  it("comes back as it was", () => {
    expect(fromPeft(stored)).toEqual(LORA);
    const trained = new Map([...LORA.tensors, [`${QUERY}.bias`, filled([8])] as const]);
    const withBias: LoraAdapter = {
      ...LORA,
      config: { ...LORA.config, bias: "lora_only", rsLora: true },
      tensors: trained,
    };
    expect(toPeft(withBias).tensors.has(`base_model.model.${QUERY}.base_layer.bias`)).toBe(true);
    expect(fromPeft(toPeft(withBias))).toEqual(withBias);
  });

  it("reads the least configuration peft loads, and older names", () => {
    const config = {
      peft_type: "LORA",
      r: 2,
      lora_alpha: 4,
      target_modules: "all-linear",
      modules_to_save: ["classifier"],
    };
    const tensors = new Map(
      [...stored.tensors].map(
        ([name, t]) =>
          [
            name.replace(/(lora_.)/, "$1.default").replace("classifier.", "classifier.modules_to_save.default."),
            t,
          ] as const,
      ),
    );
    const adapter = fromPeft({ config, tensors });
    expect(adapter.config.targets).toEqual([QUERY]);
    expect(adapter.config.selection).toMatchObject({ targetModules: "all-linear", modulesToSave: ["classifier"] });
    expect(adapter.tensors).toEqual(LORA.tensors);
  });

  it.each([
    ["SEQ_CLS", "classifier", null],
    ["SEQ_CLS", "score", []],
    ["TOKEN_CLS", "classifier", null],
    ["QUESTION_ANS", "qa_outputs", null],
    ["SEQ_CLS", "classifier", ["pooler"]],
  ])("takes the head that %s trains, %s, where modules_to_save is older than it", (task, head, saved) => {
    const tensors = new Map([
      ...[...stored.tensors].filter(([name]) => name.includes("lora_")),
      [`base_model.model.${head}.weight`, filled([2, 8])] as const,
      [`base_model.model.${head}.bias`, filled([2])] as const,
    ]);
    const old = { enable_lora: null, merge_weights: true, fan_in_fan_out: false, peft_version: undefined };
    const { config, tensors: own } = changed({ ...old, task_type: task, modules_to_save: saved }, tensors)();
    expect(config.modulesToSave).toEqual([...(saved ?? []), head]);
    expect(own.get(`${head}.weight`)).toEqual(filled([2, 8]));
    // without the task it is nobody's
    expect(() => changed({ task_type: null, modules_to_save: saved }, tensors)()).toThrow("an unknown name");
  });

  it("reads a LoRA on tables, and writes it again under peft's names", () => {
    const table = "roberta.embeddings.word_embeddings";
    const named = (part: string) => `base_model.model.${table}.${part}`;
    const tensors = withTensors([
      [named("lora_embedding_A"), filled([2, 30])],
      [named("lora_embedding_B"), filled([8, 2])],
      [named("base_layer.weight"), filled([30, 8])],
    ]);
    const adapter = changed({ target_modules: ["query", "word_embeddings"] }, tensors)();
    expect([...adapter.tensors.keys()].slice(-3)).toEqual([
      `${table}.lora_embedding_A`,
      `${table}.lora_embedding_B`,
      `${table}.weight`,
    ]);
    expect(toPeft(adapter).tensors).toEqual(tensors);
    const half = withTensors([[named("lora_embedding_A"), filled([3, 30])]]);
    expect(thrown(CheckpointError, changed({}, half)).issues.map(({ expected }) => expected)).toEqual([
      "[2, in]",
      "[out, 2]",
    ]);
    const other = withTensors([[named("lora_embedding_B"), filled([8, 2])]]);
    expect(thrown(CheckpointError, changed({}, other)).issues[0]!.expected).toBe("a lora_embedding_A beside it");
  });

  it("adapts a head's layers where their tensors say so, and not where the head is stored whole", () => {
    const target_modules = ["query", "classifier"];
    expect(changed({ target_modules })().config.targets).toEqual(["query"]);
    const tensors = new Map([
      ...[...stored.tensors].filter(([name]) => name.includes("lora_")),
      ["base_model.model.classifier.lora_A.weight", filled([2, 8])] as const,
      ["base_model.model.classifier.lora_B.weight", filled([2, 2])] as const,
    ]);
    const adapter = changed({ target_modules, task_type: null, modules_to_save: null }, tensors)();
    expect(adapter.config).toMatchObject({ targets: [QUERY, "classifier"], modulesToSave: [] });
    expect(toPeft(adapter).tensors).toEqual(tensors);
  });

  it("turns 16-bit tensors into float32", () => {
    const half = tensor("float16", [2, 8], float32ToFloat16(Float32Array.from({ length: 16 }, (_, i) => i)));
    const read = fromPeft({ ...stored, tensors: withTensors([[`base_model.model.${QUERY}.lora_A.weight`, half]]) });
    expect(read.tensors.get(`${QUERY}.lora_A.weight`)).toEqual(filled([2, 8]));
  });

  it("refuses every setting it does not know, all at once", () => {
    const error = thrown(
      ConfigError,
      changed({
        use_dora: true,
        layer_replication: [[0, 1]],
        fan_in_fan_out: true,
        new_in_2031: "x",
        unused_in_2031: null,
        init_lora_weights: "pissa",
      }),
    );
    expect(error.message).toMatchInlineSnapshot(`
      "adapter_config.json, fan_in_fan_out: expected false, got true
      adapter_config.json, layer_replication: expected null, got [[0,1]]
      adapter_config.json, use_dora: expected false, got true
      adapter_config.json, new_in_2031: expected null, got "x"
      adapter_config.json, init_lora_weights (changes the base weights): expected null, got "pissa"
      These settings change what the adapter computes and are not supported."
    `);
  });

  it("reads patterns of ranks and alphas, and what selects layers", () => {
    const [key, rank4] = ["roberta.encoder.layer.1.attention.self.key", 4];
    const tensors = withTensors([
      [`base_model.model.${key}.lora_A.weight`, filled([rank4, 8])],
      [`base_model.model.${key}.lora_B.weight`, filled([8, rank4])],
    ]);
    const config = {
      target_modules: ["query", "key"],
      layers_to_transform: [0, 1],
      layers_pattern: "layer",
      exclude_modules: ".*\\.5\\..*",
      rank_pattern: { "^roberta.*\\.1\\..*key": 4, key: 16 },
      alpha_pattern: { "self.key": 32 },
    };
    const adapter = changed(config, tensors)();
    expect(adapter.config).toMatchObject({
      targets: [QUERY, key],
      rankPattern: { [key]: 4 },
      alphaPattern: { [key]: 32 },
      selection: { layersToTransform: [0, 1], layersPattern: ["layer"] },
    });
    expect(toPeft(adapter).config).toMatchObject({ rank_pattern: { [key]: 4 }, alpha_pattern: { [key]: 32 } });
    const sites = [0, 1, 2].flatMap((layer) => [`encoder.layer.${layer}.self.query`, `encoder.layer.${layer}.dense`]);
    expect(selectedSites(adapter.config.selection!, sites)).toEqual([
      "encoder.layer.0.self.query",
      "encoder.layer.1.self.query",
    ]);
  });

  it("refuses patterns that are none", () => {
    const broken = {
      target_modules: "(",
      rank_pattern: { query: 1.5 },
      alpha_pattern: { "[": 4 },
      layers_to_transform: "1",
    };
    expect(thrown(ConfigError, changed(broken)).issues.map(({ path }) => path.split(", ")[1])).toEqual([
      "layers_to_transform",
      "target_modules",
      "rank_pattern",
      "alpha_pattern",
    ]);
  });

  it("matches expressions in time that backtracking would never end with, and takes those that people write", () => {
    const slow = [
      "(?:[a-z.0-9_]+)+!",
      "(a|aa)+b",
      "(.*)*!",
      "((a?){30}){30}x",
      ".*.*.*.*.*.*!",
      "(?:x(?:a+|b))+",
      "(?:[a-z.0-9]*){2,}!",
    ];
    const sites = Array.from({ length: 20 }, (_, i) => `roberta.encoder.layer.${i}.attention.self.${"a".repeat(60)}`);
    const selected = (target_modules: string) =>
      selectedSites(changed({ target_modules })().config.selection!, [QUERY, ...sites]);
    for (const expression of slow) expect(selected(expression), expression).toEqual([]);
    const usual = [
      String.raw`.*\.(0|1)\.attention\.self\.(query|key)`,
      String.raw`roberta\.encoder\.layer\.([0-9]|1[01])\..*\.(query|value|dense)`,
      String.raw`^(?!.*\.5\.).*(query|value)$`,
      String.raw`.*layer\.[0-5]+\..*query.*`,
      String.raw`(.*)\.query`,
    ];
    for (const expression of usual) expect(selected(expression), expression).toEqual([QUERY]);
    expect(thrown(ConfigError, changed({ target_modules: String.raw`(.)\1` })).issues[0]!.expected).toBe(
      "a regular expression without back-references",
    );
    const others = {
      rank_pattern: { "(a+": 2 },
      layers_pattern: ["(a+)+)"],
      modules_to_save: ["("],
      exclude_modules: "(a+)(?",
    };
    expect(thrown(ConfigError, changed(others)).issues.map(({ path }) => path.split(", ")[1])).toEqual([
      "layers_pattern",
      "modules_to_save",
      "exclude_modules",
      "rank_pattern",
    ]);
  });

  it("says why an expression is none, and refuses lists that no model has", () => {
    const broken = {
      target_modules: "(a+",
      layers_pattern: ["[z-a]"],
      modules_to_save: Array.from({ length: 101 }, (_, i) => `m${i}`),
      rank_pattern: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`(m${i})`, 2])),
    };
    const issues = thrown(ConfigError, changed(broken)).issues;
    expect(Object.fromEntries(issues.map(({ path, got }) => [path.split(", ")[1], got]))).toEqual({
      layers_pattern: '"[z-a]" (a range in a class)',
      modules_to_save: "101",
      target_modules: '"(a+" (a group that does not end)',
      rank_pattern: "101, of which 101",
    });
    const names = Array.from({ length: 20 }, (_, i) => `${"a".repeat(80)}.${i}`);
    const slow = patternValues("rank_pattern", { "(?:a?){600}(?:[a-z.]?){600}!": 2 }, names);
    const error = thrown(UnsupportedError, () => names.map(slow));
    expect(error.what).toMatch(/^rank_pattern of adapter_config.json, "\(\?:a.*too many steps for a text of/);
  });

  it("refuses an expression that means no layer of the model, as peft does", () => {
    const over = (target_modules: string) =>
      sitesOver(changed({ target_modules })().config.selection!, [QUERY], [QUERY, "roberta.pooler.dense"]);
    expect(over(".*dense")).toEqual([QUERY, "roberta.pooler.dense"]);
    expect(over("all-linear")).toEqual([QUERY, "roberta.pooler.dense"]);
    const error = thrown(ConfigError, () => over("(?:[a-z.0-9_]+)+!"));
    expect(error.issues[0]).toMatchObject({
      path: "adapter_config.json, target_modules",
      got: '"(?:[a-z.0-9_]+)+!"',
    });
  });

  it("takes a key of a pattern as peft does: the end of a name from behind a dot, in which a dot is any character", () => {
    const valued = patternValues("rank_pattern", { "self.query": 1, "b-c": 2, "x.*y": 3 }, ["a.self.query"]);
    const names = ["a.self.query", "a.self_query", "self.query", "aself.query", "a.b-c", "b-c.d", "a.x.z.y", ""];
    expect(names.map(valued)).toEqual([1, 1, 1, undefined, 2, undefined, 3, undefined]);
  });

  it("collects what does not fit instead of throwing, when asked to", () => {
    const misfits: CheckpointIssue[] = [];
    const tensors = withTensors(
      [
        ["other.weight", filled([2])],
        [`base_model.model.${QUERY}.lora_A.weight`, tensor("int64", [1, 1], BigInt64Array.of(1n))],
      ],
      [],
    );
    const adapter = fromPeft({ config: stored.config, tensors }, "adapter_config.json", misfits);
    expect([...adapter.tensors.keys()]).not.toContain("other.weight");
    expect(misfits.map(({ got }) => got)).toEqual(["int64[1, 1]", "an unknown name", "none"]);
    expect(() => fromPeft({ config: stored.config, tensors })).toThrow(CheckpointError);
  });

  it("refuses a peft type that is somebody's own", () => {
    const error = thrown(ConfigError, changed({ peft_type: "DEFT" }));
    expect(error.message).toContain("another tool wrote this one");
    expect(stored.config.peft_type).toBe("LORA");
  });

  it("refuses settings of the wrong type and other methods", () => {
    const error = thrown(ConfigError, changed({ r: "8", lora_alpha: -1, bias: "some", target_modules: 3 }));
    expect(error.issues.map(({ path }) => path.split(", ")[1])).toEqual(["r", "lora_alpha", "bias", "target_modules"]);
    expect(thrown(UnsupportedError, changed({ peft_type: "IA3" })).message).toContain('peft_type "IA3"');
  });

  it.each([
    ["a rank that differs", withTensors([[`base_model.model.${QUERY}.lora_A.weight`, filled([3, 8])]]), "[2, in]"],
    ["half a pair", withTensors([], ["lora_B.weight"]), "[out, 2]"],
    ["the other half", withTensors([], ["lora_A.weight"]), "a lora_A beside it"],
    ["an unknown tensor", withTensors([["base_model.model.x.lora_magnitude_vector", filled([2])]]), "a LoRA matrix"],
    ["a missing prefix", withTensors([["other.weight", filled([2])]]), "a LoRA matrix"],
  ])("refuses %s", (_, tensors, expected) => {
    expect(
      thrown(CheckpointError, changed({}, tensors))
        .issues.map((issue) => issue.expected)
        .join(),
    ).toContain(expected);
  });
});

describe("AdapterHub's bottleneck", () => {
  it("has AdapterHub's names and head files", () => {
    const { tensors, head, config } = toAdapterHub(PFEIFFER);
    expect([...tensors.keys()]).toEqual([
      `${OUTPUT}.adapters.sst2.adapter_down.0.weight`,
      `${OUTPUT}.adapters.sst2.adapter_down.0.bias`,
      `${OUTPUT}.adapters.sst2.adapter_up.weight`,
      `${OUTPUT}.adapters.sst2.adapter_up.bias`,
    ]);
    expect(head!.config).toMatchObject({ num_labels: 2, label2id: { negative: 0, positive: 1 }, name: null });
    expect([...head!.tensors.keys()]).toEqual(["classifier.weight", "classifier.bias"]);
    expect(config).toMatchObject({
      name: "sst2",
      version: "adapters.1.3.0",
      config: { mh_adapter: false, non_linearity: "relu" },
    });
  });

  it("comes back as it was, Houlsby too", () => {
    expect(fromAdapterHub(toAdapterHub(PFEIFFER))).toEqual(PFEIFFER);
    const attention = [...PFEIFFER.tensors].map(
      ([name, t]) => [name.replace(".output.", ".attention.output."), t] as const,
    );
    const houlsby: BottleneckAdapter = {
      method: "adapter",
      config: { ...PFEIFFER.config, placement: "houlsby", nonLinearity: "swish", originalLnBefore: false },
      tensors: new Map([...PFEIFFER.tensors, ...attention]),
    };
    expect(fromAdapterHub(toAdapterHub(houlsby))).toEqual(houlsby);
  });

  it("refuses what it does not build, all at once", () => {
    const stored = toAdapterHub(PFEIFFER);
    const inner = stored.config.config as object;
    const change = (config: object) => () =>
      fromAdapterHub({ ...stored, config: { ...stored.config, config: { ...inner, ...config } } });
    const error = thrown(ConfigError, change({ is_parallel: true, phm_layer: true, ln_after: true, leave_out: [0] }));
    expect(error.issues.map(({ path }) => path.split(", ")[1])).toEqual(
      ["is_parallel", "leave_out", "ln_after", "phm_layer"].sort(),
    );
    thrown(UnsupportedError, change({ architecture: "lora" }));
    thrown(UnsupportedError, change({ output_adapter: false }));
    const flex = { config: {}, tensors: new Map([["heads.sst2.1.weight", filled([1])]]) };
    expect(thrown(CheckpointError, () => fromAdapterHub({ ...stored, head: flex })).issues[0]!.got).toBe("a flex head");
    const half = new Map([...stored.tensors].filter(([name]) => !name.endsWith("adapter_up.bias")));
    expect(thrown(CheckpointError, () => fromAdapterHub({ ...stored, tensors: half })).issues).toHaveLength(1);
  });
});

describe("adapter folders", () => {
  it.each([LORA, PFEIFFER])("hold an adapter", async (adapter) => {
    const files = memoryFiles();
    await writeAdapter(files, "run/adapter", adapter);
    expect(await readAdapter(files, "run/adapter")).toEqual(adapter);
  });

  it("say what is missing", async () => {
    const files = memoryFiles([
      ["half/adapter_config.json", '{"peft_type": "LORA"}'],
      ["broken/adapter_config.json", "{"],
      ["empty/x", ""],
    ]);
    await expect(readAdapter(files, "none")).rejects.toThrow(FileError);
    await expect(readAdapter(files, "empty")).rejects.toThrow(
      "empty/adapter_config.json: expected a JSON file, got nothing there",
    );
    await expect(readAdapter(files, "half")).rejects.toThrow(
      "expected adapter_model.safetensors or adapter_model.bin, got neither",
    );
    await expect(readAdapter(files, "broken")).rejects.toThrow(DataError);
  });
});

describe("deft.json", () => {
  const sidecar: Sidecar = {
    schemaVersion: 1,
    toolVersion: "0.1.0",
    method: { name: "lora", rank: 8 },
    density: { weight: 1, epsilon: 1e-7 },
    report: null,
    base: { model: "org/base", revision: null, fingerprint: "ab" },
    data: null,
    labels: ["a", "b"],
  };

  it("comes back as it was, and is null where there is none", async () => {
    const files = memoryFiles();
    expect(await readSidecar(files, "run")).toBeNull();
    await writeSidecar(files, "run", sidecar);
    expect(await readSidecar(files, "run")).toEqual(sidecar);
  });

  it("refuses a newer schema and lists every wrong field", async () => {
    const newer = memoryFiles([["deft.json", JSON.stringify({ ...sidecar, schemaVersion: 2 })]]);
    await expect(readSidecar(newer, "")).rejects.toThrow(UnsupportedError);
    const wrong = memoryFiles([["deft.json", JSON.stringify({ ...sidecar, method: 1, base: {}, labels: "a" })]]);
    const error = await readSidecar(wrong, "").then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect((error as ConfigError).issues.map(({ path }) => path.split(", ")[1])).toEqual([
      "method",
      "base.model",
      "base.revision",
      "base.fingerprint",
      "labels",
    ]);
  });
});
