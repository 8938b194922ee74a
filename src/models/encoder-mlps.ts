// Where an encoder's MLPs are.
import type { EncoderConfig } from "./config.ts";
import type { MlpSite } from "./mlp-sites.ts";

/** Every MLP of an encoder, in the order of its layers. */
export function encoderMlps({ modelType, numLayers, mlpSizes, intermediateSize }: EncoderConfig): readonly MlpSite[] {
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
