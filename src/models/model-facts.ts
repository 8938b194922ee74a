// What is known of a model type besides its computation: how transformers calls it, and which layers methods take by themselves.

/** Linear layers that a method takes where none were chosen, as peft's mappings by model type say. */
export interface UsualTargets {
  readonly lora: readonly string[];
  readonly ia3: { readonly targets: readonly string[]; readonly feedforward: readonly string[] };
}

/** Facts of one model type. */
export interface ModelFacts {
  /** `model_type` of its config.json. */
  readonly modelType: string;
  /** What the names of transformers' classes begin with: `Bert` of `BertForSequenceClassification`. */
  readonly classPrefix: string;
  /** Keys of config.json. */
  readonly keys: {
    /** Width of the hidden states. */
    readonly hiddenSize: string;
    /** Neurons of an MLP. */
    readonly intermediateSize: string;
  };
  /** What of config.json says that its MLPs have another activation, by transformers' name of it. */
  readonly withActivation: (
    config: Readonly<Record<string, unknown>>,
    name: string,
  ) => Readonly<Record<string, unknown>>;
  readonly usualTargets: UsualTargets;
  /** Last parts of linear layers that transformers keeps in float32 (`_keep_in_fp32_modules`). */
  readonly float32Layers: readonly string[];
}

/** Of encoders that are configured as BERT is. */
export const ENCODER_KEYS = { hiddenSize: "hidden_size", intermediateSize: "intermediate_size" } as const;

/** Of encoders that are configured as BERT is. */
export const encoderActivation = (_config: unknown, name: string) => ({ hidden_act: name });

/** Of encoders whose layers are called as BERT's. */
export const ENCODER_TARGETS: UsualTargets = {
  lora: ["query", "value"],
  ia3: { targets: ["key", "value", "output.dense"], feedforward: ["output.dense"] },
};
