// An encoder as stages, so that one program can hold all of it or be cut at a stage boundary.
import { reshape, slice, sliceFrom, subtractDims, type Value } from "../graph/index.ts";
import { dropout, linear, type Scope } from "../nn/index.ts";
import { type EncoderConfig, type EncoderDefaults, parseEncoderConfig } from "./config.ts";
import { type EncoderInputs, encoderBlock, type Hidden } from "./encoder.ts";
import { type BlockNames, encoderMlps } from "./encoder-blocks.ts";
import { sanitizer } from "./encoder-tensors.ts";
import type { MlpSite } from "./mlp-sites.ts";
import type { ModelFacts } from "./model-facts.ts";

/** A model as stages over a root scope. */
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
  /** The layer that gives logits of each token. */
  tokenHead(root: Scope, hidden: Hidden, of: TokenHead): TokenLogits;
}

/** What a head over each token tells: a class of it, or whether an answer starts or ends there. */
export interface TokenHead {
  readonly kind: "classes" | "span";
  /** Logits of a token. */
  readonly width: number;
}

/** Logits of every position, virtual tokens' too, and the site that they were made at. */
export interface TokenLogits {
  /** `[B, P + S, width]` */
  readonly logits: Value;
  readonly scope: Scope;
}

/** What encoders of one type have of their own. */
export interface EncoderStages {
  readonly blocks: BlockNames;
  /** `scope` stands at the model's own name. */
  readonly embeddings: (config: EncoderConfig, scope: Scope, inputs: EncoderInputs) => Hidden;
  readonly head: (config: EncoderConfig, root: Scope, hidden: Hidden, numLabels: number, firstToken: number) => Value;
}

/** A type of encoders of BERT's shape: how its config.json and tensors are read, and its stages. */
export function encoderType<Own extends object>(
  facts: ModelFacts,
  defaults: EncoderDefaults<Own>,
  stages: EncoderStages,
) {
  return {
    facts,
    open: (json: unknown, file = "config.json"): EncoderModel =>
      encoderOfStages(parseEncoderConfig(json, file, defaults), facts, stages),
    sanitize: sanitizer(facts),
  };
}

function encoderOfStages(config: EncoderConfig, facts: ModelFacts, stages: EncoderStages): EncoderModel {
  const { prefix } = facts.names;
  const stack = `${prefix}.${stages.blocks.stack}`;
  const mlps = encoderMlps(config, stack, stages.blocks);
  return {
    architecture: "encoder",
    writes: false,
    facts,
    config,
    mlps,
    embeddings: (root, inputs) => stages.embeddings(config, root.child(`${prefix}`), inputs),
    block: (root, hidden, layer, options) =>
      encoderBlock(config, stages.blocks, root.block(`${stack}.${layer}`, "encoder", layer), hidden, {
        ...options,
        neurons: mlps[layer]!.neurons,
      }),
    head: (root, hidden, numLabels, firstToken = 0) => stages.head(config, root, hidden, numLabels, firstToken),
    tokenHead: (root, hidden, of) => linearTokenHead(config, root, hidden, of),
  };
}

/**
 * One linear layer over the states of every position, behind dropout.
 * @see transformers `BertForTokenClassification`, `BertForQuestionAnswering`, and their kin
 */
function linearTokenHead(
  { headDropout }: EncoderConfig,
  root: Scope,
  { states }: Hidden,
  { kind, width }: TokenHead,
): TokenLogits {
  const scope = root.head(kind === "span" ? "qa_outputs" : "classifier");
  const read = dropout(scope, states, kind === "span" ? headDropout.span : headDropout.tokens);
  return { logits: linear(scope, read, width, { init: { kind: "normal", std: 0.02 } }), scope };
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
  return model.head(root, encoderStates(model, root, inputs, firstOnly && model.config.pooling === "first"), numLabels);
}

/** Logits of every text position, `[B, S, width]`; virtual tokens before the text are left out. */
export function encoderTokenLogits(model: EncoderModel, root: Scope, inputs: EncoderInputs, of: TokenHead): Value {
  return textLogits(model, root, inputs, of).logits;
}

function textLogits(model: EncoderModel, root: Scope, inputs: EncoderInputs, of: TokenHead): TokenLogits {
  const hidden = encoderStates(model, root, inputs);
  const { logits: all, scope } = model.tokenHead(root, hidden, of);
  const before = subtractDims(all.shape[1]!, inputs.tokenIds.shape[1]!);
  return { scope, logits: scope.at(() => sliceFrom(all, 1, before)) };
}

/** Start and end logits of an answer at every text position, `[B, S]` each; virtual tokens before the text are left out. */
export function encoderSpans(
  model: EncoderModel,
  root: Scope,
  inputs: EncoderInputs,
): { readonly startLogits: Value; readonly endLogits: Value } {
  const { logits, scope } = textLogits(model, root, inputs, { kind: "span", width: 2 });
  const text = inputs.tokenIds.shape;
  const column = (index: number) => scope.at(() => reshape(slice(logits, 2, index, 1), text));
  return { startLogits: column(0), endLogits: column(1) };
}
