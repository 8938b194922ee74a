// Models by `model_type`: each as stages, so that one program can hold all of it or be cut at a stage boundary.
import { CheckpointError, type CheckpointIssue } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import type { Scope } from "../nn/index.ts";
import type { Weights } from "../tensor/index.ts";
import { bertEmbeddings, bertHead } from "./bert.ts";
import { type EncoderConfig, parseEncoderConfig } from "./config.ts";
import { type EncoderInputs, encoderBlock, type Hidden } from "./encoder.ts";
import { robertaEmbeddings, robertaHead } from "./roberta.ts";

/** A model as three stages over a root scope. */
export interface EncoderModel {
  readonly config: EncoderConfig;
  embeddings(root: Scope, inputs: EncoderInputs): Hidden;
  /** With `firstOnly` the hidden states of the first position alone, `[B, 1, D]`. */
  block(root: Scope, hidden: Hidden, layer: number, options?: { readonly firstOnly?: boolean }): Hidden;
  /** Logits `[B, C]`. `firstToken` is where the text's first token stands, behind virtual tokens. */
  head(root: Scope, hidden: Hidden, numLabels: number, firstToken?: number): Value;
}

const STAGES = {
  bert: { embeddings: bertEmbeddings, head: bertHead },
  roberta: { embeddings: robertaEmbeddings, head: robertaHead },
} as const;

/** The model that a config.json describes. Errors as `parseEncoderConfig`. */
export function encoderModel(json: unknown, file?: string): EncoderModel {
  const config = parseEncoderConfig(json, file);
  const stages = STAGES[config.modelType];
  return {
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

/** Heads of pretraining and buffers, which a classifier never reads. */
const IGNORED = /(^|\.)(cls|lm_head|position_ids|token_type_ids)(\.|$)/;

/**
 * A checkpoint's tensors under this model's names: a missing `bert.` prefix added, `gamma`/`beta` renamed,
 * pretraining heads and buffers left out. RoBERTa's unused pooler goes too.
 * @throws {CheckpointError} when two tensors claim one name.
 */
export function sanitize(config: EncoderConfig, weights: Weights, file = "checkpoint"): Weights {
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
