// Which type of model a config.json is of, and what is said of one that is none of ours.
import { describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { anyModel, MODEL_FACTS } from "./index.ts";

const ALL = MODEL_FACTS.map(({ modelType }) => modelType);

function refusal(config: unknown): UnsupportedError {
  try {
    anyModel(config, "config.json");
  } catch (error) {
    if (error instanceof UnsupportedError) return error;
    throw error;
  }
  throw new Error("it was taken");
}

describe("a model type that is none of ours", () => {
  it.each([
    [{ model_type: "deberta-v2" }, "bert"],
    [{ model_type: "xlm-roberta-xl" }, "xlm-roberta"],
    [{ model_type: "Roberta-PreLayerNorm" }, "roberta"],
    [{ model_type: "camenbert" }, "camembert"],
    [{ model_type: "bart", is_encoder_decoder: true }, "t5"],
  ])("%j: the nearest is %s", (config, near) => {
    const error = refusal(config);
    expect(error.supported).toEqual(ALL);
    expect(error.hint).toContain(`The nearest of them is ${near};`);
  });

  it.each([[{ model_type: "llama" }], [{ model_type: "gpt2" }], [{}], [null]])("%j: none is near", (config) => {
    const error = refusal(config);
    expect(error.message).toContain(`expected one of ${ALL.join(", ")}`);
    expect(error.hint).toBeUndefined();
  });
});

it("no two types have one name", () => {
  expect(new Set(ALL).size).toBe(ALL.length);
});
