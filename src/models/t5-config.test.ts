import { describe, expect, test } from "vitest";
import { CheckpointError, UnsupportedError } from "../errors.ts";
import { memoryWeight, zeros } from "../tensor/index.ts";
import { bucketTable } from "./relative-bias.ts";
import { sanitizeT5 } from "./t5.ts";
import { parseT5Config } from "./t5-config.ts";

const SMALL = { model_type: "t5", vocab_size: 32128, d_model: 512, d_ff: 2048 };

describe("parseT5Config", () => {
  test("v1.0, with the defaults of transformers", () => {
    expect(parseT5Config(SMALL)).toMatchObject({
      headDim: 64,
      numHeads: 8,
      numLayers: 6,
      numDecoderLayers: 6,
      numBuckets: 32,
      maxDistance: 128,
      hiddenAct: "relu",
      isGated: false,
      tiedHead: true,
      scaledHead: true,
      padTokenId: 0,
      decoderStartTokenId: 0,
      eosTokenIds: [1],
    });
  });

  test.each([
    ["relu", false, "relu"],
    ["gelu", false, "gelu"],
    ["gated-gelu", true, "gelu_new"],
    ["gated-silu", true, "silu"],
  ])("feed_forward_proj %s", (feed_forward_proj, isGated, hiddenAct) => {
    expect(parseT5Config({ ...SMALL, feed_forward_proj })).toMatchObject({ isGated, hiddenAct });
  });

  // transformers 5 writes tie_word_embeddings: true for every T5
  test.each([
    ["v1.0, by transformers 4", { tie_word_embeddings: true }, ["lm_head.weight"], true, true],
    ["v1.1, by transformers 4", { tie_word_embeddings: false }, ["lm_head.weight"], false, false],
    ["v1.0, by transformers 5", { tie_word_embeddings: true, scale_decoder_outputs: true }, [], true, true],
    ["v1.0 with a new head, by transformers 5", { scale_decoder_outputs: true }, ["lm_head.weight"], false, true],
    ["v1.1, by transformers 5", { scale_decoder_outputs: false }, ["lm_head.weight"], false, false],
  ])("the head of %s", (_, keys, stored, tiedHead, scaledHead) => {
    expect(parseT5Config({ ...SMALL, ...keys }, "config.json", new Set(stored))).toMatchObject({
      tiedHead,
      scaledHead,
    });
  });

  test("names every mistake", () => {
    const bad = { model_type: "t5", d_model: "512", d_ff: 0, feed_forward_proj: "a-b-c", eos_token_id: "</s>" };
    expect(() => parseT5Config(bad, "model/config.json")).toThrowErrorMatchingInlineSnapshot(`
      [CheckpointError: model/config.json: does not fit (5 problems)
        feed_forward_proj: expected the name of an activation, or gated- and the name, got "a-b-c"
        vocab_size: expected a whole number ≥ 1, got nothing
        d_model: expected a whole number ≥ 1, got "512"
        d_ff: expected a whole number ≥ 1, got 0
        eos_token_id: expected a token id, or several, got "</s>"]
    `);
    expect(() => parseT5Config(bad)).toThrow(CheckpointError);
    expect(() => parseT5Config({ ...SMALL, model_type: "mt5" })).toThrow(UnsupportedError);
  });
});

describe("bucketTable", () => {
  // torch 2.13's T5Attention._relative_position_bucket(arange(-128, 129)) with 32 buckets, run lengths
  test("of T5's own sizes", () => {
    const runs = (values: readonly number[]) => {
      const lengths: [number, number][] = [];
      for (const value of values) {
        const last = lengths.at(-1);
        if (last?.[0] === value) last[1]++;
        else lengths.push([value, 1]);
      }
      return lengths;
    };
    const encoder = runs(bucketTable({ bidirectional: true, numBuckets: 32, maxDistance: 128 }));
    const decoder = runs(bucketTable({ bidirectional: false, numBuckets: 32, maxDistance: 128 }));
    expect(encoder.map(([bucket, count]) => `${bucket}×${count}`).join(" ")).toBe(
      "15×38 14×27 13×18 12×14 11×9 10×7 9×4 8×4 7×1 6×1 5×1 4×1 3×1 2×1 1×1 0×1 17×1 18×1 19×1 20×1 21×1 22×1 23×1 24×4 25×4 26×7 27×9 28×14 29×18 30×27 31×38",
    );
    expect(decoder.map(([bucket, count]) => `${bucket}×${count}`).join(" ")).toBe(
      "31×16 30×14 29×12 28×10 27×10 26×8 25×7 24×6 23×6 22×5 21×4 20×4 19×3 18×3 17×2 16×3 15×1 14×1 13×1 12×1 11×1 10×1 9×1 8×1 7×1 6×1 5×1 4×1 3×1 2×1 1×1 0×129",
    );
  });
});

describe("sanitizeT5", () => {
  const weight = (size: number) => memoryWeight(zeros("float32", [size]));
  const config = parseT5Config(SMALL);

  test("keeps one name for the embeddings, and leaves out what no model reads", () => {
    const stored = new Map([
      ["encoder.embed_tokens.weight", weight(1)],
      ["decoder.embed_tokens.weight", weight(1)],
      ["lm_head.weight", weight(1)],
      ["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", weight(2)],
      ["encoder.final_layer_norm.weight", weight(3)],
    ]);
    expect([...sanitizeT5(config, stored).keys()]).toEqual(["encoder.final_layer_norm.weight", "shared.weight"]);
  });

  test("takes the embeddings for a head of its own that is missing", () => {
    const shared = weight(1);
    const clean = sanitizeT5({ ...config, tiedHead: false }, new Map([["shared.weight", shared]]));
    expect(clean.get("lm_head.weight")).toBe(shared);
  });
});
