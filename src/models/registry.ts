// Models by `model_type`: each as stages, so that one program can hold all of it or be cut at a stage boundary.
import { CheckpointError, type CheckpointIssue, UnsupportedError } from "../errors.ts";
import { reshape, slice, sliceFrom, subtractDims, type Value } from "../graph/index.ts";
import { linear, type Scope } from "../nn/index.ts";
import type { Weights } from "../tensor/index.ts";
import { bertEmbeddings, bertHead } from "./bert.ts";
import { type EncoderConfig, MODEL_TYPES, parseEncoderConfig } from "./config.ts";
import { type EncoderInputs, encoderBlock, type Hidden } from "./encoder.ts";
import type { EncoderDecoderModel } from "./encoder-decoder.ts";
import { robertaEmbeddings, robertaHead } from "./roberta.ts";
import { sanitizeT5, t5Model } from "./t5.ts";
import { unwrapped } from "./wrappers.ts";

/** A model as three stages over a root scope. */
export interface EncoderModel {
  readonly architecture: "encoder";
  readonly config: EncoderConfig;
  embeddings(root: Scope, inputs: EncoderInputs): Hidden;
  /** With `firstOnly` the hidden states of the first position alone, `[B, 1, D]`. */
  block(root: Scope, hidden: Hidden, layer: number, options?: { readonly firstOnly?: boolean }): Hidden;
  /** Logits `[B, C]`. `firstToken` is where the text's first token stands, behind virtual tokens. */
  head(root: Scope, hidden: Hidden, numLabels: number, firstToken?: number): Value;
}

/** A model of any architecture. */
export type Model = EncoderModel | EncoderDecoderModel;
/** What any model's config.json says. */
export type ModelConfig = Model["config"];

const STAGES = {
  bert: { embeddings: bertEmbeddings, head: bertHead },
  roberta: { embeddings: robertaEmbeddings, head: robertaHead },
} as const;

/**
 * The model that a config.json describes, of any architecture; the names of its stored tensors tell a T5's head.
 * Errors as `encoderModel` and `t5Model`.
 * @throws {UnsupportedError} when `model_type` is not one of ours.
 */
export function anyModel(json: unknown, file = "config.json", stored?: Pick<Weights, "has">): Model {
  const type = (json as { readonly model_type?: unknown } | null)?.model_type;
  if (type === "t5") return t5Model(json, file, stored);
  if (MODEL_TYPES.some((known) => known === type)) return encoderModel(json, file);
  throw new UnsupportedError(`${file}: model_type ${JSON.stringify(type)}`, [...MODEL_TYPES, "t5"]);
}

/** The encoder that a config.json describes. Errors as `parseEncoderConfig`. */
export function encoderModel(json: unknown, file?: string): EncoderModel {
  const config = parseEncoderConfig(json, file);
  const stages = STAGES[config.modelType];
  return {
    architecture: "encoder",
    config,
    embeddings: (root, inputs) => stages.embeddings(config, root.child(config.modelType), inputs),
    block: (root, hidden, layer, options) =>
      encoderBlock(config, root.child(`${config.modelType}.encoder.layer.${layer}`), hidden, {
        ...options,
        neurons: config.mlpSizes?.[layer] ?? config.intermediateSize,
      }),
    head: (root, hidden, numLabels, firstToken = 0) => stages.head(config, root, hidden, numLabels, firstToken),
  };
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
  const { numLayers } = model.config;
  let hidden = model.embeddings(root, inputs);
  for (let layer = 0; layer < numLayers; layer++)
    hidden = model.block(root, hidden, layer, { firstOnly: firstOnly && layer === numLayers - 1 });
  return model.head(root, hidden, numLabels);
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
  let hidden = model.embeddings(root, inputs);
  for (let layer = 0; layer < model.config.numLayers; layer++) hidden = model.block(root, hidden, layer);
  const { states } = hidden;
  const scope = root.child("qa_outputs");
  const text = inputs.tokenIds.shape;
  const both = linear(scope, states, 2, { init: { kind: "normal", std: 0.02 } });
  const logits = scope.at(() => sliceFrom(both, 1, subtractDims(states.shape[1]!, text[1]!)));
  const column = (index: number) => scope.at(() => reshape(slice(logits, 2, index, 1), text));
  return { startLogits: column(0), endLogits: column(1) };
}

/** Heads of pretraining and buffers, which a classifier never reads. */
const IGNORED = /(^|\.)(cls|lm_head|position_ids|token_type_ids)(\.|$)/;

/**
 * A checkpoint's tensors under this model's names: wrappers' prefixes left out (`unwrapped`), a missing `bert.` prefix added, `gamma`/`beta` renamed,
 * pretraining heads and buffers left out. RoBERTa's unused pooler goes too. T5: see `sanitizeT5`.
 * @throws {CheckpointError} when two tensors claim one name.
 */
export function sanitize(config: ModelConfig, weights: Weights, file = "checkpoint"): Weights {
  const { weights: plain } = unwrapped(weights, file);
  return config.modelType === "t5" ? sanitizeT5(config, plain) : sanitizeEncoder(config, plain, file);
}

function sanitizeEncoder(config: EncoderConfig, weights: Weights, file: string): Weights {
  const prefix = `${config.modelType}.`;
  const clean = new Map<string, NonNullable<ReturnType<Weights["get"]>>>();
  const issues: CheckpointIssue[] = [];
  for (const [stored, weight] of weights) {
    if (IGNORED.test(stored)) continue;
    let name = stored.replace(/\.gamma$/, ".weight").replace(/\.beta$/, ".bias");
    if (/^(embeddings|encoder|pooler)\./.test(name)) name = prefix + name;
    if (config.modelType === "roberta" && name.startsWith("roberta.pooler.")) continue;
    if (clean.has(name)) issues.push({ name, expected: "one tensor", got: `a second one, stored as ${stored}` });
    clean.set(name, weight);
  }
  if (issues.length > 0) throw new CheckpointError(file, issues);
  return clean;
}
