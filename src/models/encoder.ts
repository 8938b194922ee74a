// The encoder block that BERT and RoBERTa share: post-norm self-attention and MLP.
import { add, type Value } from "../graph/index.ts";
import {
  activation,
  attention,
  dropout,
  layerNorm,
  linear,
  mergeHeads,
  type Norm,
  type Scope,
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

/**
 * One block; `scope` stands at `….encoder.layer.N`.
 * @see transformers `BertLayer`: every sublayer is `LayerNorm(x + dropout(dense(…)))`.
 */
export function encoderBlock(config: EncoderConfig, scope: Scope, { states, mask }: Hidden): Hidden {
  const attended = selfAttention(config, scope.child("attention"), states, mask);
  return { states: mlp(config, scope, attended), mask };
}

function selfAttention(config: EncoderConfig, scope: Scope, x: Value, mask: Value): Value {
  const self = scope.child("self");
  const project = (name: string) =>
    self.at(() => splitHeads(linear(self.child(name), x, config.hiddenSize), config.numHeads));
  const query = project("query");
  const own = { key: project("key"), value: project("value"), mask };
  const keyValue = scope.hooks.keyValue?.(self, own) ?? own;
  const scale = 1 / Math.sqrt(config.hiddenSize / config.numHeads);
  const context = self.at(() =>
    mergeHeads(attention(self, query, keyValue, { scale, dropoutRate: config.attentionDropout })),
  );
  const output = scope.child("output");
  const h = dropout(output, linear(output.child("dense"), context, config.hiddenSize), config.hiddenDropout);
  return residual(config, output, x, h);
}

function mlp(config: EncoderConfig, scope: Scope, x: Value): Value {
  const intermediate = scope.child("intermediate");
  const pre = linear(intermediate.child("dense"), x, config.intermediateSize);
  const activated = intermediate.at(() => activation(config.hiddenAct)(pre));
  const a = scope.hooks.activation?.(intermediate, activated) ?? activated;
  const output = scope.child("output");
  const h = dropout(output, linear(output.child("dense"), a, config.hiddenSize), config.hiddenDropout);
  return residual(config, output, x, h);
}

/** `LayerNorm(x + h)`; a hook may add to h, or skip the sublayer: then the residual's norm stays. */
function residual(config: EncoderConfig, scope: Scope, x: Value, h: Value): Value {
  const norm: Norm = (v) => layerNorm(scope.child("LayerNorm"), v, config.layerNormEpsilon);
  const kept = scope.hooks.sublayer ? scope.hooks.sublayer(scope, x, h, norm) : h;
  return norm(kept === null ? x : scope.at(() => add(x, kept)));
}
