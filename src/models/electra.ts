// ELECTRA: BERT's block behind embeddings of a width of their own, and a head with a GELU.
import { gelu } from "../graph/index.ts";
import { linear, type Scope } from "../nn/index.ts";
import { bertEmbeddings } from "./bert.ts";
import type { EncoderConfig, EncoderDefaults } from "./config.ts";
import type { EncoderInputs, Hidden } from "./encoder.ts";
import { BERT_BLOCKS } from "./encoder-blocks.ts";
import { encoderType } from "./encoder-model.ts";
import { ENCODER_KEYS, ENCODER_NAMES, ENCODER_TARGETS, encoderActivation, type ModelFacts } from "./model-facts.ts";
import { twoLayerHead } from "./roberta.ts";

/** BERT's embeddings, projected where they are not as wide as the hidden states. @see transformers `ElectraModel`. */
function electraEmbeddings(config: EncoderConfig, root: Scope, inputs: EncoderInputs): Hidden {
  const { states, mask } = bertEmbeddings(config, root, inputs);
  if (config.embeddingSize === config.hiddenSize) return { states, mask };
  return { states: linear(root.child("embeddings_project"), states, config.hiddenSize), mask };
}

const FACTS: ModelFacts = {
  modelType: "electra",
  classPrefix: "Electra",
  names: {
    ...ENCODER_NAMES,
    prefix: "electra",
    parts: ["embeddings", "embeddings_project", "encoder"],
    unread: ["discriminator_predictions", "generator_predictions", "generator_lm_head"],
  },
  keys: ENCODER_KEYS,
  withActivation: encoderActivation,
  mlpBiases: null,
  usualTargets: ENCODER_TARGETS,
  float32Layers: [],
};

const DEFAULTS: EncoderDefaults = {
  modelType: FACTS.modelType,
  keys: ENCODER_KEYS,
  padTokenId: 0,
  firstPosition: () => 0,
  // what transformers takes where config.json does not say it
  own: (reader) => ({ embeddingSize: reader.whole("embedding_size", 128) }),
};

/** ELECTRA's discriminator. */
export const ELECTRA = encoderType(FACTS, DEFAULTS, {
  blocks: BERT_BLOCKS,
  embeddings: electraEmbeddings,
  // transformers takes this GELU whatever `hidden_act` says
  head: twoLayerHead(gelu),
});
