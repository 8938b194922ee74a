// What is known of a model type besides its computation: how transformers calls it, and which layers methods take by themselves.

/** Linear layers that a method takes where none were chosen, as peft's mappings by model type say. */
export interface UsualTargets {
  readonly lora: readonly string[];
  readonly ia3: { readonly targets: readonly string[]; readonly feedforward: readonly string[] };
}

/** Keys of config.json that every model type has in some spelling. */
export interface ConfigKeys {
  /** Width of the hidden states. */
  readonly hiddenSize: string;
  /** Neurons of an MLP. */
  readonly intermediateSize: string;
}

/** Keys of an encoder's config.json. */
export interface EncoderKeys extends ConfigKeys {
  readonly numLayers: string;
  readonly numHeads: string;
  readonly hiddenAct: string;
  readonly hiddenDropout: string;
  readonly attentionDropout: string;
}

/** How the tensors of a model type are called. */
export interface TensorNames {
  /** What stands before the names of all of the model but its heads: `bert` of `bert.encoder…`; null: nothing. */
  readonly prefix: string | null;
  /** First parts of the names behind the prefix: what a checkpoint of the bare model begins with. */
  readonly parts: readonly string[];
  /** The table of the vocabulary, behind the prefix. */
  readonly table: string;
  /** The layer between the encoder and its heads, which is frozen where the checkpoint has it; null: there is none. */
  readonly pooler: string | null;
  /** Beginnings of names of tensors that no head of a task reads, such as heads of pretraining. */
  readonly unread: readonly string[];
}

/** Keys of config.json, true where MLPs have biases. */
export interface MlpBiases {
  /** The output has one. */
  readonly output: string;
  /** What the activation reads has one; the same key where there are both or none. */
  readonly input: string;
  /** The keys are ours: no other library has a place for such biases. */
  readonly isOwn: boolean;
}

/** Facts of one model type. */
export interface ModelFacts {
  /** `model_type` of its config.json. */
  readonly modelType: string;
  /** What the names of transformers' classes begin with: `Bert` of `BertForSequenceClassification`. */
  readonly classPrefix: string;
  readonly names: TensorNames;
  readonly keys: ConfigKeys;
  /** What of config.json says that its MLPs have another activation, by transformers' name of it. */
  readonly withActivation: (
    config: Readonly<Record<string, unknown>>,
    name: string,
  ) => Readonly<Record<string, unknown>>;
  /** How config.json says that MLPs have biases; null: they always have them, or have no place for them. */
  readonly mlpBiases: MlpBiases | null;
  readonly usualTargets: UsualTargets;
  /** Last parts of linear layers that transformers keeps in float32 (`_keep_in_fp32_modules`). */
  readonly float32Layers: readonly string[];
}

/** Of encoders that are configured as BERT is. */
export const ENCODER_KEYS: EncoderKeys = {
  hiddenSize: "hidden_size",
  intermediateSize: "intermediate_size",
  numLayers: "num_hidden_layers",
  numHeads: "num_attention_heads",
  hiddenAct: "hidden_act",
  hiddenDropout: "hidden_dropout_prob",
  attentionDropout: "attention_probs_dropout_prob",
};

/** Of encoders whose tensors are called as BERT's; each has a prefix of its own. */
export const ENCODER_NAMES = {
  parts: ["embeddings", "encoder", "pooler"],
  table: "embeddings.word_embeddings",
  pooler: null,
  unread: [],
} as const satisfies Omit<TensorNames, "prefix">;

/** Of encoders that are configured as BERT is. */
export const encoderActivation = (_config: unknown, name: string) => ({ hidden_act: name });

/** Of encoders whose layers are called as BERT's. */
export const ENCODER_TARGETS: UsualTargets = {
  lora: ["query", "value"],
  ia3: { targets: ["key", "value", "output.dense"], feedforward: ["output.dense"] },
};
