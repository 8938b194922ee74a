// T5 and Flan-T5: pre-norm blocks with RMS norms, no biases, relative positions, and in v1.1 a gated MLP.
import { add, addDims, type Dim, matmul, mul, reshape, type Value } from "../graph/index.ts";
import {
  activation,
  additiveMask,
  causalMask,
  dropout,
  type Embedded,
  embedding,
  flattenRows,
  type KeyValue,
  linear,
  type Norm,
  rmsNorm,
  type Scope,
  type Sublayer,
} from "../nn/index.ts";
import type { Weights } from "../tensor/index.ts";
import type { Hidden } from "./encoder.ts";
import type { BiasedHidden, CrossKeys, DecoderStep, EncoderDecoderModel, TextInputs } from "./encoder-decoder.ts";
import type { ModelFacts } from "./model-facts.ts";
import { relativeBias } from "./relative-bias.ts";
import { attend, type CachedKeys, hooked, keysOf } from "./t5-attention.ts";
import { parseT5Config, type T5Config } from "./t5-config.ts";
import { t5Mlps } from "./t5-mlps.ts";

export const T5_FACTS: ModelFacts = {
  modelType: "t5",
  classPrefix: "T5",
  names: { prefix: null, parts: [], table: "shared", pooler: null, unread: [] },
  keys: { hiddenSize: "d_model", intermediateSize: "d_ff" },
  // transformers writes what it derives from the first key beside it, and reads that
  withActivation: ({ feed_forward_proj: before }, name) => ({
    feed_forward_proj: String(before).startsWith("gated-") ? `gated-${name}` : name,
    dense_act_fn: name,
  }),
  mlpBiases: { output: "mlp_bias", input: "mlp_input_bias", isOwn: true },
  usualTargets: { lora: ["q", "v"], ia3: { targets: ["k", "v", "wo"], feedforward: ["wo"] } },
  // see transformers `T5PreTrainedModel._keep_in_fp32_modules`
  float32Layers: ["wo"],
};

/**
 * The T5 that a config.json describes, in stages. Errors as `parseT5Config`.
 * @see transformers `T5ForConditionalGeneration`
 */
export function t5Model(json: unknown, file?: string, stored?: Pick<Weights, "has">): EncoderDecoderModel {
  return t5Stages(parseT5Config(json, file, stored), T5_FACTS);
}

/** A T5 of any type in stages. */
export function t5Stages(config: T5Config, facts: ModelFacts): EncoderDecoderModel {
  const mlps = t5Mlps(config);
  return {
    architecture: "encoder-decoder",
    writes: true,
    facts,
    config,
    mlps,
    encoderEmbeddings: (root, inputs) => encoderEmbeddings(config, root, inputs),
    encoderBlock: (root, hidden, layer) =>
      encoderBlock(config, root.block(`encoder.block.${layer}`, "encoder", layer), hidden, mlps[layer]!.neurons),
    encoderEnd: (root, { states, mask }) => ({ states: stackEnd(config, root.child("encoder"), states), mask }),
    decoderEmbeddings: (root, tokenIds, past) => decoderEmbeddings(config, root, tokenIds, past),
    crossKeys: (root, encoded, layer, past = null) =>
      crossKeys(config, root.block(`decoder.block.${layer}`, "decoder", layer), encoded, past),
    decoderBlock: (root, hidden, cross, layer, options) =>
      decoderBlock(config, root.block(`decoder.block.${layer}`, "decoder", layer), hidden, cross, {
        ...options,
        neurons: mlps[config.numLayers + layer]!.neurons,
      }),
    head: (root, { states }) => vocabularyLogits(config, root, stackEnd(config, root.child("decoder"), states)),
  };
}

/** Hooks may put virtual tokens in front: mask and positions cover what they made. */
function encoderEmbeddings(config: T5Config, root: Scope, { tokenIds, attentionMask }: TextInputs): BiasedHidden {
  const scope = root.child("encoder");
  const plain: Embedded = {
    words: words(config, root, scope, tokenIds),
    table: "shared.weight",
    attentionMask,
    typeIds: null,
    positionOffset: 0,
    numVirtualTokens: 0,
  };
  const embedded = scope.hooks.inputs?.(scope, plain) ?? plain;
  const length = embedded.words.shape[1]!;
  return {
    states: dropout(scope, embedded.words, config.dropout),
    mask: scope.at(() => additiveMask(embedded.attentionMask)),
    bias: relativeBias(config, selfAttention(scope.block("block.0", "encoder", 0)), {
      bidirectional: true,
      queries: length,
      keys: length,
      firstQuery: 0,
    }),
  };
}

function decoderEmbeddings(config: T5Config, root: Scope, tokenIds: Value, past: Dim = 0): BiasedHidden {
  const scope = root.child("decoder");
  const queries = tokenIds.shape[1]!;
  const keys = addDims(past, queries);
  const range = { bidirectional: false, queries, keys, firstQuery: past };
  return {
    states: dropout(scope, words(config, root, scope, tokenIds), config.dropout),
    mask: scope.at(() => causalMask(root.graph, queries, keys)),
    bias: relativeBias(config, selfAttention(scope.block("block.0", "decoder", 0)), range),
  };
}

/** Rows of the one table; hooks see them where the stack has its own name for it. */
function words({ vocabSize, hiddenSize }: T5Config, root: Scope, stack: Scope, tokenIds: Value): Value {
  return embedding(root.child("shared"), tokenIds, vocabSize, hiddenSize, { site: stack.child("embed_tokens") });
}

const selfAttention = (block: Scope): Scope => block.child("layer.0.SelfAttention");

function encoderBlock(
  config: T5Config,
  scope: Scope,
  { states, mask, bias }: BiasedHidden,
  neurons: number,
): BiasedHidden {
  const first = scope.child("layer.0");
  const attended = sublayer(config, first, states, "attention", (x) => {
    const site = selfAttention(scope);
    return attend(config, site, x, hooked(site, keysOf(config, site, x), biased(scope, mask, bias)));
  });
  return { states: mlp(config, scope.child("layer.1"), attended, neurons), mask, bias };
}

/** Keys and values of the encoder's states in one decoder block: made once for a whole text. */
function crossKeys(config: T5Config, scope: Scope, { states, mask }: Hidden, past: CachedKeys | null): CrossKeys {
  const site = scope.child("layer.1.EncDecAttention");
  const present = keysOf(config, site, states, past);
  return { present, cross: hooked(site, present, mask) };
}

function decoderBlock(
  config: T5Config,
  scope: Scope,
  { states, mask, bias }: BiasedHidden,
  cross: KeyValue,
  {
    past = null,
    copies = 1,
    neurons,
  }: { readonly past?: CachedKeys | null; readonly copies?: Dim; readonly neurons: number },
): DecoderStep {
  let present: CachedKeys | null = null;
  const attended = sublayer(config, scope.child("layer.0"), states, "attention", (x) => {
    const site = selfAttention(scope);
    present = keysOf(config, site, x, past);
    return attend(config, site, x, hooked(site, present, biased(scope, mask, bias)));
  });
  const crossed = sublayer(config, scope.child("layer.1"), attended, "cross-attention", (x) =>
    attend(config, scope.child("layer.1.EncDecAttention"), x, cross, copies),
  );
  return { hidden: { states: mlp(config, scope.child("layer.2"), crossed, neurons), mask, bias }, present: present! };
}

/** One sum for the whole stack: the graph keeps equal nodes once. */
function biased(scope: Scope, mask: Value, bias: Value): Value {
  return scope.at(() => add(bias, mask));
}

/** Without neurons only the bias is left, which stands for what the MLP gave. */
function mlp(config: T5Config, scope: Scope, x: Value, neurons: number): Value {
  const { hiddenSize, hiddenAct, isGated, mlpBias, mlpInputBias } = config;
  const site = scope.child("DenseReluDense");
  const out = site.child("wo");
  const biased = (y: Value) => out.at(() => add(y, out.parameter("bias", [hiddenSize], "linear")));
  if (neurons === 0) return mlpBias ? biased(x) : x;
  return sublayer(config, scope, x, "mlp", (normed) => {
    const into = (name: string, bias = false) => linear(site.child(name), normed, neurons, { bias });
    const first = isGated ? "wi_0" : "wi";
    const pre = into(first, mlpInputBias);
    const nonlinear = activation(hiddenAct);
    const activated = site.at(() => nonlinear(pre));
    const a = scope.hooks.activation?.(site, activated) ?? activated;
    const factor = isGated ? site.child("wi_1") : null;
    const plain = { into: site.child(first), isBiased: mlpInputBias, activation: nonlinear };
    const before = a === activated ? plain : null;
    const projected = scope.hooks.projection?.(site, a, { input: normed, before, factor, out }) ?? null;
    if (projected !== null) return mlpBias ? biased(projected) : projected;
    const gated = isGated ? gate(site, a, into("wi_1")) : a;
    return linear(out, dropout(site, gated, config.dropout), hiddenSize, { bias: mlpBias });
  });
}

const gate = (site: Scope, a: Value, factor: Value): Value => site.at(() => mul(a, factor));

/** `x + dropout(f(norm(x)))`; a hook may add to it, or skip it. */
function sublayer(config: T5Config, scope: Scope, x: Value, kind: Sublayer, f: (normed: Value) => Value): Value {
  const normed = rmsNorm(scope.child("layer_norm"), x, config.layerNormEpsilon);
  const h = dropout(scope, f(normed), config.dropout);
  const kept = scope.hooks.sublayer ? scope.hooks.sublayer(scope, x, h, identity, kind) : h;
  return kept === null ? x : scope.at(() => add(x, kept));
}

const identity: Norm = (v) => v;

function stackEnd(config: T5Config, scope: Scope, states: Value): Value {
  const normed = rmsNorm(scope.child("final_layer_norm"), states, config.layerNormEpsilon);
  return dropout(scope, normed, config.dropout, "dropout2");
}

/** `[B, T, D]` → `[B, T, V]`. */
function vocabularyLogits(config: T5Config, root: Scope, normed: Value): Value {
  const { vocabSize, hiddenSize, tiedHead, scaledHead } = config;
  const site = root.head("lm_head", "vocabulary");
  const states = scaledHead ? site.at(() => mul(normed, hiddenSize ** -0.5)) : normed;
  if (!tiedHead) return linear(site, states, vocabSize, { bias: false });
  const table = root.child("shared");
  const stored = table.parameter("weight", [vocabSize, hiddenSize], "table");
  const weight = table.hooks.weight?.(table, stored, "table") ?? stored;
  return site.at(() => {
    const input = site.hooks.linearInput?.(site, states) ?? states;
    const rows = flattenRows(input);
    const logits = reshape(matmul(rows, weight, { transB: true }), [...states.shape.slice(0, -1), vocabSize]);
    return site.hooks.linear?.(site, input, logits) ?? logits;
  });
}

/** Copies of other tensors, and one that the first release carried and no model reads. */
const ALIASES = /^(encoder|decoder)\.embed_tokens\.weight$/;
const UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";

/**
 * A T5 checkpoint's tensors under this model's names: `shared.weight` under that name alone, a head that the embeddings
 * are too left out, and where it is missing but should not be, given by the embeddings.
 */
export function sanitizeT5({ tiedHead }: T5Config, weights: Weights): Weights {
  const table = weights.get("shared.weight") ?? [...weights].find(([name]) => ALIASES.test(name))?.[1];
  const clean = new Map(
    [...weights].filter(([name]) => !ALIASES.test(name) && name !== UNUSED && !(tiedHead && name === "lm_head.weight")),
  );
  if (table) clean.set("shared.weight", table);
  if (table && !tiedHead && !clean.has("lm_head.weight")) clean.set("lm_head.weight", table);
  return clean;
}

/** T5 and Flan-T5. */
export const T5 = {
  facts: T5_FACTS,
  open: t5Model,
  sanitize: (config: T5Config, weights: Weights): Weights => sanitizeT5(config, weights),
};
