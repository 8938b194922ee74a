// How the parts of an encoder's blocks are called, by model type, and where that puts its MLPs.
import type { EncoderConfig } from "./config.ts";
import type { MlpSite } from "./mlp-sites.ts";

/** Paths of an attention's parts below its block. */
export interface AttentionNames {
  /** Where hooks see keys and values. */
  readonly site: string;
  readonly query: string;
  readonly key: string;
  readonly value: string;
  /** The linear layer behind the heads. */
  readonly out: string;
  /** Where hooks see what the sublayer gives. */
  readonly sublayer: string;
  /** The norm of its sum with the residual. */
  readonly norm: string;
}

/** Paths of an MLP's parts below its block. */
export interface MlpNames {
  /** Where hooks see the activations. */
  readonly site: string;
  readonly into: string;
  readonly out: string;
  readonly sublayer: string;
  readonly norm: string;
}

/** What the blocks of one type of encoder are called. */
export interface BlockNames {
  /** The stack of blocks, behind the model's own name; a number follows. */
  readonly stack: string;
  readonly attention: AttentionNames;
  readonly mlp: MlpNames;
}

/** As in BERT. */
export const BERT_MLP: MlpNames = {
  site: "intermediate",
  into: "intermediate.dense",
  out: "output.dense",
  sublayer: "output",
  norm: "output.LayerNorm",
};

/** As in BERT. */
export const BERT_BLOCKS: BlockNames = {
  stack: "encoder.layer",
  attention: {
    site: "attention.self",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    out: "attention.output.dense",
    sublayer: "attention.output",
    norm: "attention.output.LayerNorm",
  },
  mlp: BERT_MLP,
};

/** Every MLP of a post-norm encoder, in the order of its layers; `stack` is the whole path of its blocks. */
export function encoderMlps(
  { numLayers, mlpSizes, intermediateSize }: EncoderConfig,
  stack: string,
  { attention, mlp }: BlockNames,
): readonly MlpSite[] {
  return Array.from({ length: numLayers }, (_, layer) => {
    const at = (path: string) => `${stack}.${layer}.${path}`;
    return {
      stack: "encoder",
      layer,
      activation: at(mlp.site),
      sublayer: at(mlp.sublayer),
      into: [at(mlp.into)],
      out: at(mlp.out),
      norm: at(attention.norm),
      isPostNorm: true,
      neurons: mlpSizes?.[layer] ?? intermediateSize,
    };
  });
}
