// Where a model's MLPs are: the sites and weights that removing neurons or whole MLPs touches.
import type { EncoderModel, Model } from "./registry.ts";
import type { T5Config } from "./t5-config.ts";

/** One MLP of a model by the paths of its parts. */
export interface MlpSite {
  readonly stack: "encoder" | "decoder";
  /** Number of the layer in its stack. */
  readonly layer: number;
  /** Where hooks see the activations, `[B, S, F]`. */
  readonly activation: string;
  /** Where hooks see the sublayer's output. */
  readonly sublayer: string;
  /** Linear layers with a row for each neuron, `[F, D]`, and where they have one a bias `[F]`; when gated the factor's is second. */
  readonly into: readonly string[];
  /** The linear layer with a column for each neuron, `[D, F]`. */
  readonly out: string;
  /** The norm whose output the MLP reads. */
  readonly norm: string;
  /** The norm's output is also the residual, and nothing else reads it: a constant output of the MLP fits into its bias. */
  readonly isPostNorm: boolean;
  /** Neurons now; 0: removed. */
  readonly neurons: number;
}

/** Every MLP of a model, in the order of its layers, the encoder's first. */
export function mlpSites(model: Model): MlpSite[] {
  return model.architecture === "encoder" ? encoderSites(model) : t5Sites(model.config);
}

function t5Sites({ numLayers, numDecoderLayers, isGated, mlpSizes, intermediateSize }: T5Config): MlpSite[] {
  const stackSites = (stack: "encoder" | "decoder", layers: number, place: number, before: number) =>
    Array.from({ length: layers }, (_, layer): MlpSite => {
      const sublayer = `${stack}.block.${layer}.layer.${place}`;
      const activation = `${sublayer}.DenseReluDense`;
      return {
        stack,
        layer,
        activation,
        sublayer,
        into: (isGated ? ["wi_0", "wi_1"] : ["wi"]).map((name) => `${activation}.${name}`),
        out: `${activation}.wo`,
        norm: `${sublayer}.layer_norm`,
        isPostNorm: false,
        neurons: mlpSizes?.[before + layer] ?? intermediateSize,
      };
    });
  return [...stackSites("encoder", numLayers, 1, 0), ...stackSites("decoder", numDecoderLayers, 2, numLayers)];
}

function encoderSites({ config }: EncoderModel): MlpSite[] {
  const { modelType, numLayers, mlpSizes, intermediateSize } = config;
  return Array.from({ length: numLayers }, (_, layer) => {
    const block = `${modelType}.encoder.layer.${layer}`;
    return {
      stack: "encoder",
      layer,
      activation: `${block}.intermediate`,
      sublayer: `${block}.output`,
      into: [`${block}.intermediate.dense`],
      out: `${block}.output.dense`,
      norm: `${block}.attention.output.LayerNorm`,
      isPostNorm: true,
      neurons: mlpSizes?.[layer] ?? intermediateSize,
    };
  });
}
