// T5s of known shapes with random weights, for benchmarks of a decoder's step: how many neurons are active follows from one bias.
import { join } from "node:path";
import { nodeFiles } from "../src/hub/files-node.ts";
import { openSafetensors, writeSafetensors } from "../src/hub/index.ts";
import type { GeneratorOptions } from "../src/infer/index.ts";
import { t5Model } from "../src/models/index.ts";
import { headOnly, type Method } from "../src/peft/index.ts";
import { buildTaskGraph } from "../src/tasks/index.ts";
import { float32, memoryWeights, type Random, randomStream, type Weight } from "../src/tensor/index.ts";

export interface BenchShape {
  readonly hidden: number;
  readonly neurons: number;
  readonly heads: number;
  readonly isGated: boolean;
  /** Of the decoder. */
  readonly layers: number;
}
export const SHAPES: Readonly<Record<string, BenchShape>> = {
  tiny: { hidden: 64, neurons: 256, heads: 2, isGated: true, layers: 2 },
  "t5-base": { hidden: 768, neurons: 3072, heads: 12, isGated: false, layers: 12 },
  "t5-large": { hidden: 1024, neurons: 4096, heads: 16, isGated: false, layers: 24 },
  "flan-t5-large": { hidden: 1024, neurons: 2816, heads: 16, isGated: true, layers: 24 },
  "flan-t5-xl": { hidden: 2048, neurons: 5120, heads: 32, isGated: true, layers: 24 },
};
export const noise = (size: number, scale: number, { uniform }: { uniform: () => number }): Float32Array =>
  Float32Array.from({ length: size }, () => (uniform() - 0.5) * scale);
export const cheap = (of: Random) => ({ uniform: () => of.uniform() });

function benchModel({ hidden, neurons, heads, isGated, layers }: BenchShape) {
  return t5Model({
    model_type: "t5",
    vocab_size: 32128,
    d_model: hidden,
    d_kv: 64,
    d_ff: neurons,
    num_layers: 1,
    num_decoder_layers: layers,
    num_heads: heads,
    feed_forward_proj: isGated ? "gated-relu" : "relu",
    mlp_input_bias: true,
    tie_word_embeddings: !isGated,
  });
}

const isBias = (name: string) => name.endsWith(".bias");

/** Random weights in a file, so that all generators map the same pages; biases come of the share of active neurons. */
async function writeWeights(model: ReturnType<typeof benchModel>, folder: string) {
  const frozen: Method = { ...headOnly(), trains: () => false };
  const { parameters } = buildTaskGraph({ model, method: frozen, head: { kind: "language-model" } });
  const pool = noise(2 ** 20, POOL_SCALE, cheap(randomStream(3, "pool")));
  const stored = parameters.filter(({ name }) => !isBias(name));
  const weights: (readonly [string, Weight])[] = stored.map(({ name, shape }, i) => {
    const read = () => {
      const data = new Float32Array(shape.reduce((x, y) => x * y, 1));
      if (name.endsWith("layer_norm.weight")) data.fill(1);
      else
        for (let from = 0; from < data.length; from += pool.length)
          data.set(pool.subarray(0, data.length - from), from);
      // no two are alike, as above
      if (data.length > shape.at(-1)!) data[0] = i / stored.length / 10;
      return Promise.resolve(float32(shape, data));
    };
    return [name, { dtype: "float32", shape, read }];
  });
  const files = nodeFiles();
  const file = join(folder, "model.safetensors");
  await files.write(file, writeSafetensors(new Map(weights)));
  return {
    weights: await openSafetensors(files, file),
    biases: parameters.filter(({ name }) => isBias(name)),
  };
}

/** Uniform numbers of this width. */
const POOL_SCALE = 0.07;
/** Of a normal variable's values the largest 5, 2, … % lie as many standard deviations above its mean, or more. */
const QUANTILES: Readonly<Record<number, number>> = { 50: 0, 25: 0.6745, 10: 1.2816, 5: 1.6449, 2: 2.0537, 1: 2.3263 };

/** What a generator needs of a model of this shape, but for a backend. */
export type BenchModel = Pick<GeneratorOptions, "model" | "method" | "weights">;

/** Writes a model into `folder` and opens it; the function it gives sets the share of the neurons that are active. */
export async function writeModel(shape: BenchShape, folder: string): Promise<(active: number) => BenchModel> {
  const model = benchModel(shape);
  const { weights, biases } = await writeWeights(model, folder);
  return (active) => {
    const quantile = QUANTILES[Math.round(active * 100)];
    if (quantile === undefined) throw new Error(`--active: a step knows ${Object.keys(QUANTILES).join(", ")}`);
    // a norm's output has √D as its length, so a pre-activation is nearly normal
    const shift = -quantile * (POOL_SCALE / Math.sqrt(12)) * Math.sqrt(shape.hidden);
    const shifted = biases.map(
      ({ name, shape: size }) => [name, float32(size, new Float32Array(size[0]!).fill(shift))] as const,
    );
    const method: Method = { ...headOnly(), trains: () => false };
    return { model, method, weights: new Map([...weights, ...memoryWeights(shifted)]) };
  };
}
