// Every site and parameter of each model in order, and a forward graph as text: a change of either must be seen.
import { expect, test } from "vitest";
import { Graph, printGraph, type Shape } from "../../src/graph/index.ts";
import { type EncoderInputs, encoderLogits, encoderModel } from "../../src/models/index.ts";
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

test.each(["bert", "roberta"])("sites and parameters of %s", async (modelType) => {
  const graph = new Graph();
  const { hooks, calls } = recorder();
  const root = Scope.root(graph, { hooks });
  encoderLogits(encoderModel({ model_type: modelType, ...TINY, num_hidden_layers: 2 }), root, inputsOf(graph), 2);
  const parameters = root.parameters.map(
    ({ name, shape, init }) => `${name} [${shape.join(", ")}]${init ? ` begins ${init.kind}` : ""}`,
  );
  const text = ["hooks", ...calls, "", "parameters", ...parameters, ""].join("\n");
  await expect(text).toMatchFileSnapshot(`./${modelType}-sites.txt`);
});

test("forward graph of one BERT layer with LoRA", async () => {
  const graph = new Graph();
  const root = Scope.root(graph, { hooks: lora({ rank: 2, alpha: 4, targets: ["query"] }).hooks });
  const logits = encoderLogits(encoderModel({ model_type: "bert", ...TINY }), root, inputsOf(graph), 2);
  await expect(`${printGraph({ logits })}\n`).toMatchFileSnapshot("./bert-lora-graph.txt");
});
