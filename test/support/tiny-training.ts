// Small random models of each kind, batches and methods: what tests of training steps share.
import { anyModel } from "../../src/models/index.ts";
import { adapter, full, headOnly, ia3, lora, type Method, prefix, prompt } from "../../src/peft/index.ts";
import { nodeBackend } from "../../src/runtime/node.ts";
import { buildTaskGraph, type HeadKind, type ModelBatch } from "../../src/tasks/index.ts";
import { int64, memoryWeights, randomStream, type Tensor, type Weights, zeros } from "../../src/tensor/index.ts";
import type { OptimizerOptions } from "../../src/train/index.ts";

export const backend = nodeBackend({ threads: 1 });

const BERT = {
  model_type: "bert",
  vocab_size: 40,
  hidden_size: 16,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 32,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
};
const T5 = {
  model_type: "t5",
  vocab_size: 40,
  d_model: 16,
  d_kv: 6,
  d_ff: 24,
  num_layers: 2,
  num_decoder_layers: 3,
  num_heads: 2,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 12,
  dropout_rate: 0.1,
};
export const CONFIGS = {
  bert: BERT,
  /** Neurons were removed before, in the last layer all. */
  "cut bert": { ...BERT, mlp_sizes: [24, 10, 0] },
  roberta: { ...BERT, model_type: "roberta", type_vocab_size: 1 },
  /** ReLU, and embeddings that are the head too. */
  t5: T5,
  /** As Flan-T5: gated, with a head of its own. */
  "t5 v1.1": { ...T5, feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
} as const;
export type ModelName = keyof typeof CONFIGS;

export const isT5 = (name: ModelName) => name.startsWith("t5");
const headOf = (name: ModelName): HeadKind =>
  isT5(name) ? { kind: "language-model" } : { kind: "classification", numLabels: 3 };

/** Every parameter of the model itself, drawn. */
export function randomWeights(name: ModelName): Weights {
  const { parameters } = buildTaskGraph({ model: anyModel(CONFIGS[name]), method: full(), head: headOf(name) });
  return memoryWeights(
    new Map(
      parameters.map(({ name: parameter, shape }) => {
        const value = zeros("float32", shape);
        const random = randomStream(3, parameter);
        const gain = /(LayerNorm|layer_norm)\.weight$/.test(parameter) ? 1 : 0;
        (value.data as Float32Array).forEach((_, i, data) => {
          data[i] = gain + random.normal() * 0.2;
        });
        return [parameter, value];
      }),
    ),
  );
}

export function batchOf(name: ModelName, rows: number, length: number, seed: number): ModelBatch {
  const random = randomStream(seed, "batch");
  const lengths = Array.from({ length: rows }, (_, row) => (row === 0 ? length : 2 + random.integer(length - 1)));
  const cells = (width: number, make: (row: number, at: number) => number) =>
    int64(
      [rows, width],
      lengths.flatMap((_, row) => Array.from({ length: width }, (__, at) => make(row, at))),
    );
  const text = {
    tokenIds: cells(length, (row, at) => (at < lengths[row]! ? 3 + random.integer(37) : 1)),
    attentionMask: cells(length, (row, at) => Number(at < lengths[row]!)),
  };
  const typeIds = cells(length, () => 0);
  const label = () => random.integer(3);
  return {
    inputs: isT5(name)
      ? { ...text, labels: cells(length - 2, (row, at) => (at < lengths[row]! - 1 ? 3 + random.integer(37) : -100)) }
      : { ...text, typeIds, labels: int64([rows], lengths.map(label)) },
    indices: lengths.map((_, i) => i),
    attendedTokens: lengths.reduce((sum, one) => sum + one, 0),
  };
}

export function optionsOf(name: ModelName, method: Method): OptimizerOptions {
  return {
    model: anyModel(CONFIGS[name]),
    method,
    head: headOf(name),
    weights: randomWeights(name),
    backend,
    seed: 5,
    accumulate: 1,
    weightDecay: 0.01,
    maxGradNorm: 1,
    density: { positions: "attended" },
  };
}

/** The largest distance, over the largest value of both. */
export function distance(actual: Tensor, expected: Tensor): number {
  let far = 0;
  let large = 1e-12;
  (expected.data as Float32Array).forEach((value, i) => {
    far = Math.max(far, Math.abs(value - Number(actual.data[i])));
    large = Math.max(large, Math.abs(value));
  });
  return far / large;
}

export const METHODS = {
  lora: (name: ModelName) =>
    lora({ rank: 4, dropout: 0.1, targets: isT5(name) ? ["q", "v", "k", "wo"] : "all-linear" }),
  adapter: () => adapter({ reductionFactor: 4 }),
  ia3: (name: ModelName) => ia3({ targets: "all-linear", feedforward: isT5(name) ? ["wo"] : ["output.dense"] }),
  prompt: () => prompt({ virtualTokens: 4 }),
  prefix: () => prefix({ virtualTokens: 3 }),
  head: () => headOnly(),
  full: () => full(),
} as const;
