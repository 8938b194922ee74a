// RoBERTa: positions counted over non-padding tokens from behind the padding id, and a two-layer head.
import { add, addDims, cast, cumSum, equal, iota, mul, not, select, slice, tanh, type Value } from "../graph/index.ts";
import { dropout, embedding, linear, type Scope } from "../nn/index.ts";
import { embedPositions, embedWords } from "./bert.ts";
import type { EncoderConfig, EncoderDefaults } from "./config.ts";
import type { EncoderInputs, Hidden } from "./encoder.ts";
import { BERT_BLOCKS } from "./encoder-blocks.ts";
import { type EncoderStages, encoderType } from "./encoder-model.ts";
import { ENCODER_KEYS, ENCODER_NAMES, ENCODER_TARGETS, encoderActivation, type ModelFacts } from "./model-facts.ts";

/** Word, position and segment embeddings, normalised; `scope` stands at `roberta`. @see transformers `RobertaEmbeddings`. */
export function robertaEmbeddings(config: EncoderConfig, root: Scope, inputs: EncoderInputs): Hidden {
  const scope = root.child("embeddings");
  const embedded = embedWords(config, scope, inputs);
  const site = scope.child("position_embeddings");
  return embedPositions(config, scope, embedded, (length) => {
    const positions = site.at(() =>
      embedded.numVirtualTokens > 0
        ? sequentialPositions(config, scope, length)
        : tokenPositions(config, inputs.tokenIds, embedded.positionOffset),
    );
    return embedding(site, positions, config.maxPositions, config.embeddingSize, { paddingId: config.padTokenId });
  });
}

/** `padTokenId + 1 + count of tokens before`, padding at `padTokenId`. @see transformers `create_position_ids_from_input_ids`. */
function tokenPositions(config: EncoderConfig, tokenIds: Value, offset: number): Value {
  const isToken = cast(not(equal(tokenIds, config.padTokenId)), "int64");
  return add(mul(add(cumSum(isToken, 1), offset), isToken), config.padTokenId);
}

/** With embeddings given instead of ids there is no padding to see: positions run on. @see `create_position_ids_from_inputs_embeds`. */
function sequentialPositions(config: EncoderConfig, scope: Scope, length: Value["shape"][number]): Value {
  const first = config.padTokenId + 1;
  return slice(iota(scope.graph, addDims(length, first)), 0, first, length);
}

/** `out_proj(dropout(f(dense(dropout(h₀)))))`: `[B, C]`. @see transformers `RobertaClassificationHead`, where f is tanh. */
export function twoLayerHead(nonlinearity: (x: Value) => Value): EncoderStages["head"] {
  const init = { kind: "normal", std: 0.02 } as const;
  return ({ hiddenSize, headDropout }, root, { states }, numLabels, firstToken) => {
    const scope = root.head("classifier");
    const first = scope.at(() => select(states, 1, firstToken));
    const read = dropout(scope, first, headDropout.text, "dropout");
    const dense = linear(scope.child("dense"), read, hiddenSize, { init });
    const dropped = dropout(
      scope,
      scope.at(() => nonlinearity(dense)),
      headDropout.text,
      "dropout2",
    );
    return linear(scope.child("out_proj"), dropped, numLabels, { init });
  };
}

/** A type of model that transformers builds as RoBERTa, under other names of its classes. */
function robertaType(modelType: string, classPrefix: string) {
  const facts: ModelFacts = {
    modelType,
    classPrefix,
    names: { ...ENCODER_NAMES, prefix: "roberta", unread: ["roberta.pooler"] },
    keys: ENCODER_KEYS,
    withActivation: encoderActivation,
    mlpBiases: null,
    usualTargets: ENCODER_TARGETS,
    float32Layers: [],
  };
  const defaults: EncoderDefaults = {
    modelType,
    keys: ENCODER_KEYS,
    padTokenId: 1,
    firstPosition: (padTokenId) => padTokenId + 1,
  };
  return encoderType(facts, defaults, { blocks: BERT_BLOCKS, embeddings: robertaEmbeddings, head: twoLayerHead(tanh) });
}

/** RoBERTa. */
export const ROBERTA = robertaType("roberta", "Roberta");

/** XLM-RoBERTa. */
export const XLM_ROBERTA = robertaType("xlm-roberta", "XLMRoberta");

/** CamemBERT. */
export const CAMEMBERT = robertaType("camembert", "Camembert");
