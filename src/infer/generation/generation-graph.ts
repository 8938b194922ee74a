// Generation as two graphs: one reads the text once, the other writes one token at a time over keys made before.
import { activationTap, type Tap } from "../../density/index.ts";
import { type Dim, Graph, gather, multiplyDims, reshape, type Value } from "../../graph/index.ts";
import { type EncoderDecoderModel, encode } from "../../models/index.ts";
import { compose, type Hooks, type KeyValue, type ParameterSpec, Scope } from "../../nn/index.ts";
import type { GraphParts } from "../../tasks/index.ts";
import { type GatheredMlp, gatheredProjection } from "./sparse-mlp.ts";

export interface GenerationGraphOptions extends Omit<GraphParts, "head"> {
  readonly model: EncoderDecoderModel;
  /** MLPs of the decoder that are read row by row while it writes. */
  readonly gathered?: readonly GatheredMlp[];
}

/** Reads texts: outputs `cross.key.L`, `cross.value.L` `[B, H, E, K]` and `cross.mask.L` for each decoder block L. */
export interface PrefillGraph {
  readonly outputs: Readonly<Record<string, Value>>;
  readonly trainable: readonly ParameterSpec[];
}

/** Writes one token of N texts for each of B examples. */
export interface DecodeStepGraph {
  /** `logits` `[B·N, V]` and `next.past.key.L`, `next.past.value.L` `[B, N, H, P + 1, K]`. */
  readonly outputs: Readonly<Record<string, Value>>;
  readonly trainable: readonly ParameterSpec[];
  /** The MLPs of the decoder, `[B·N, 1, F]` each. */
  readonly taps: readonly Tap[];
  /** 1 for texts that are still written, `[B·N, 1]` int64. */
  readonly active: Value;
}

/** Names of a block's keys of the encoder, and of those it keeps of the tokens before. */
export const cachedNames = (layer: number) => ({
  cross: { key: `cross.key.${layer}`, value: `cross.value.${layer}`, mask: `cross.mask.${layer}` },
  past: { key: `past.key.${layer}`, value: `past.value.${layer}` },
});

/** Feeds: `tokenIds`, `attentionMask` `[B, S]` int64, and what is trained. */
export function buildPrefill(options: GenerationGraphOptions): PrefillGraph {
  const { model, method } = options;
  const graph = new Graph();
  const root = rootOf(graph, options, method.hooks);
  const tokens = (name: string) => graph.input(name, "int64", ["B", "S"]);
  const encoded = encode(model, root, { tokenIds: tokens("tokenIds"), attentionMask: tokens("attentionMask") });
  const outputs: Record<string, Value> = {};
  for (let layer = 0; layer < model.config.numDecoderLayers; layer++) {
    const { cross } = cachedNames(layer);
    const { key, value, mask } = model.crossKeys(root, encoded, layer).cross;
    Object.assign(outputs, { [cross.key]: key, [cross.value]: value, [cross.mask]: mask });
  }
  return { outputs, trainable: root.parameters.filter(({ trainable }) => trainable) };
}

/**
 * Feeds: `tokenIds`, `active` `[B, N]` int64, the outputs of `reading`, `past.key.L`, `past.value.L` `[B, N, H, P, K]`
 * (P 0 at first), what is trained, and with `reorders` `sources` `[B, N]` int64: for each text the row, of B·N, whose
 * tokens it goes on from.
 */
export function buildDecodeStep(
  options: GenerationGraphOptions,
  reading: PrefillGraph,
  { reorders }: { readonly reorders: boolean },
): DecodeStepGraph {
  const { model, method, gathered = [] } = options;
  const { numDecoderLayers, numHeads, headDim } = model.config;
  const graph = new Graph();
  const tap = activationTap();
  const root = rootOf(graph, options, compose(method.hooks, tap.hooks, gatheredProjection(gathered)));
  const rows = multiplyDims("B", "N");
  const perText = (name: string) => reshape(graph.input(name, "int64", ["B", "N"]), [rows, 1]);
  const sources = reorders ? reshape(perText("sources"), [rows]) : null;
  const past = (name: string) => {
    const kept = reshape(graph.input(name, "float32", ["B", "N", numHeads, "P", headDim]), [
      rows,
      numHeads,
      "P",
      headDim,
    ]);
    return sources ? gather(kept, sources) : kept;
  };
  let hidden = model.decoderEmbeddings(root, perText("tokenIds"), "P");
  const outputs: Record<string, Value> = {};
  for (let layer = 0; layer < numDecoderLayers; layer++) {
    const names = cachedNames(layer);
    const before = { key: past(names.past.key), value: past(names.past.value) };
    const cross = crossInputs(graph, reading, layer);
    const step = model.decoderBlock(root, hidden, cross, layer, { past: before, copies: "N" });
    hidden = step.hidden;
    const kept = (value: Value) => reshape(value, ["B", "N", ...value.shape.slice(1)]);
    outputs[`next.${names.past.key}`] = kept(step.present.key);
    outputs[`next.${names.past.value}`] = kept(step.present.value);
  }
  const logits = model.head(root, hidden);
  outputs["logits"] = reshape(logits, [rows, logits.shape[2]!]);
  const trainable = root.parameters.filter((spec) => spec.trainable);
  return { outputs, trainable, taps: tap.taps, active: perText("active") };
}

function rootOf(graph: Graph, { method, alsoTrains }: GenerationGraphOptions, hooks: Hooks): Scope {
  return Scope.root(graph, {
    hooks,
    trains: (parameter) => method.trains(parameter) || (alsoTrains?.has(parameter.name) ?? false),
  });
}

/** The reading graph's outputs as inputs; hooks may have given a block more keys than the text has tokens. */
function crossInputs(graph: Graph, { outputs }: PrefillGraph, layer: number): KeyValue {
  const { cross } = cachedNames(layer);
  const open = (dim: Dim) => (typeof dim === "number" || dim === "B" ? dim : `E${layer}`);
  const input = (name: string) => graph.input(name, "float32", outputs[name]!.shape.map(open));
  return { key: input(cross.key), value: input(cross.value), mask: input(cross.mask) };
}
