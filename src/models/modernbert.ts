// ModernBERT: pre-norm blocks with rotary positions, most of them over near tokens alone, and gated MLPs; queries, keys and values are one
// layer, and so are an activation and its factor.
import {
  add,
  cast,
  div,
  equal,
  mul,
  reduceSum,
  reshape,
  select,
  slice,
  transpose,
  type Value,
} from "../graph/index.ts";
import {
  activation,
  additiveMask,
  attention,
  bothMasks,
  dropout,
  layerNorm,
  linear,
  mergeHeads,
  type Norm,
  rotated,
  type Scope,
  type Sublayer,
  windowMask,
} from "../nn/index.ts";
import { embedWords } from "./bert.ts";
import type { BlockOptions, EncoderInputs, Hidden } from "./encoder.ts";
import type { EncoderModel, TokenHead, TokenLogits } from "./encoder-model.ts";
import { sanitizer } from "./encoder-tensors.ts";
import type { MlpSite } from "./mlp-sites.ts";
import type { ModelFacts } from "./model-facts.ts";
import { MODERNBERT_KEYS, type ModernBertConfig, parseModernBertConfig } from "./modernbert-config.ts";

/** Norms of the whole model. */
const norm = ({ layerNormEpsilon, normBias: bias }: ModernBertConfig, scope: Scope, x: Value) =>
  layerNorm(scope, x, layerNormEpsilon, { bias });

function embeddings(config: ModernBertConfig, root: Scope, inputs: EncoderInputs): Hidden {
  const scope = root.child("model.embeddings");
  const { words, attentionMask } = embedWords(config, scope, inputs, "tok_embeddings");
  const states = dropout(scope, norm(config, scope.child("norm"), words), config.hiddenDropout);
  return { states, mask: scope.at(() => additiveMask(attentionMask)) };
}

/** @see transformers `ModernBertEncoderLayer`: the first block's attention reads the embeddings, which are normalised already. */
function block(config: ModernBertConfig, scope: Scope, hidden: Hidden, layer: number, options: BlockOptions): Hidden {
  const { neurons = config.intermediateSize } = options;
  const attended = attend(config, scope, hidden, layer, options.firstOnly ?? false);
  return { states: mlp(config, scope, attended, neurons), mask: hidden.mask };
}

function attend(
  config: ModernBertConfig,
  scope: Scope,
  { states, mask }: Hidden,
  layer: number,
  firstOnly: boolean,
): Value {
  const site = scope.child("attn");
  const [batch, length] = states.shape;
  const isLocal = config.isLocal[layer]!;
  const theta = isLocal ? config.localTheta : config.globalTheta;
  const read = layer === 0 ? states : norm(config, scope.child("attn_norm"), states);
  const { hiddenSize, numHeads, attentionBias: bias } = config;
  const headDim = hiddenSize / numHeads;
  const fused = linear(site.child("Wqkv"), read, 3 * hiddenSize, { bias });
  const heads = site.at(() => reshape(fused, [batch!, length!, 3, numHeads, headDim]));
  const part = (index: number) => site.at(() => transpose(select(heads, 2, index), [0, 2, 1, 3]));
  const [query, key] = [0, 1].map((index) => rotated(site, part(index), theta)) as [Value, Value];
  const rows = (x: Value, axis: number) => (firstOnly && x.shape[axis] !== 1 ? slice(x, axis, 0, 1) : x);
  const seen = isLocal ? site.at(() => bothMasks(mask, windowMask(scope.graph, length!, config.reach))) : mask;
  const own = { key, value: part(2), mask: site.at(() => rows(seen, 2)) };
  const keyValue = scope.hooks.keyValue?.(site, own) ?? own;
  const rates = { scale: headDim ** -0.5, dropoutRate: config.attentionDropout };
  const context = site.at(() => mergeHeads(attention(site, rows(query, 2), keyValue, rates)));
  const h = dropout(
    site,
    linear(site.child("Wo"), context, hiddenSize, { bias }),
    config.attentionOutputDropout,
    "out_drop",
  );
  return residual(
    site,
    site.at(() => rows(states, 1)),
    h,
    "attention",
  );
}

/** Without neurons only the output's bias is left, where there is one, which stands for what the MLP gave. */
function mlp(config: ModernBertConfig, scope: Scope, x: Value, neurons: number): Value {
  const { hiddenSize, mlpBias: bias } = config;
  const site = scope.child("mlp");
  const out = site.child("Wo");
  if (neurons === 0) return bias ? out.at(() => add(x, out.parameter("bias", [hiddenSize], "linear"))) : x;
  const read = norm(config, scope.child("mlp_norm"), x);
  const both = linear(site.child("Wi"), read, 2 * neurons, { bias });
  const activated = site.at(() => activation(config.hiddenAct)(slice(both, 2, 0, neurons)));
  const a = scope.hooks.activation?.(site, activated) ?? activated;
  const gated = site.at(() => mul(a, slice(both, 2, neurons, neurons)));
  return residual(site, x, linear(out, dropout(site, gated, config.mlpDropout), hiddenSize, { bias }), "mlp");
}

/** `x + h`; a hook may add to h, or skip the sublayer. */
function residual(scope: Scope, x: Value, h: Value, kind: Sublayer): Value {
  const kept = scope.hooks.sublayer ? scope.hooks.sublayer(scope, x, h, identity, kind) : h;
  return kept === null ? x : scope.at(() => add(x, kept));
}

const identity: Norm = (v) => v;

/** What the classifier reads: `dropout(norm(act(dense(x))))`. @see transformers `ModernBertPredictionHead`. */
function beforeClassifier(config: ModernBertConfig, root: Scope, classifier: Scope, x: Value, rate: number): Value {
  const scope = root.child("head");
  const options = { bias: config.classifierBias, init: { kind: "normal", std: 0.02 } } as const;
  const dense = linear(scope.child("dense"), x, config.hiddenSize, options);
  const activated = scope.at(() => activation(config.classifierAct)(dense));
  const normed = layerNorm(scope.child("norm"), activated, config.layerNormEpsilon, {
    bias: config.normBias,
    init: true,
  });
  return dropout(classifier, normed, rate);
}

function finalStates(config: ModernBertConfig, root: Scope, { states }: Hidden): Value {
  return norm(config, root.child("model.final_norm"), states);
}

/** `[B, C]` of the first token or of the mean of the attended ones. @see transformers `ModernBertForSequenceClassification`. */
function textHead(config: ModernBertConfig, root: Scope, hidden: Hidden, numLabels: number, firstToken: number): Value {
  const classifier = root.head("classifier");
  const states = finalStates(config, root, hidden);
  const pooled = classifier.at(() =>
    config.pooling === "first" ? select(states, 1, firstToken) : meanOfAttended(states, hidden.mask),
  );
  const read = beforeClassifier(config, root, classifier, pooled, config.headDropout.text);
  return linear(classifier, read, numLabels, { init: { kind: "normal", std: 0.02 } });
}

/** The mean over positions that the additive mask lets through. */
function meanOfAttended(states: Value, mask: Value): Value {
  const [batch, length] = states.shape;
  const attended = reshape(cast(equal(mask, 0), "float32"), [batch!, length!, 1]);
  return div(reduceSum(mul(states, attended), { axes: [1] }), reduceSum(attended, { axes: [1] }));
}

/** Classes and spans alike. @see transformers `ModernBertForTokenClassification`, `ModernBertForQuestionAnswering`. */
function tokenHead(config: ModernBertConfig, root: Scope, hidden: Hidden, { kind, width }: TokenHead): TokenLogits {
  const scope = root.head("classifier");
  const states = finalStates(config, root, hidden);
  const rate = kind === "span" ? config.headDropout.span : config.headDropout.tokens;
  const read = beforeClassifier(config, root, scope, states, rate);
  return { logits: linear(scope, read, width, { init: { kind: "normal", std: 0.02 } }), scope };
}

const STACK = "model.layers";

function mlpsOf({ numLayers, mlpSizes, intermediateSize }: ModernBertConfig): MlpSite[] {
  return Array.from({ length: numLayers }, (_, layer) => {
    const site = `${STACK}.${layer}.mlp`;
    return {
      stack: "encoder",
      layer,
      activation: site,
      sublayer: site,
      into: [`${site}.Wi`, `${site}.Wi`],
      out: `${site}.Wo`,
      norm: `${STACK}.${layer}.mlp_norm`,
      isPostNorm: false,
      neurons: mlpSizes?.[layer] ?? intermediateSize,
    };
  });
}

const FACTS: ModelFacts = {
  modelType: "modernbert",
  classPrefix: "ModernBert",
  names: {
    prefix: "model",
    parts: ["embeddings", "layers", "final_norm"],
    table: "embeddings.tok_embeddings",
    pooler: "head",
    unread: ["decoder"],
  },
  keys: MODERNBERT_KEYS,
  withActivation: (_config, name) => ({ [MODERNBERT_KEYS.hiddenAct]: name }),
  mlpBiases: { output: "mlp_bias", input: "mlp_bias", isOwn: false },
  // peft has none for it
  usualTargets: { lora: ["Wqkv"], ia3: { targets: ["Wqkv", "mlp.Wo"], feedforward: ["mlp.Wo"] } },
  float32Layers: [],
};

/** ModernBERT. */
export const MODERNBERT = {
  facts: FACTS,
  open(json: unknown, file = "config.json"): EncoderModel {
    const config = parseModernBertConfig(json, file);
    const mlps = mlpsOf(config);
    return {
      architecture: "encoder",
      writes: false,
      facts: FACTS,
      config,
      mlps,
      embeddings: (root, inputs) => embeddings(config, root, inputs),
      block: (root, hidden, layer, options) => {
        const scope = root.block(`${STACK}.${layer}`, "encoder", layer);
        return block(config, scope, hidden, layer, { ...options, neurons: mlps[layer]!.neurons });
      },
      head: (root, hidden, numLabels, firstToken = 0) => textHead(config, root, hidden, numLabels, firstToken),
      tokenHead: (root, hidden, of) => tokenHead(config, root, hidden, of),
    };
  },
  sanitize: sanitizer(FACTS),
};
