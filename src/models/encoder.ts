// The block that encoders of BERT's kind share: post-norm self-attention and MLP.
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
import type { AttentionNames, BlockNames, MlpNames } from "./encoder-blocks.ts";

/** What flows between stages: hidden states and the mask over them. */
export interface Hidden {
  /** `[B, S, D]` */
  readonly states: Value;
  /** Additive, `[B, 1, 1, S]`; with a relative position bias in it `[B, H, S, S]`. */
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
 * One block; `scope` stands at the block.
 * @see transformers `BertLayer`: every sublayer is `LayerNorm(x + dropout(dense(…)))`.
 */
export function encoderBlock(
  config: EncoderConfig,
  names: BlockNames,
  scope: Scope,
  { states, mask }: Hidden,
  { neurons = config.intermediateSize, firstOnly = false }: BlockOptions = {},
): Hidden {
  const attended = selfAttention(config, names.attention, scope, { states, mask }, firstOnly);
  return { states: mlp(config, names.mlp, scope, attended, neurons), mask };
}

function selfAttention(
  config: EncoderConfig,
  names: AttentionNames,
  scope: Scope,
  { states: all, mask }: Hidden,
  firstOnly: boolean,
): Value {
  const self = scope.child(names.site);
  const x = firstOnly ? self.at(() => slice(all, 1, 0, 1)) : all;
  const project = (name: string, from: Value) =>
    self.at(() => splitHeads(linear(scope.child(name), from, config.hiddenSize), config.numHeads));
  const query = project(names.query, x);
  const own = { key: project(names.key, all), value: project(names.value, all), mask: rowsOf(self, mask, firstOnly) };
  const keyValue = scope.hooks.keyValue?.(self, own) ?? own;
  const scale = 1 / Math.sqrt(config.hiddenSize / config.numHeads);
  const context = self.at(() =>
    mergeHeads(attention(self, query, keyValue, { scale, dropoutRate: config.attentionDropout })),
  );
  const output = scope.child(names.sublayer);
  const h = dropout(output, linear(scope.child(names.out), context, config.hiddenSize), config.attentionOutputDropout);
  return residual(config, output, scope.child(names.norm), { x, h, kind: "attention" });
}

/** The mask over the first query's keys alone, where queries have masks of their own. */
function rowsOf(scope: Scope, mask: Value, firstOnly: boolean): Value {
  return firstOnly && mask.shape[2] !== 1 ? scope.at(() => slice(mask, 2, 0, 1)) : mask;
}

function mlp(config: EncoderConfig, names: MlpNames, scope: Scope, x: Value, neurons: number): Value {
  const norm = scope.child(names.norm);
  if (neurons === 0) return layerNorm(norm, x, config.layerNormEpsilon);
  const site = scope.child(names.site);
  const pre = linear(scope.child(names.into), x, neurons);
  const activated = site.at(() => activation(config.hiddenAct)(pre));
  const a = scope.hooks.activation?.(site, activated) ?? activated;
  const output = scope.child(names.sublayer);
  const h = dropout(output, linear(scope.child(names.out), a, config.hiddenSize), config.hiddenDropout);
  return residual(config, output, norm, { x, h, kind: "mlp" });
}

/** `LayerNorm(x + h)`; a hook may add to h, or skip the sublayer: then the residual's norm stays. `scope` stands at the sublayer. */
function residual(
  config: EncoderConfig,
  scope: Scope,
  normScope: Scope,
  { x, h, kind }: { readonly x: Value; readonly h: Value; readonly kind: Sublayer },
): Value {
  const norm: Norm = (v) => layerNorm(normScope, v, config.layerNormEpsilon);
  const kept = scope.hooks.sublayer ? scope.hooks.sublayer(scope, x, h, norm, kind) : h;
  return norm(kept === null ? x : scope.at(() => add(x, kept)));
}
