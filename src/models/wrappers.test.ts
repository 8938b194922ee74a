import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { float32, memoryWeights, type Weights } from "../tensor/index.ts";
import { encoderModel, sanitize, unwrapped } from "./registry.ts";
import { parseT5Config } from "./t5-config.ts";

const BERT = [
  "bert.embeddings.word_embeddings.weight",
  "bert.encoder.layer.0.attention.self.query.weight",
  "bert.pooler.dense.bias",
  "classifier.weight",
];
const T5 = ["shared.weight", "encoder.block.0.layer.0.SelfAttention.q.weight", "lm_head.weight"];

const weightsOf = (names: readonly string[]): Weights =>
  memoryWeights(new Map(names.map((name) => [name, float32([1], [1])])));
const wrapped = (names: readonly string[], prefix: string) => unwrapped(weightsOf(names.map((name) => prefix + name)));

describe("unwrapped", () => {
  it("leaves names without wrappers alone", () => {
    for (const names of [BERT, T5, BERT.map((name) => name.replace("bert.", ""))]) {
      const weights = weightsOf(names);
      expect(unwrapped(weights)).toEqual({ weights, wrappers: [], prefix: null });
    }
  });

  it("leaves any wrappers out, in any order", () => {
    const part = fc.constantFrom("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.");
    fc.assert(
      fc.property(fc.array(part), fc.array(part), fc.boolean(), fc.constantFrom(BERT, T5), (a, b, owned, names) => {
        const prefix = [...a, ...(owned ? ["model."] : []), ...b].join("");
        const { weights, wrappers, prefix: rest } = wrapped(names, prefix);
        expect([...weights.keys()]).toEqual(names);
        expect(new Set(wrappers)).toEqual(new Set([...a, ...b, ...(owned ? ["model."] : [])]));
        expect(rest).toBeNull();
      }),
    );
  });

  it("leaves them out inside of names too, of a part that was wrapped alone", () => {
    const names = [
      "bert._orig_mod.embeddings.word_embeddings.weight",
      "bert.encoder.layer.0._checkpoint_wrapped_module.output.dense.bias",
    ];
    expect([...unwrapped(weightsOf(names)).weights.keys()]).toEqual([
      "bert.embeddings.word_embeddings.weight",
      "bert.encoder.layer.0.output.dense.bias",
    ]);
  });

  it("takes no name of another for a wrapper's", () => {
    const names = [...BERT, "submodule.weight", "bert.my_module.weight"];
    expect(unwrapped(weightsOf(names)).wrappers).toEqual([]);
  });

  it.each([
    ["encoder.", BERT],
    ["base_model.model.", BERT],
    ["module.net.", T5],
  ])("tells the prefix %s, and touches nothing", (prefix, names) => {
    const { weights, prefix: told } = wrapped(names, prefix);
    expect(told).toBe(prefix.replace("module.", ""));
    expect([...weights.keys()]).toEqual(names.map((name) => prefix.replace("module.", "") + name));
  });

  it("does not part `model.` from names of which some lack it", () => {
    const mixed = unwrapped(weightsOf(["model.embeddings.word_embeddings.weight", "head.weight"]));
    expect(mixed).toMatchObject({ prefix: "model.", wrappers: [] });
    // names of a decoder: another kind of model, which has a `model` of its own
    expect(unwrapped(weightsOf(["model.embed_tokens.weight", "model.norm.weight"]))).toMatchObject({ wrappers: [] });
  });

  it("refuses two tensors of one name", () => {
    expect(() => unwrapped(weightsOf([...BERT, `module.${BERT[0]}`]))).toThrow(CheckpointError);
  });

  it("is part of sanitize", () => {
    const { config: bert } = encoderModel({
      model_type: "bert",
      vocab_size: 4,
      hidden_size: 4,
      intermediate_size: 4,
      num_hidden_layers: 1,
      num_attention_heads: 1,
      max_position_embeddings: 8,
    });
    expect([...sanitize(bert, weightsOf(BERT.map((name) => `module.${name}`))).keys()]).toEqual(BERT);
    const t5 = parseT5Config({ model_type: "t5", vocab_size: 4, d_model: 4, d_ff: 4, tie_word_embeddings: false });
    expect([...sanitize(t5, weightsOf(T5.map((name) => `_orig_mod.${name}`))).keys()]).toEqual(T5);
  });
});
