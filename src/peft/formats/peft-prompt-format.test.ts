import { describe, expect, it } from "vitest";
import { CheckpointError, ConfigError, UnsupportedError } from "../../errors.ts";
import { memoryFiles } from "../../hub/files-memory.ts";
import { float32, float32ToFloat16, type Tensor, tensor } from "../../tensor/index.ts";
import type { VirtualTokenAdapter } from "./adapter.ts";
import { readAdapter, writeAdapter } from "./adapter-format.ts";
import { fromPeftPrompt, prefixTable, prefixTensors, toPeftPrompt } from "./peft-prompt-format.ts";

const filled = (shape: number[], first = 0) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, (_, i) => first + i),
  );

function adapterOf(method: "prompt" | "prefix"): VirtualTokenAdapter {
  return {
    method,
    config: {
      virtualTokens: 3,
      hiddenSize: 4,
      numLayers: 2,
      numHeads: 2,
      modulesToSave: ["classifier"],
      taskType: "SEQ_CLS",
      baseModel: "org/base",
    },
    tensors: new Map([
      ["prompt_embeddings", filled([3, method === "prompt" ? 4 : 16])],
      ["classifier.out_proj.weight", filled([2, 4], 9)],
    ]),
  };
}

describe.each(["prompt", "prefix"] as const)("peft's %s", (method) => {
  const adapter = adapterOf(method);
  const stored = toPeftPrompt(adapter);
  const changed =
    (config: object, tensors: ReadonlyMap<string, Tensor> = stored.tensors) =>
    () =>
      fromPeftPrompt({ config: { ...stored.config, ...config }, tensors });

  it("has peft's names", () => {
    expect([...stored.tensors.keys()]).toEqual(["prompt_embeddings", "base_model.classifier.out_proj.weight"]);
    expect(stored.config).toMatchObject({
      peft_type: method === "prompt" ? "PROMPT_TUNING" : "PREFIX_TUNING",
      num_virtual_tokens: 3,
      token_dim: 4,
      num_layers: 2,
      num_attention_heads: 2,
      num_transformer_submodules: 1,
    });
  });

  it("comes back as it was, from memory and through a folder", async () => {
    expect(fromPeftPrompt(stored)).toEqual(adapter);
    const files = memoryFiles();
    await writeAdapter(files, "folder", adapter);
    expect(await readAdapter(files, "folder")).toEqual(adapter);
  });

  it("reads what peft writes beside it: modules named twice, wrapped names, half precision", () => {
    const { shape, data } = adapter.tensors.get("prompt_embeddings")!;
    const half = tensor("float16", shape, float32ToFloat16(data as Float32Array));
    const tensors = new Map([
      ["prompt_embeddings", half],
      ["base_model.classifier.modules_to_save.default.out_proj.weight", filled([2, 4], 9)],
      ["base_model.classifier.original_module.out_proj.weight", filled([2, 4])],
    ]);
    const read = changed({ modules_to_save: ["classifier", "score", "classifier", "score"] }, tensors)();
    expect(read.config.modulesToSave).toEqual(["classifier", "score"]);
    expect(read.tensors).toEqual(adapter.tensors);
  });

  it("lists every tensor that is missing or unknown at once", () => {
    const tensors = new Map([["base_model.bert.pooler.dense.bias", filled([4])]]);
    expect(changed({}, tensors)).toThrow(CheckpointError);
    expect(changed({}, tensors)).toThrow(/prompt_embeddings[\s\S]*pooler\.dense\.bias/);
  });

  it("refuses settings that change the result, and malformed ones", () => {
    expect(changed({ num_ranks: 2 })).toThrow(ConfigError);
    expect(changed({ token_dim: null })).toThrow("token_dim: expected a whole number above 0, got nothing");
    expect(changed({ num_virtual_tokens: "3" })).toThrow(
      'num_virtual_tokens: expected a whole number above 0, got "3"',
    );
    expect(changed({ peft_type: "CPT" })).toThrow(UnsupportedError);
  });
});

it("P-tuning's table is a prompt", () => {
  const stored = toPeftPrompt(adapterOf("prompt"));
  const config = { ...stored.config, peft_type: "P_TUNING", encoder_hidden_size: 7, encoder_dropout: 0.1 };
  expect(fromPeftPrompt({ ...stored, config })).toEqual(adapterOf("prompt"));
});

it("a prompt for encoder and decoder is read as the encoder's, which is all that peft uses", () => {
  const stored = toPeftPrompt(adapterOf("prompt"));
  const tensors = new Map([...stored.tensors, ["prompt_embeddings", filled([6, 4])]]);
  const config = { ...stored.config, num_transformer_submodules: 2 };
  expect(fromPeftPrompt({ config, tensors })).toEqual(adapterOf("prompt"));
});

it("a prefix of an encoder–decoder is refused", () => {
  const stored = toPeftPrompt(adapterOf("prefix"));
  const config = { ...stored.config, num_transformer_submodules: 2 };
  expect(() => fromPeftPrompt({ ...stored, config })).toThrow(/num_transformer_submodules 2/);
});

it("a prefix's table holds the keys, then the values of each site", () => {
  const sites = ["a", "b"];
  const parts = new Map([
    ["a.prefix_key", float32([2, 2], [1, 2, 3, 4])],
    ["a.prefix_value", float32([2, 2], [5, 6, 7, 8])],
    ["b.prefix_key", float32([2, 2], [10, 20, 30, 40])],
    ["b.prefix_value", float32([2, 2], [50, 60, 70, 80])],
  ]);
  const table = prefixTable(sites, parts);
  expect(table).toEqual(float32([2, 8], [1, 2, 5, 6, 10, 20, 50, 60, 3, 4, 7, 8, 30, 40, 70, 80]));
  expect(prefixTensors(sites, table)).toEqual(parts);
});
