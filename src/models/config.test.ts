import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { encoderModel } from "./registry.ts";
import { parseT5Config } from "./t5-config.ts";

const CONFIG = {
  model_type: "bert",
  vocab_size: 30,
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 16,
};

describe("an encoder's config.json", () => {
  it.each([{}, { is_decoder: false }, { is_decoder: null, add_cross_attention: false }])(
    "reads %j as an encoder",
    (of) => {
      expect(encoderModel({ ...CONFIG, ...of }).config).toMatchObject({ modelType: "bert", numLayers: 2 });
    },
  );

  it.each([
    [{ num_hidden_layers: 1e9 }, "num_hidden_layers: expected a whole number from 0 to 1000, got 1000000000"],
    [{ num_labels: 5e9 }, "num_labels: expected a whole number from 1 to 1000000, got 5000000000"],
    [{ num_labels: 0.5 }, "num_labels: expected a whole number from 1"],
    [{ num_labels: "3" }, 'num_labels: expected a whole number from 1 to 1000000, got "3"'],
  ])("refuses the size of %j before anything of it is made", (of, message) => {
    expect(() => encoderModel({ ...CONFIG, ...of })).toThrow(message);
  });

  it.each([{ num_layers: 1e9 }, { num_decoder_layers: 1e9 }, { relative_attention_max_distance: 1e9 }])(
    "of a T5 too: %j",
    (of) => {
      const [key] = Object.keys(of);
      const config = { model_type: "t5", vocab_size: 8, d_model: 8, d_ff: 8, ...of };
      expect(() => parseT5Config(config)).toThrow(`${key}: expected a whole number from 1 to`);
    },
  );

  it.each([
    [{ is_decoder: true }, "config.json: is_decoder true: not supported"],
    [{ add_cross_attention: true }, "config.json: add_cross_attention true: not supported"],
    [{ is_decoder: true, add_cross_attention: true }, "is_decoder true, add_cross_attention true: not supported"],
    [{ model_type: "roberta", is_decoder: true }, "is_decoder true"],
    [{ is_decoder: 1 }, "is_decoder 1"],
  ])("refuses %j, which attends otherwise", (of, message) => {
    expect(() => encoderModel({ ...CONFIG, ...of })).toThrow(UnsupportedError);
    expect(() => encoderModel({ ...CONFIG, ...of })).toThrow(message);
  });
});
