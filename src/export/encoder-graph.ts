// An encoder's graph for inference alone: everything frozen, and the last block only where the head reads.
import { Graph, mul, type Value } from "../graph/index.ts";
import type { EncoderInputs, EncoderModel } from "../models/index.ts";
import { compose, type Hooks, none, Scope } from "../nn/index.ts";
import { type HeadKind, readingHead } from "../tasks/index.ts";

/** An encoder that is only run: what its graph is made of besides weights. */
export interface InferenceModel {
  readonly model: EncoderModel;
  readonly head: HeadKind;
  /** Middleware that no merge can replace: bottleneck adapters, virtual tokens. */
  readonly hooks?: Hooks;
}

export interface InferenceGraph {
  readonly graph: Graph;
  readonly inputs: EncoderInputs;
  /** The head's, as transformers names them: `logits` `[B, C]`, or `start_logits` and `end_logits` `[B, S]`. */
  readonly outputs: Readonly<Record<string, Value>>;
}

export interface InferenceOptions {
  /** Middleware for measuring. */
  readonly hooks?: Hooks;
  /** Compute the last block at the first position only; not where its activations are measured. */
  readonly firstOnly?: boolean;
}

/** Names of the inputs, as transformers' tokenizers name what they give. */
export const INPUT_NAMES = ["input_ids", "attention_mask", "token_type_ids"] as const;

/** The forward pass; feeds are `INPUT_NAMES`, `[batch_size, sequence_length]` int64. */
export function inferenceGraph(
  { model, head, hooks = none }: InferenceModel,
  { hooks: measuring = none, firstOnly = true }: InferenceOptions = {},
): InferenceGraph {
  const graph = new Graph();
  const [tokenIds, attentionMask, typeIds] = INPUT_NAMES.map((name) =>
    graph.input(name, "int64", ["batch_size", "sequence_length"]),
  ) as [Value, Value, Value];
  // a model of one segment is fed none: its only row is looked up at 0
  const segments = model.config.typeVocabSize > 1 ? typeIds : mul(tokenIds, 0);
  const inputs = { tokenIds, attentionMask, typeIds: segments };
  const root = Scope.root(graph, { hooks: compose(hooks, measuring), frozen: true });
  const record = readingHead(head);
  const outputs = Object.entries(record.outputs(model, root, inputs, { head, firstOnly }));
  return { graph, inputs, outputs: Object.fromEntries(outputs.map(([name, of]) => [record.exportNames[name]!, of])) };
}
