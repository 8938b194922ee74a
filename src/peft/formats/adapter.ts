// What was trained, in our own names, whatever format it is stored in.
import type { Tensor } from "../../tensor/index.ts";
import type { PeftSelection } from "./peft-targets.ts";

/** Tensors of an adapter by our names. */
export type AdapterTensors = ReadonlyMap<string, Tensor>;

/** An adapter of any method. */
export interface StoredAdapter {
  readonly method: string;
  readonly config: object;
  readonly tensors: AdapterTensors;
}

/**
 * LoRA: `<site>.lora_A.weight` [R, in] and `<site>.lora_B.weight` [out, R]; heads and trained biases under their
 * checkpoint names (`classifier.dense.weight`).
 */
export interface LoraAdapter {
  readonly method: "lora";
  readonly config: LoraAdapterConfig;
  readonly tensors: AdapterTensors;
}

export interface LoraAdapterConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  /** Scale by alpha/√rank in place of alpha/rank. */
  readonly rsLora: boolean;
  readonly bias: "none" | "all" | "lora_only";
  /** Last parts of the adapted sites' names: `query`, `value`; with a `selection` the whole names of the stored ones. */
  readonly targets: readonly string[];
  /** Present when suffixes do not say it all; `selectedSites` applies it to a model. */
  readonly selection?: PeftSelection;
  /** Other ranks and alphas of single sites, by their whole names. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
  /** Modules trained and stored whole: `classifier`. */
  readonly modulesToSave: readonly string[];
  /** As peft spells it: `SEQ_CLS`. */
  readonly taskType: string | null;
  readonly baseModel: string | null;
}

/**
 * A bottleneck adapter: `<site>.adapter_down.{weight [D/reduction, D], bias}` and
 * `<site>.adapter_up.{weight [D, D/reduction], bias}`, the site being `….output` (Pfeiffer), and for Houlsby
 * `….attention.output` too; heads under their checkpoint names.
 */
export interface BottleneckAdapter {
  readonly method: "adapter";
  readonly config: BottleneckAdapterConfig;
  readonly tensors: AdapterTensors;
}

export interface BottleneckAdapterConfig {
  readonly placement: "pfeiffer" | "houlsby";
  readonly reductionFactor: number;
  /** As AdapterHub spells it: `relu`, `swish`, `gelu`. */
  readonly nonLinearity: string;
  readonly scaling: number;
  readonly dropout: number;
  readonly originalLnBefore: boolean;
  readonly originalLnAfter: boolean;
  readonly residualBeforeLn: boolean;
  /** The adapter's name inside its tensors' names. */
  readonly name: string;
  readonly hiddenSize: number;
  readonly modelType: string;
  readonly modelClass: string;
  readonly baseModel: string | null;
  /** Class names in the order of logits; null when no head is stored. */
  readonly labels: readonly string[] | null;
}

/**
 * A prompt, `prompt_embeddings` `[P, D]`, or a prefix, `prompt_embeddings` `[P, L · 2 · D]`: keys and values of each layer in
 * turn (`prefixTensors`); heads under their checkpoint names.
 */
export type VirtualTokenAdapter = PromptAdapter | PrefixAdapter;

export interface PromptAdapter {
  readonly method: "prompt";
  readonly config: VirtualTokenConfig;
  readonly tensors: AdapterTensors;
}

export interface PrefixAdapter {
  readonly method: "prefix";
  readonly config: VirtualTokenConfig;
  readonly tensors: AdapterTensors;
}

export interface VirtualTokenConfig {
  readonly virtualTokens: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Modules trained and stored whole: `classifier`. */
  readonly modulesToSave: readonly string[];
  /** As peft spells it: `SEQ_CLS`. */
  readonly taskType: string | null;
  readonly baseModel: string | null;
}
