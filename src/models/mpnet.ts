// MPNet: RoBERTa's positions, and T5's relative position bias, which all blocks add to their scores.
import { add, tanh } from "../graph/index.ts";
import type { Scope } from "../nn/index.ts";
import type { EncoderConfig, EncoderDefaults } from "./config.ts";
import type { EncoderInputs, Hidden } from "./encoder.ts";
import { BERT_MLP, type BlockNames } from "./encoder-blocks.ts";
import { encoderType } from "./encoder-model.ts";
import { ENCODER_KEYS, ENCODER_NAMES, encoderActivation, type ModelFacts } from "./model-facts.ts";
import { relativeBias } from "./relative-bias.ts";
import { robertaEmbeddings, twoLayerHead } from "./roberta.ts";

const BLOCKS: BlockNames = {
  stack: "encoder.layer",
  attention: {
    site: "attention.attn",
    query: "attention.attn.q",
    key: "attention.attn.k",
    value: "attention.attn.v",
    out: "attention.attn.o",
    sublayer: "attention",
    norm: "attention.LayerNorm",
  },
  mlp: BERT_MLP,
};

/** Padding, whatever config.json says. @see transformers `MPNetEmbeddings` */
const PADDING = 1;
/** Of the relative positions, whatever config.json says. @see transformers `MPNetEncoder.compute_position_bias` */
const [BUCKETS, MAX_DISTANCE] = [32, 128];

/** RoBERTa's embeddings; the mask holds the relative position bias, `[B, H, S, S]`. */
function mpnetEmbeddings(config: EncoderConfig, root: Scope, inputs: EncoderInputs): Hidden {
  const { states, mask } = robertaEmbeddings(config, root, inputs);
  const scope = root.child("encoder");
  const length = states.shape[1]!;
  const table = { numHeads: config.numHeads, numBuckets: BUCKETS, maxDistance: MAX_DISTANCE };
  const bias = relativeBias(table, scope, { bidirectional: true, queries: length, keys: length, firstQuery: 0 });
  return { states, mask: scope.at(() => add(bias, mask)) };
}

const FACTS: ModelFacts = {
  modelType: "mpnet",
  classPrefix: "MPNet",
  names: { ...ENCODER_NAMES, prefix: "mpnet", unread: ["mpnet.pooler"] },
  keys: ENCODER_KEYS,
  withActivation: encoderActivation,
  mlpBiases: null,
  // peft has none for it: those that it takes of BERT
  usualTargets: { lora: ["q", "v"], ia3: { targets: ["k", "v", "output.dense"], feedforward: ["output.dense"] } },
  float32Layers: [],
};

const DEFAULTS: EncoderDefaults = {
  modelType: FACTS.modelType,
  keys: ENCODER_KEYS,
  padTokenId: PADDING,
  firstPosition: () => PADDING + 1,
  own(reader, { hiddenDropout }) {
    reader.whole("relative_attention_num_buckets", BUCKETS, BUCKETS, BUCKETS);
    return {
      typeVocabSize: 0,
      padTokenId: PADDING,
      headDropout: { text: hiddenDropout, tokens: hiddenDropout, span: 0 },
    };
  },
};

/** MPNet. */
export const MPNET = encoderType(FACTS, DEFAULTS, {
  blocks: BLOCKS,
  embeddings: mpnetEmbeddings,
  head: twoLayerHead(tanh),
});
