// An encoder as stages, so that one program can hold all of it or be cut at a stage boundary.
import { reshape, slice, sliceFrom, subtractDims, type Value } from "../graph/index.ts";
import { dropout, linear, type Scope } from "../nn/index.ts";
import type { EncoderConfig } from "./config.ts";
import { type EncoderInputs, encoderBlock, type Hidden } from "./encoder.ts";
import { encoderMlps } from "./encoder-mlps.ts";
import type { MlpSite } from "./mlp-sites.ts";
import type { ModelFacts } from "./model-facts.ts";

/** A model as three stages over a root scope. */
export interface EncoderModel {
  readonly architecture: "encoder";
  /** It gives logits, and no texts. */
  readonly writes: false;
  readonly facts: ModelFacts;
  readonly mlps: readonly MlpSite[];
  readonly config: EncoderConfig;
  embeddings(root: Scope, inputs: EncoderInputs): Hidden;
  /** With `firstOnly` the hidden states of the first position alone, `[B, 1, D]`. */
  block(root: Scope, hidden: Hidden, layer: number, options?: { readonly firstOnly?: boolean }): Hidden;
  /** Logits `[B, C]`. `firstToken` is where the text's first token stands, behind virtual tokens. */
  head(root: Scope, hidden: Hidden, numLabels: number, firstToken?: number): Value;
}

/** What encoders of one type have of their own. */
export interface EncoderStages {
  /** `scope` stands at the model's own name. */
  readonly embeddings: (config: EncoderConfig, scope: Scope, inputs: EncoderInputs) => Hidden;
  readonly head: (config: EncoderConfig, root: Scope, hidden: Hidden, numLabels: number, firstToken: number) => Value;
}

/** An encoder of BERT's shape in stages. */
export function encoderOfStages(config: EncoderConfig, facts: ModelFacts, stages: EncoderStages): EncoderModel {
  const mlps = encoderMlps(config);
  return {
    architecture: "encoder",
    writes: false,
    facts,
    config,
    mlps,
    embeddings: (root, inputs) => stages.embeddings(config, root.child(config.modelType), inputs),
    block: (root, hidden, layer, options) =>
      encoderBlock(config, root.block(`${config.modelType}.encoder.layer.${layer}`, "encoder", layer), hidden, {
        ...options,
        neurons: mlps[layer]!.neurons,
      }),
    head: (root, hidden, numLabels, firstToken = 0) => stages.head(config, root, hidden, numLabels, firstToken),
  };
}

/** Embeddings and blocks in a row; with `firstOnly` the last block computes the first position alone. */
export function encoderStates(model: EncoderModel, root: Scope, inputs: EncoderInputs, firstOnly = false): Hidden {
  const { numLayers } = model.config;
  let hidden = model.embeddings(root, inputs);
  for (let layer = 0; layer < numLayers; layer++)
    hidden = model.block(root, hidden, layer, { firstOnly: firstOnly && layer === numLayers - 1 });
  return hidden;
}

/**
 * All stages in a row: logits `[B, C]`. With `firstOnly` the last block computes the one position that the head reads:
 * the same logits for less work, for inference that looks at nothing else.
 */
export function encoderLogits(
  model: EncoderModel,
  root: Scope,
  inputs: EncoderInputs,
  numLabels: number,
  { firstOnly = false }: { readonly firstOnly?: boolean } = {},
): Value {
  return model.head(root, encoderStates(model, root, inputs, firstOnly), numLabels);
}

/** A linear layer over the states of every position. */
export interface TokenHead {
  /** Path of the layer. */
  readonly name: string;
  /** Logits of a position. */
  readonly width: number;
  /** Of the states before it, while training. */
  readonly dropoutRate: number;
}

/**
 * Logits of every text position, `[B, S, width]`; virtual tokens before the text are left out.
 * @see transformers `BertForTokenClassification`, `RobertaForTokenClassification`
 */
export function encoderTokenLogits(
  model: EncoderModel,
  root: Scope,
  inputs: EncoderInputs,
  { name, width, dropoutRate }: TokenHead,
): Value {
  const { states } = encoderStates(model, root, inputs);
  const scope = root.head(name);
  const read = dropoutRate === 0 ? states : dropout(scope, states, dropoutRate);
  const all = linear(scope, read, width, { init: { kind: "normal", std: 0.02 } });
  return scope.at(() => sliceFrom(all, 1, subtractDims(states.shape[1]!, inputs.tokenIds.shape[1]!)));
}

/**
 * Start and end logits of an answer at every text position, `[B, S]` each; virtual tokens before the text are left out.
 * @see transformers `BertForQuestionAnswering`, `RobertaForQuestionAnswering`
 */
export function encoderSpans(
  model: EncoderModel,
  root: Scope,
  inputs: EncoderInputs,
): { readonly startLogits: Value; readonly endLogits: Value } {
  const logits = encoderTokenLogits(model, root, inputs, { name: "qa_outputs", width: 2, dropoutRate: 0 });
  const scope = root.head("qa_outputs");
  const text = inputs.tokenIds.shape;
  const column = (index: number) => scope.at(() => reshape(slice(logits, 2, index, 1), text));
  return { startLogits: column(0), endLogits: column(1) };
}
