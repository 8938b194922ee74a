// An encoder–decoder's two graphs for inference, as Optimum names and Transformers.js feeds them: an encoder, and a decoder that begins and goes on.
import { concat, type Dim, expand, Graph, sliceFrom, subtractDims, type Value } from "../graph/index.ts";
import { type CachedKeys, type EncoderDecoderModel, encode } from "../models/index.ts";
import { additiveMask, type Hooks, none, Scope } from "../nn/index.ts";

const BATCH = "batch_size";
const READ = "encoder_sequence_length";
/** Tokens whose cross keys were made before: none at first, then all. */
const READ_BEFORE = "encoder_sequence_length_out";
const WRITTEN = "decoder_sequence_length";
const WRITTEN_BEFORE = "past_decoder_sequence_length";

/** `last_hidden_state` `[B, S, D]` of `input_ids` and `attention_mask` `[B, S]` int64; hooks may put virtual tokens in front of the S. */
export function textEncoderGraph(
  model: EncoderDecoderModel,
  hooks: Hooks = none,
): { readonly last_hidden_state: Value } {
  const graph = new Graph();
  const tokens = (name: string) => graph.input(name, "int64", [BATCH, READ]);
  const inputs = { tokenIds: tokens("input_ids"), attentionMask: tokens("attention_mask") };
  return { last_hidden_state: encode(model, Scope.root(graph, { hooks, frozen: true }), inputs).states };
}

/**
 * `logits` `[B, T, V]` of `input_ids` `[B, T]` and what the encoder gave, with `present.i.{decoder,encoder}.{key,value}` for the
 * next call, which takes them as `past_key_values.…` `[B, H, P, K]`.
 *
 * Cross keys are made of the states that have none in the past: of all in the first call, of none in the later ones. So one graph
 * serves both, without a branch. `hooks` are the method's and may read MLPs otherwise; `read` is the length of what the encoder gave.
 */
export function textDecoderGraph(
  model: EncoderDecoderModel,
  { hooks = none, read = READ }: { readonly hooks?: Hooks; readonly read?: Dim } = {},
): Readonly<Record<string, Value>> {
  const { hiddenSize, numDecoderLayers, numHeads, headDim } = model.config;
  const graph = new Graph();
  const root = Scope.root(graph, { hooks, frozen: true });
  const mask = graph.input("encoder_attention_mask", "int64", [BATCH, READ]);
  const tokenIds = graph.input("input_ids", "int64", [BATCH, WRITTEN]);
  const states = graph.input("encoder_hidden_states", "float32", [BATCH, read, hiddenSize]);
  const past = (name: string, length: string): CachedKeys => {
    const input = (part: string) =>
      graph.input(`past_key_values.${name}.${part}`, "float32", [BATCH, numHeads, length, headDim]);
    return { key: input("key"), value: input("value") };
  };
  const layers = Array.from({ length: numDecoderLayers }, (_, layer) => ({
    own: past(`${layer}.decoder`, WRITTEN_BEFORE),
    cross: past(`${layer}.encoder`, READ_BEFORE),
  }));
  const virtual = (size: Dim) => expand(graph.scalar(1, "int64"), [BATCH, size]);
  const attended = read === READ ? mask : concat([virtual(subtractDims(read, READ)), mask], 1);
  const unseen = { states: sliceFrom(states, 1, READ_BEFORE), mask: additiveMask(attended) };
  const outputs: Record<string, Value> = {};
  const present = (name: string, { key, value }: CachedKeys) =>
    Object.assign(outputs, { [`present.${name}.key`]: key, [`present.${name}.value`]: value });
  let hidden = model.decoderEmbeddings(root, tokenIds, WRITTEN_BEFORE);
  for (const [layer, before] of layers.entries()) {
    const keys = model.crossKeys(root, unseen, layer, before.cross);
    const step = model.decoderBlock(root, hidden, keys.cross, layer, { past: before.own });
    hidden = step.hidden;
    present(`${layer}.decoder`, step.present);
    present(`${layer}.encoder`, keys.present);
  }
  return { logits: model.head(root, hidden), ...outputs };
}
