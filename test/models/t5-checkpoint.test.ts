// A T5 checkpoint that does not fit is refused whole: what is missing, misshapen or too much, in one error.
import { expect, test } from "vitest";
import { ConfigError, UnsupportedError } from "../../src/errors.ts";
import { nodeFiles } from "../../src/hub/files-node.ts";
import { openCheckpoint } from "../../src/hub/index.ts";
import { missingHead } from "../../src/load/base-model.ts";
import { anyModel, sanitize } from "../../src/models/index.ts";
import { headOnly, lora } from "../../src/peft/index.ts";
import { buildTaskGraph, type HeadKind } from "../../src/tasks/index.ts";
import { memoryWeight, zeros } from "../../src/tensor/index.ts";
import { buildStep } from "../../src/train/index.ts";

const HEAD: HeadKind = { kind: "language-model" };

async function open(variant: string) {
  const folder = `test/golden/t5/checkpoints/${variant}`;
  const { config, weights } = await openCheckpoint(nodeFiles(), folder);
  const model = anyModel(config, folder, weights);
  return { model, folder, weights: sanitize(model.config, weights) };
}

test.each(["t5-v10", "t5-v11"])("%s fits, and lacks no head", async (variant) => {
  expect(missingHead(await open(variant), HEAD).size).toBe(0);
});

test("missing, misshapen and unknown tensors are told together", async () => {
  const base = await open("t5-v11");
  const weights = new Map(base.weights);
  weights.delete("decoder.block.1.layer.2.DenseReluDense.wi_1.weight");
  weights.set("shared.weight", memoryWeight(zeros("float32", [60, 8])));
  weights.set("encoder.block.9.layer.0.SelfAttention.q.weight", memoryWeight(zeros("float32", [15, 24])));
  expect(() => missingHead({ ...base, weights, folder: "model" }, HEAD)).toThrowErrorMatchingInlineSnapshot(`
    [CheckpointError: model: does not fit (3 problems)
      shared.weight: expected float32[60, 24], got float32[60, 8]
      decoder.block.1.layer.2.DenseReluDense.wi_1.weight: expected float32[40, 24], got nothing
      encoder.block.9.layer.0.SelfAttention.q.weight: expected nothing of this name, got float32[15, 24]
    config.json and the weights do not belong together, or the download is incomplete.]
  `);
});

test("a head goes with the models that carry it", async () => {
  const { model } = await open("t5-v10");
  const method = lora({ targets: ["q", "v"] });
  const classes: HeadKind = { kind: "classification", numLabels: 2 };
  expect(() => buildTaskGraph({ model, method, head: classes })).toThrow(UnsupportedError);
  const bert = anyModel({
    model_type: "bert",
    vocab_size: 9,
    hidden_size: 4,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    intermediate_size: 4,
    max_position_embeddings: 4,
  });
  expect(() => buildTaskGraph({ model: bert, method, head: HEAD })).toThrow(UnsupportedError);
});

test("all linear layers are the blocks' own, not the vocabulary's", async () => {
  const { model } = await open("t5-v11");
  const { trainable } = buildTaskGraph({ model, method: lora({ targets: "all-linear", rank: 2 }), head: HEAD });
  const sites = new Set(trainable.map(({ spec }) => spec.name.replace(/\.lora_[AB]\.weight$/, "")));
  // per block: q, k, v, o once or twice, and wi_0, wi_1, wo
  expect(sites.size).toBe(2 * 7 + 2 * 11);
  expect([...sites].filter((site) => !/^(en|de)coder\.block\./.test(site))).toEqual([]);
});

test("a method that trains nothing of the model is refused", async () => {
  const { model } = await open("t5-v10");
  const options = { model, method: headOnly(), head: HEAD, density: null, weightDecay: 0, maxGradNorm: null };
  expect(() => buildStep(options)).toThrow(ConfigError);
  expect(() => buildStep(options)).toThrowErrorMatchingInlineSnapshot(`
    [ConfigError: method: expected a method that trains a part of the model, got head, for which t5 has nothing to train
    A head that is the embeddings too is trained with --method full alone; LoRA and adapters add parameters of their own.]
  `);
});
