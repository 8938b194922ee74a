// Products and energy of a model, estimated.
import { describe, expect, test } from "vitest";
import { encoderModel, parseT5Config } from "../models/index.ts";
import { arithmeticOf, textArithmetic } from "./energy.ts";

test("arithmetic of BERT's base shape, and what zeros leave of it", () => {
  const { config } = encoderModel({
    model_type: "bert",
    vocab_size: 30522,
    hidden_size: 768,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    intermediate_size: 3072,
    max_position_embeddings: 512,
  });
  const dense = arithmeticOf(config, { length: 128, precision: "fp32" });
  // 85 M parameters in the layers, and the two products of attention
  expect(dense.macs).toBe(12 * (4 * 768 ** 2 + 2 * 768 * 3072 + 2 * 128 * 768));
  expect(dense.macsWithoutZeros).toBe(dense.macs);
  const sparse = arithmeticOf(config, { length: 128, precision: "fp32", density: Array(12).fill(0) });
  expect(dense.macs - sparse.macsWithoutZeros).toBe(12 * 768 * 3072);
  expect(sparse.energyWithoutZeros).toBeLessThan(dense.energy);
  expect(arithmeticOf({ ...config, mlpSizes: Array(12).fill(0) }, { length: 128, precision: "int8" }).macs).toBe(
    12 * (4 * 768 ** 2 + 2 * 128 * 768),
  );
});

describe("the arithmetic of a model that writes", () => {
  const [D, A, F, V] = [512, 384, 1024, 32128];
  const config = parseT5Config({
    model_type: "t5",
    vocab_size: V,
    d_model: D,
    d_kv: 64,
    num_heads: 6,
    d_ff: F,
    num_layers: 8,
    feed_forward_proj: "gated-gelu",
  });
  const options = { length: 20, newTokens: 10, precision: "fp32" } as const;

  test("counts products with matrices, with keys, and the head for each token", () => {
    const { encode, decode, generate } = textArithmetic(config, options);
    expect(encode.macs).toBe(8 * (4 * D * A + 3 * D * F + 2 * 20 * A));
    // its own keys are half of the text in the mean; those of what was read are all of it
    expect(decode.macs).toBe(8 * (6 * D * A + 3 * D * F + 2 * 5.5 * A + 2 * 20 * A) + V * D);
    expect(generate.macs).toBeCloseTo((20 * encode.macs + 8 * 2 * D * A * 20 + 10 * decode.macs) / 10, 0);
    expect(generate.energy).toBeGreaterThan(decode.energy);
  });

  test("zeros spare the last matrix and, when gated, the factor's", () => {
    const density = { encoder: Array(8).fill(0) as number[], decoder: Array(8).fill(0.25) as number[] };
    const { encode, decode } = textArithmetic(config, { ...options, density });
    expect(encode.macs - encode.macsWithoutZeros).toBe(8 * 2 * D * F);
    expect(decode.macs - decode.macsWithoutZeros).toBe(8 * 1.5 * D * F);
    expect(decode.energyWithoutZeros).toBeLessThan(decode.energy);
    const { decode: ungated } = textArithmetic({ ...config, isGated: false }, { ...options, density });
    expect(ungated.macs - ungated.macsWithoutZeros).toBe(8 * 0.75 * D * F);
  });

  test("a written token fetches every weight anew", () => {
    const { decode } = textArithmetic(config, options);
    const weights = 8 * (6 * D * A + 3 * D * F) + V * D;
    expect(decode.energy).toBeCloseTo((decode.macs * 4.6 + weights * 4 * 160) / 1e6, 6);
    const cut = textArithmetic({ ...config, mlpSizes: Array(16).fill(0) as number[] }, options).decode;
    expect(decode.macs - cut.macs).toBe(8 * 3 * D * F);
  });
});
