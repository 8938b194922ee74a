// The encoder block that BERT and RoBERTa share: post-norm self-attention and MLP.
import { add, slice, type Value } from "../graph/index.ts";
import {
  activation,
  attention,
  dropout,
  layerNorm,
  linear,
  mergeHeads,
  type Norm,
  type Scope,
  type Sublayer,
  splitHeads,
} from "../nn/index.ts";
import type { EncoderConfig } from "./config.ts";

/** What flows between stages: hidden states and the mask over them. */
export interface Hidden {
  /** `[B, S, D]` */
  readonly states: Value;
  /** Additive, `[B, 1, 1, S]`. */
  readonly mask: Value;
}

/** What a model is fed. */
export interface EncoderInputs {
  /** `[B, S]` int64 */
  readonly tokenIds: Value;
  /** 1 for attended positions, `[B, S]` int64. */
  readonly attentionMask: Value;
  /** `[B, S]` int64 */
  readonly typeIds: Value;
}

/** How one block differs from the others of its model. */
export interface BlockOptions {
  /** Neurons of its MLP; 0: none, and the residual's norm stays. */
  readonly neurons?: number;
  /** Gives the first position only, `[B, 1, D]`: what a head over the first token reads of the last block. */
  readonly firstOnly?: boolean;
}

/**
 * One block; `scope` stands at `….encoder.layer.N`.
 * @see transformers `BertLayer`: every sublayer is `LayerNorm(x + dropout(dense(…)))`.
 */
export function encoderBlock(
  config: EncoderConfig,
  scope: Scope,
  { states, mask }: Hidden,
  { neurons = config.intermediateSize, firstOnly = false }: BlockOptions = {},
): Hidden {
  const attended = selfAttention(config, scope.child("attention"), states, mask, firstOnly);
  return { states: mlp(config, scope, attended, neurons), mask };
}

function selfAttention(config: EncoderConfig, scope: Scope, all: Value, mask: Value, firstOnly: boolean): Value {
  const self = scope.child("self");
  const x = firstOnly ? self.at(() => slice(all, 1, 0, 1)) : all;
  const project = (name: string, from: Value) =>
    self.at(() => splitHeads(linear(self.child(name), from, config.hiddenSize), config.numHeads));
  const query = project("query", x);
  const own = { key: project("key", all), value: project("value", all), mask };
  const keyValue = scope.hooks.keyValue?.(self, own) ?? own;
  const scale = 1 / Math.sqrt(config.hiddenSize / config.numHeads);
  const context = self.at(() =>
    mergeHeads(attention(self, query, keyValue, { scale, dropoutRate: config.attentionDropout })),
  );
  const output = scope.child("output");
  const h = dropout(output, linear(output.child("dense"), context, config.hiddenSize), config.hiddenDropout);
  return residual(config, output, x, h, "attention");
}

function mlp(config: EncoderConfig, scope: Scope, x: Value, neurons: number): Value {
  const output = scope.child("output");
  if (neurons === 0) return layerNorm(output.child("LayerNorm"), x, config.layerNormEpsilon);
  const intermediate = scope.child("intermediate");
  const pre = linear(intermediate.child("dense"), x, neurons);
  const activated = intermediate.at(() => activation(config.hiddenAct)(pre));
  const a = scope.hooks.activation?.(intermediate, activated) ?? activated;
  const h = dropout(output, linear(output.child("dense"), a, config.hiddenSize), config.hiddenDropout);
  return residual(config, output, x, h, "mlp");
}

/** `LayerNorm(x + h)`; a hook may add to h, or skip the sublayer: then the residual's norm stays. */
function residual(config: EncoderConfig, scope: Scope, x: Value, h: Value, kind: Sublayer): Value {
  const norm: Norm = (v) => layerNorm(scope.child("LayerNorm"), v, config.layerNormEpsilon);
  const kept = scope.hooks.sublayer ? scope.hooks.sublayer(scope, x, h, norm, kind) : h;
  return norm(kept === null ? x : scope.at(() => add(x, kept)));
}
