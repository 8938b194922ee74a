// BERT: absolute positions from 0, segments, and a head over a tanh pooler.
import { add, addDims, iota, select, slice, tanh, type Value } from "../graph/index.ts";
import { additiveMask, dropout, type Embedded, embedding, layerNorm, linear, type Scope } from "../nn/index.ts";
import type { EncoderConfig, EncoderDefaults } from "./config.ts";
import type { EncoderInputs, Hidden } from "./encoder.ts";
import { BERT_BLOCKS } from "./encoder-blocks.ts";
import { encoderType } from "./encoder-model.ts";
import { ENCODER_KEYS, ENCODER_NAMES, ENCODER_TARGETS, encoderActivation, type ModelFacts } from "./model-facts.ts";

/** Word, position and segment embeddings, normalised; `scope` stands at `bert`. @see transformers `BertEmbeddings`. */
export function bertEmbeddings(config: EncoderConfig, root: Scope, inputs: EncoderInputs): Hidden {
  const scope = root.child("embeddings");
  const embedded = embedWords(config, scope, inputs);
  return embedPositions(config, scope, embedded, (length) =>
    positionRows(config, scope, length, embedded.positionOffset),
  );
}

/** Word embeddings with the hooks' virtual tokens in front. */
export function embedWords(
  config: EncoderConfig,
  scope: Scope,
  { tokenIds, attentionMask, typeIds }: EncoderInputs,
  table = "word_embeddings",
): Embedded {
  const site = scope.child(table);
  const words = embedding(site, tokenIds, config.vocabSize, config.embeddingSize, { paddingId: config.padTokenId });
  const plain: Embedded = {
    words,
    table: `${site.path}.weight`,
    attentionMask,
    typeIds: config.typeVocabSize === 0 ? null : typeIds,
    positionOffset: 0,
    numVirtualTokens: 0,
  };
  return scope.hooks.inputs?.(scope, plain) ?? plain;
}

/** Adds segments and the given positions, normalises and drops out. */
export function embedPositions(
  config: EncoderConfig,
  scope: Scope,
  embedded: Embedded,
  positions: (length: Value["shape"][number]) => Value,
): Hidden {
  const { words, typeIds, attentionMask } = embedded;
  const segments =
    typeIds && embedding(scope.child("token_type_embeddings"), typeIds, config.typeVocabSize, config.embeddingSize);
  const sum = scope.at(() => add(segments ? add(words, segments) : words, positions(words.shape[1]!)));
  const states = dropout(
    scope,
    layerNorm(scope.child("LayerNorm"), sum, config.layerNormEpsilon),
    config.hiddenDropout,
  );
  // hooks may have made the sequence longer: the mask covers what they made
  return { states, mask: scope.at(() => additiveMask(attentionMask)) };
}

function positionRows(config: EncoderConfig, scope: Scope, length: Value["shape"][number], offset: number): Value {
  const site = scope.child("position_embeddings");
  const positions = site.at(() => slice(iota(scope.graph, addDims(length, offset)), 0, offset, length));
  return embedding(site, positions, config.maxPositions, config.embeddingSize);
}

/** `classifier(dropout(tanh(pooler(h₀))))`: `[B, C]`. @see transformers `BertForSequenceClassification`. */
export function bertHead(
  config: EncoderConfig,
  root: Scope,
  { states }: Hidden,
  numLabels: number,
  firstToken: number,
): Value {
  const init = { kind: "normal", std: 0.02 } as const;
  const pooler = root.child("bert.pooler");
  const pooled = pooler.at(() =>
    tanh(linear(pooler.child("dense"), select(states, 1, firstToken), config.hiddenSize, { init })),
  );
  const classifier = root.head("classifier");
  return linear(classifier, dropout(classifier, pooled, config.headDropout.text), numLabels, { init });
}

const FACTS: ModelFacts = {
  modelType: "bert",
  classPrefix: "Bert",
  names: { ...ENCODER_NAMES, prefix: "bert", pooler: "bert.pooler" },
  keys: ENCODER_KEYS,
  withActivation: encoderActivation,
  mlpBiases: null,
  usualTargets: ENCODER_TARGETS,
  float32Layers: [],
};

const DEFAULTS: EncoderDefaults = { modelType: "bert", keys: ENCODER_KEYS, padTokenId: 0, firstPosition: () => 0 };

/** BERT, and what has its shape, such as MiniLM. */
export const BERT = encoderType(FACTS, DEFAULTS, { blocks: BERT_BLOCKS, embeddings: bertEmbeddings, head: bertHead });
