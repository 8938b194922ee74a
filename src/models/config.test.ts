import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { parseEncoderConfig } from "./config.ts";

const CONFIG = {
  model_type: "bert",
  vocab_size: 30,
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 16,
};

describe("parseEncoderConfig", () => {
  it.each([{}, { is_decoder: false }, { is_decoder: null, add_cross_attention: false }])(
    "reads %j as an encoder",
    (of) => {
      expect(parseEncoderConfig({ ...CONFIG, ...of })).toMatchObject({ modelType: "bert", numLayers: 2 });
    },
  );

  it.each([
    [{ is_decoder: true }, "config.json: is_decoder true: not supported"],
    [{ add_cross_attention: true }, "config.json: add_cross_attention true: not supported"],
    [{ is_decoder: true, add_cross_attention: true }, "is_decoder true, add_cross_attention true: not supported"],
    [{ model_type: "roberta", is_decoder: true }, "is_decoder true"],
    [{ is_decoder: 1 }, "is_decoder 1"],
  ])("refuses %j, which attends otherwise", (of, message) => {
    expect(() => parseEncoderConfig({ ...CONFIG, ...of })).toThrow(UnsupportedError);
    expect(() => parseEncoderConfig({ ...CONFIG, ...of })).toThrow(message);
  });
});
