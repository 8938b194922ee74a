// An encoder–decoder as stages, so that one program can hold all of it or be cut at a stage boundary.
import { concat, type Dim, equal, expand, slice, subtractDims, type Value, where } from "../graph/index.ts";
import type { KeyValue, Scope } from "../nn/index.ts";
import type { Hidden } from "./encoder.ts";
import type { MlpSite } from "./mlp-sites.ts";
import type { ModelFacts } from "./model-facts.ts";
import type { CachedKeys } from "./t5-attention.ts";
import type { T5Config } from "./t5-config.ts";

/** The text that an encoder–decoder reads. */
export interface TextInputs {
  /** `[B, S]` int64 */
  readonly tokenIds: Value;
  /** 1 for attended positions, `[B, S]` int64. */
  readonly attentionMask: Value;
}

/** Hidden states between blocks, with the relative position bias that all blocks of the stack add to their scores. */
export interface BiasedHidden extends Hidden {
  /** `[1, H, queries, keys]` */
  readonly bias: Value;
}

/** What a decoder block attends to of the encoder. */
export interface CrossKeys {
  readonly cross: KeyValue;
  /** Keys and values of all states so far, which hooks have not seen: for the call to come. */
  readonly present: CachedKeys;
}

/** What a decoder block gives. */
export interface DecoderStep {
  readonly hidden: BiasedHidden;
  /** Keys and values of all tokens so far, for the step to come. */
  readonly present: CachedKeys;
}

/** A model in stages over a root scope; `encode` and `languageModelLogits` run them in a row. */
export interface EncoderDecoderModel {
  readonly architecture: "encoder-decoder";
  /** It gives texts. */
  readonly writes: true;
  readonly facts: ModelFacts;
  readonly mlps: readonly MlpSite[];
  readonly config: T5Config;
  encoderEmbeddings(root: Scope, inputs: TextInputs): BiasedHidden;
  encoderBlock(root: Scope, hidden: BiasedHidden, layer: number): BiasedHidden;
  /** Final norm: what the decoder attends to, with the mask over it. */
  encoderEnd(root: Scope, hidden: BiasedHidden): Hidden;
  /** Over the decoder's input `[B, T]` int64, of which `past` tokens have gone before. */
  decoderEmbeddings(root: Scope, tokenIds: Value, past?: Dim): BiasedHidden;
  /** What a decoder block attends to of the encoder: the same at every step. The mask is over all keys, those of states before (`past`) too. */
  crossKeys(root: Scope, encoded: Hidden, layer: number, past?: CachedKeys | null): CrossKeys;
  /** `past` are the block's keys of tokens before; with `copies` N, N rows in turn share one example's cross keys. */
  decoderBlock(
    root: Scope,
    hidden: BiasedHidden,
    cross: KeyValue,
    layer: number,
    options?: { readonly past?: CachedKeys | null; readonly copies?: Dim },
  ): DecoderStep;
  /** Final norm and vocabulary: `[B, T, V]`. */
  head(root: Scope, hidden: BiasedHidden): Value;
}

/** The encoder's stages in a row. */
export function encode(model: EncoderDecoderModel, root: Scope, inputs: TextInputs): Hidden {
  let hidden = model.encoderEmbeddings(root, inputs);
  for (let layer = 0; layer < model.config.numLayers; layer++) hidden = model.encoderBlock(root, hidden, layer);
  return model.encoderEnd(root, hidden);
}

/** The decoder's stages in a row over labels `[B, T]` shifted right: logits `[B, T, V]`. */
export function languageModelLogits(model: EncoderDecoderModel, root: Scope, encoded: Hidden, labels: Value): Value {
  let hidden = model.decoderEmbeddings(root, shiftRight(model.config, root, labels));
  for (let layer = 0; layer < model.config.numDecoderLayers; layer++)
    hidden = model.decoderBlock(root, hidden, model.crossKeys(root, encoded, layer).cross, layer).hidden;
  return model.head(root, hidden);
}

/** The start token and all labels but the last; padding where a label is −100. @see transformers `_shift_right`. */
export function shiftRight({ decoderStartTokenId, padTokenId }: T5Config, root: Scope, labels: Value): Value {
  return root.child("decoder").at(() => {
    const [batch, length] = labels.shape as readonly [Dim, Dim];
    const start = expand(root.graph.scalar(decoderStartTokenId, "int64"), [batch, 1]);
    const before = slice(labels, 1, 0, subtractDims(length, 1));
    return concat([start, where(equal(before, -100), root.graph.scalar(padTokenId, "int64"), before)], 1);
  });
}
