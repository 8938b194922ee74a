// Every site and parameter of each model in order, and a forward graph as text: a change of either must be seen.
import { expect, test } from "vitest";
import { Graph, printGraph, type Shape } from "../../src/graph/index.ts";
import {
  ENCODER_TYPES,
  type EncoderInputs,
  encode,
  encoderLogits,
  encoderModel,
  languageModelLogits,
  t5Model,
} from "../../src/models/index.ts";
import { type Hooks, Scope, type Site } from "../../src/nn/index.ts";
import { lora } from "../../src/peft/index.ts";

const TINY = {
  vocab_size: 30,
  hidden_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 12,
};

const inputsOf = (graph: Graph): EncoderInputs => {
  const tokens = (name: string) => graph.input(name, "int64", ["B", "S"] as Shape);
  return { tokenIds: tokens("tokenIds"), attentionMask: tokens("attentionMask"), typeIds: tokens("typeIds") };
};

/** Hooks that change nothing and note each call. */
function recorder(): { readonly hooks: Hooks; readonly calls: string[] } {
  const calls: string[] = [];
  const noted = <T>(hook: string, { path }: Site, value: T): T => {
    calls.push(`${hook.padEnd(10)} ${path}`);
    return value;
  };
  const hooks: Hooks = {
    weight: (site, stored) => noted("weight", site, stored),
    linear: (site, _x, y) => noted("linear", site, y),
    inputs: (site, input) => noted("inputs", site, input),
    keyValue: (site, kv) => noted("keyValue", site, kv),
    activation: (site, a) => noted("activation", site, a),
    sublayer: (site, _x, h) => noted("sublayer", site, h),
  };
  return { hooks, calls };
}

/** Sizes under the keys of a type that has others. */
const OWN: Readonly<Record<string, object>> = {
  distilbert: { dim: 8, n_layers: 2, n_heads: 2, hidden_dim: 16 },
  electra: { embedding_size: 6 },
};

test.each(ENCODER_TYPES)("sites and parameters of %s", async (modelType) => {
  const graph = new Graph();
  const { hooks, calls } = recorder();
  const root = Scope.root(graph, { hooks });
  const model = encoderModel({ model_type: modelType, ...TINY, num_hidden_layers: 2, ...OWN[modelType] });
  encoderLogits(model, root, inputsOf(graph), 2);
  const parameters = root.parameters.map(
    ({ name, shape, init }) => `${name} [${shape.join(", ")}]${init ? ` begins ${init.kind}` : ""}`,
  );
  const text = ["hooks", ...calls, "", "parameters", ...parameters, ""].join("\n");
  await expect(text).toMatchFileSnapshot(`./${modelType}-sites.txt`);
});

test.each(["t5-v10", "t5-v11"])("sites and parameters of %s", async (version) => {
  const graph = new Graph();
  const { hooks, calls } = recorder();
  const root = Scope.root(graph, { hooks });
  const model = t5Model({
    model_type: "t5",
    vocab_size: 30,
    d_model: 8,
    d_kv: 3,
    d_ff: 16,
    num_layers: 2,
    num_heads: 2,
    ...(version === "t5-v11" ? { feed_forward_proj: "gated-gelu", tie_word_embeddings: false } : {}),
  });
  languageModelLogits(model, root, encode(model, root, inputsOf(graph)), graph.input("labels", "int64", ["B", "T"]));
  const parameters = root.parameters.map(({ name, shape }) => `${name} [${shape.join(", ")}]`);
  const text = ["hooks", ...calls, "", "parameters", ...parameters, ""].join("\n");
  await expect(text).toMatchFileSnapshot(`./${version}-sites.txt`);
});

test("forward graph of one BERT layer with LoRA", async () => {
  const graph = new Graph();
  const root = Scope.root(graph, { hooks: lora({ rank: 2, alpha: 4, targets: ["query"] }).hooks });
  const logits = encoderLogits(encoderModel({ model_type: "bert", ...TINY }), root, inputsOf(graph), 2);
  await expect(`${printGraph({ logits })}\n`).toMatchFileSnapshot("./bert-lora-graph.txt");
});
