// DistilBERT: BERT's block under other names, without segments and pooler, and a head of two layers with a ReLU.
import { relu, select, type Value } from "../graph/index.ts";
import { dropout, linear, type Scope } from "../nn/index.ts";
import { bertEmbeddings } from "./bert.ts";
import type { EncoderConfig, EncoderDefaults } from "./config.ts";
import type { Hidden } from "./encoder.ts";
import type { BlockNames } from "./encoder-blocks.ts";
import { encoderType } from "./encoder-model.ts";
import type { EncoderKeys, ModelFacts } from "./model-facts.ts";

const BLOCKS: BlockNames = {
  stack: "transformer.layer",
  attention: {
    site: "attention",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    out: "attention.out_lin",
    sublayer: "attention",
    norm: "sa_layer_norm",
  },
  mlp: { site: "ffn", into: "ffn.lin1", out: "ffn.lin2", sublayer: "ffn", norm: "output_layer_norm" },
};

const KEYS: EncoderKeys = {
  hiddenSize: "dim",
  intermediateSize: "hidden_dim",
  numLayers: "n_layers",
  numHeads: "n_heads",
  hiddenAct: "activation",
  hiddenDropout: "dropout",
  attentionDropout: "attention_dropout",
};

/** `classifier(dropout(relu(pre_classifier(h₀))))`: `[B, C]`. @see transformers `DistilBertForSequenceClassification`. */
function distilbertHead(
  config: EncoderConfig,
  root: Scope,
  { states }: Hidden,
  numLabels: number,
  firstToken: number,
): Value {
  const init = { kind: "normal", std: 0.02 } as const;
  const before = root.head("pre_classifier");
  const hidden = before.at(() => relu(linear(before, select(states, 1, firstToken), config.hiddenSize, { init })));
  const classifier = root.head("classifier");
  return linear(classifier, dropout(classifier, hidden, config.headDropout.text), numLabels, { init });
}

const FACTS: ModelFacts = {
  modelType: "distilbert",
  classPrefix: "DistilBert",
  names: {
    prefix: "distilbert",
    parts: ["embeddings", "transformer"],
    table: "embeddings.word_embeddings",
    pooler: null,
    unread: ["vocab_transform", "vocab_layer_norm", "vocab_projector"],
  },
  keys: KEYS,
  withActivation: (_config, name) => ({ [KEYS.hiddenAct]: name }),
  mlpBiases: null,
  // peft has none for it: those that it takes of BERT
  usualTargets: {
    lora: ["q_lin", "v_lin"],
    ia3: { targets: ["k_lin", "v_lin", "lin2"], feedforward: ["lin2"] },
  },
  float32Layers: [],
};

const DEFAULTS: EncoderDefaults = {
  modelType: FACTS.modelType,
  keys: KEYS,
  padTokenId: 0,
  firstPosition: () => 0,
  own: (reader, { hiddenDropout }) => ({
    typeVocabSize: 0,
    // transformers reads neither from config.json
    layerNormEpsilon: 1e-12,
    attentionOutputDropout: 0,
    headDropout: {
      text: reader.rate("seq_classif_dropout", 0.2),
      tokens: hiddenDropout,
      span: reader.rate("qa_dropout", 0.1),
    },
  }),
};

/** DistilBERT. */
export const DISTILBERT = encoderType(FACTS, DEFAULTS, {
  blocks: BLOCKS,
  embeddings: bertEmbeddings,
  head: distilbertHead,
});
