// Random checkpoints of large shapes, streamed to disk; NF4 is drawn as codes, so that no float file is ever needed.
//   npx tsx bench/big-shapes-checkpoint.ts --shape flan-t5-xl --format nf4|float32 [--folder .cache/bench/flan-t5-xl-nf4]
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { NF4_LEVELS } from "../src/graph/index.ts";
import { nodeFiles } from "../src/hub/files-node.ts";
import { writeSafetensors } from "../src/hub/index.ts";
import { anyModel } from "../src/models/index.ts";
import { full } from "../src/peft/index.ts";
import { NESTED_BLOCK, NESTED_LEVELS } from "../src/quant/nested.ts";
import { buildTaskGraph } from "../src/tasks/index.ts";
import { elementCount, float32, randomStream, type Tensor, tensor, type Weight } from "../src/tensor/index.ts";

const FLAN = {
  model_type: "t5",
  vocab_size: 32128,
  d_kv: 64,
  feed_forward_proj: "gated-gelu",
  tie_word_embeddings: false,
};

/** config.json of each shape, as on the hub. */
const SHAPES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "roberta-large": {
    model_type: "roberta",
    vocab_size: 50265,
    hidden_size: 1024,
    num_hidden_layers: 24,
    num_attention_heads: 16,
    intermediate_size: 4096,
    max_position_embeddings: 514,
    type_vocab_size: 1,
    layer_norm_eps: 1e-5,
  },
  "flan-t5-base": { ...FLAN, d_model: 768, d_ff: 2048, num_layers: 12, num_heads: 12 },
  "flan-t5-large": { ...FLAN, d_model: 1024, d_ff: 2816, num_layers: 24, num_heads: 16 },
  "flan-t5-xl": { ...FLAN, d_model: 2048, d_ff: 5120, num_layers: 24, num_heads: 32 },
};

/** Random words, four bytes at a time: marsaglia's xorshift, since a stream for each number would take minutes. */
function fill(words: Uint32Array, seed: number): void {
  let x = seed | 1;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
}

/** Uniform with standard deviation `std`: as good as normal for timing. */
function uniform(name: string, shape: readonly number[], std: number, mean = 0): Tensor {
  const words = new Uint32Array(elementCount(shape));
  fill(words, randomStream(0, name).integer(2 ** 31));
  const numbers = new Float32Array(words.buffer);
  const scale = (std * Math.sqrt(12)) / 2 ** 32;
  for (let i = 0; i < words.length; i++) numbers[i] = mean + (words[i]! - 2 ** 31) * scale;
  return float32(shape, numbers);
}

function bytes(name: string, shape: readonly number[]): Tensor {
  const words = new Uint32Array(Math.ceil(elementCount(shape) / 4));
  fill(words, randomStream(1, name).integer(2 ** 31));
  return tensor("uint8", shape, new Uint8Array(words.buffer, 0, elementCount(shape)));
}

/** T5's queries carry the scale of the scores. @see transformers `T5PreTrainedModel._init_weights` */
function spread(name: string, shape: readonly number[]): number {
  if (name.endsWith("shared.weight")) return 1;
  const fanIn = shape[1] ?? 1;
  return name.endsWith(".q.weight") ? (fanIn * 64) ** -0.5 : fanIn ** -0.5;
}

const lazy = (dtype: Weight["dtype"], shape: readonly number[], make: () => Tensor): Weight => ({
  dtype,
  shape,
  read: async () => make(),
});

function floatWeight(name: string, shape: readonly number[]): Weight {
  const isGain = /(LayerNorm|layer_norm)\.weight$/.test(name);
  if (shape.length === 1) return lazy("float32", shape, () => uniform(name, shape, 0.01, isGain ? 1 : 0));
  return lazy("float32", shape, () => uniform(name, shape, spread(name, shape)));
}

/** A matrix as bitsandbytes stores NF4 with nested scales; every code is as likely. */
function* nf4Weights(name: string, shape: readonly number[]): Generator<[string, Weight]> {
  const blocks = Math.ceil(elementCount(shape) / 64);
  const level = Math.sqrt(NF4_LEVELS.reduce((sum, x) => sum + x * x, 0) / NF4_LEVELS.length);
  const scale = spread(name, shape) / level;
  const nested = Math.ceil(blocks / NESTED_BLOCK);
  const state = {
    quant_type: "nf4",
    blocksize: 64,
    dtype: "float32",
    shape,
    nested_blocksize: NESTED_BLOCK,
    nested_dtype: "float32",
    nested_offset: scale,
  };
  const json = new TextEncoder().encode(JSON.stringify(state).padEnd(256, " "));
  const codes = [Math.ceil(elementCount(shape) / 2), 1];
  yield [name, lazy("uint8", codes, () => bytes(name, codes))];
  yield [`${name}.absmax`, lazy("uint8", [blocks], () => bytes(`${name}.absmax`, [blocks]))];
  yield [
    `${name}.nested_absmax`,
    lazy("float32", [nested], () => float32([nested], new Float32Array(nested).fill(0.2 * scale))),
  ];
  yield [`${name}.quant_map`, lazy("float32", [16], () => float32([16], NF4_LEVELS))];
  yield [`${name}.nested_quant_map`, lazy("float32", [256], () => float32([256], NESTED_LEVELS))];
  yield [`${name}.quant_state.bitsandbytes__nf4`, lazy("uint8", [256], () => tensor("uint8", [256], json))];
}

/** Writes config.json and model.safetensors where they are not there yet; gives the folder. */
export async function bigCheckpoint(shape: string, format: string, folder?: string): Promise<string> {
  const config = SHAPES[shape];
  if (!config) throw new Error(`--shape: expected ${Object.keys(SHAPES).join(", ")}, got ${shape}`);
  const to = folder ?? `.cache/bench/${shape}-random-${format}`;
  if (existsSync(`${to}/model.safetensors`)) return to;
  const isT5 = config["model_type"] === "t5";
  const head = isT5 ? ({ kind: "language-model" } as const) : ({ kind: "classification", numLabels: 2 } as const);
  const { parameters } = buildTaskGraph({ model: anyModel(config), method: full(), head });
  const weights = new Map<string, Weight>();
  for (const { name, shape: dims, role, part } of parameters) {
    const isStored = format === "nf4" && dims.length === 2 && role === "linear" && part?.kind === "block";
    if (!isStored) weights.set(name, floatWeight(name, dims));
    else for (const [key, weight] of nf4Weights(name, dims)) weights.set(key, weight);
  }
  mkdirSync(to, { recursive: true });
  writeFileSync(`${to}/config.json`, JSON.stringify(config, null, 2));
  await nodeFiles().write(`${to}/model.safetensors`, writeSafetensors(weights));
  return to;
}

if (process.argv[1]?.endsWith("big-shapes-checkpoint.ts")) {
  const { values } = parseArgs({
    options: { shape: { type: "string" }, format: { type: "string", default: "float32" }, folder: { type: "string" } },
  });
  const started = performance.now();
  const folder = await bigCheckpoint(values.shape ?? "", values.format, values.folder);
  console.log(`${folder} after ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
