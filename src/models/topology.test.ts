// The parts of a model as its own code names them, and what a new model type has to give.
import { describe, expect, it } from "vitest";
import { type Graph, tanh, type Value } from "../graph/index.ts";
import { embedding, layerNorm, linear, type Scope } from "../nn/index.ts";
import { anyModel, type EncoderModel, encoderModel } from "./index.ts";
import { blockLinears, isHeadName, linearSites, topologyOf } from "./topology.ts";

const SIZES = { num_hidden_layers: 2, hidden_size: 4, intermediate_size: 8, num_attention_heads: 2, vocab_size: 9 };
const BERT = { model_type: "bert", max_position_embeddings: 8, ...SIZES };
const T5 = { model_type: "t5", d_model: 4, d_ff: 8, d_kv: 2, num_heads: 2, num_layers: 2, vocab_size: 9 };
const all = { has: () => true };

describe("BERT", () => {
  const model = encoderModel(BERT);

  it("has blocks in order, each with its place in the stack", () => {
    expect(topologyOf(model).blocks).toEqual([
      { kind: "block", stack: "encoder", layer: 0, path: "bert.encoder.layer.0" },
      { kind: "block", stack: "encoder", layer: 1, path: "bert.encoder.layer.1" },
    ]);
  });

  it("has six linear layers in a block, a pooler, and heads", () => {
    const sites = ["self.query", "self.key", "self.value", "output.dense"].map((end) => `attention.${end}`);
    const block = [...sites, "intermediate.dense", "output.dense"];
    const inBlocks = [0, 1].flatMap((layer) => block.map((site) => `bert.encoder.layer.${layer}.${site}`));
    expect(blockLinears(model).map(({ path }) => path)).toEqual(inBlocks);
    expect(linearSites(model, all)).toEqual([...inBlocks, "bert.pooler.dense"]);
    expect(linearSites(model, { has: (name) => name === "bert.pooler.dense.weight" })).toEqual(["bert.pooler.dense"]);
    expect(topologyOf(model).heads).toEqual(["classifier", "qa_outputs"]);
    expect(topologyOf(model).linears.every(({ hasBias }) => hasBias)).toBe(true);
  });

  it.each([
    ["classifier.weight", true],
    ["qa_outputs.bias", true],
    ["classifiers.weight", false],
    ["bert.pooler.dense.weight", false],
  ])("%s is of a head: %s", (name, expected) => {
    expect(isHeadName(model, name)).toBe(expected);
  });
});

it("RoBERTa's head has two layers of one path", () => {
  const model = anyModel({ ...BERT, model_type: "roberta" });
  const heads = topologyOf(model).linears.filter(({ part }) => part?.kind === "head");
  expect(heads.map(({ path }) => path)).toEqual(["classifier.dense", "classifier.out_proj", "qa_outputs"]);
  expect(topologyOf(model).heads).toEqual(["classifier", "qa_outputs"]);
});

it("a T5 has two stacks, no biases, and no head of a task; its relative positions are no linear layer", () => {
  const { blocks, linears, heads, mlps } = topologyOf(anyModel(T5));
  expect(blocks.map(({ stack, layer, path }) => [stack, layer, path])).toEqual([
    ["encoder", 0, "encoder.block.0"],
    ["encoder", 1, "encoder.block.1"],
    ["decoder", 0, "decoder.block.0"],
    ["decoder", 1, "decoder.block.1"],
  ]);
  expect(linears.every(({ hasBias, part }) => !hasBias && part?.kind === "block")).toBe(true);
  expect(linears).toHaveLength(2 * 6 + 2 * 10);
  expect(heads).toEqual([]);
  expect(mlps).toHaveLength(4);
});

it("an untied T5's vocabulary is outside the blocks, and an MLP that was removed is not there", () => {
  const untied = anyModel({ ...T5, tie_word_embeddings: false, mlp_sizes: [8, 0, 8, 8] });
  expect(topologyOf(untied).linears.filter(({ part }) => part?.kind === "vocabulary")).toEqual([
    { path: "lm_head", part: { kind: "vocabulary", path: "lm_head" }, hasBias: false },
  ]);
  expect(linearSites(untied, all)).not.toContain("lm_head");
  expect(linearSites(untied, all)).not.toContain("encoder.block.1.layer.1.DenseReluDense.wi");
});

/** A type of model that this library does not have: one MLP a block, blocks called `h.N`, and a head called `score`. */
function stubModel(): EncoderModel {
  const { config } = encoderModel(BERT);
  const { facts } = encoderModel(BERT);
  const norm = (scope: Scope, x: Value) => layerNorm(scope, x, 1e-5);
  return {
    architecture: "encoder",
    writes: false,
    facts: { ...facts, modelType: "stub", classPrefix: "Stub" },
    config: { ...config, modelType: "stub" },
    mlps: [],
    embeddings(root, { tokenIds }) {
      const states = embedding(root.child("wte"), tokenIds, config.vocabSize, config.hiddenSize);
      return { states, mask: (root.graph as Graph).scalar(0) };
    },
    block(root, { states, mask }, layer) {
      const scope = root.block(`h.${layer}`, "encoder", layer);
      const inner = tanh(linear(scope.child("up_proj"), norm(scope.child("ln"), states), config.intermediateSize));
      return { states: linear(scope.child("down_proj"), inner, config.hiddenSize, { bias: false }), mask };
    },
    head: (root, { states }, numLabels) => linear(root.head("score"), states, numLabels),
    tokenHead(root, { states }, { width }) {
      const scope = root.head("qa_outputs");
      return { logits: linear(scope, states, width), scope };
    },
  };
}

describe("a model type of other names", () => {
  const model = stubModel();

  it("is told by its own code alone: no name is matched", () => {
    expect(topologyOf(model).blocks.map(({ path }) => path)).toEqual(["h.0", "h.1"]);
    expect(blockLinears(model).map(({ path, hasBias }) => [path, hasBias])).toEqual([
      ["h.0.up_proj", true],
      ["h.0.down_proj", false],
      ["h.1.up_proj", true],
      ["h.1.down_proj", false],
    ]);
    expect(topologyOf(model).heads).toEqual(["score", "qa_outputs"]);
    expect(isHeadName(model, "score.weight")).toBe(true);
  });
});
