// mT5: T5 v1.1 over the vocabulary of a hundred languages.
import type { Weights } from "../tensor/index.ts";
import type { EncoderDecoderModel } from "./encoder-decoder.ts";
import type { ModelFacts } from "./model-facts.ts";
import { sanitizeT5, T5_FACTS, t5Stages } from "./t5.ts";
import { parseT5Config, type T5Config, type T5Defaults } from "./t5-config.ts";

const FACTS: ModelFacts = {
  ...T5_FACTS,
  modelType: "mt5",
  classPrefix: "MT5",
  // as peft has it: the factor of the gated MLP at its output
  usualTargets: { lora: ["q", "v"], ia3: { targets: ["k", "v", "wi_1"], feedforward: [] } },
};

const DEFAULTS: T5Defaults = {
  modelType: FACTS.modelType,
  feedForward: "gated-gelu",
  numLayers: 8,
  numHeads: 6,
  // never scaled, and tied unless the checkpoint has a table for it: see transformers `MT5ForConditionalGeneration`
  head: ({ tie_word_embeddings: tie }, stored) => ({
    scaledHead: false,
    tiedHead: tie !== false && !stored.has("lm_head.weight"),
  }),
};

/** mT5. */
export const MT5 = {
  facts: FACTS,
  open: (json: unknown, file?: string, stored?: Pick<Weights, "has">): EncoderDecoderModel =>
    t5Stages(parseT5Config(json, file, stored, DEFAULTS), FACTS),
  sanitize: (config: T5Config, weights: Weights): Weights => sanitizeT5(config, weights),
};
