// Where a T5's MLPs are.
import type { Stack } from "../nn/index.ts";
import type { MlpSite } from "./mlp-sites.ts";
import type { T5Config } from "./t5-config.ts";

/** Every MLP, in the order of the layers, the encoder's first. */
export function t5Mlps({
  numLayers,
  numDecoderLayers,
  isGated,
  mlpSizes,
  intermediateSize,
}: T5Config): readonly MlpSite[] {
  const stackSites = (stack: Stack, layers: number, place: number, before: number) =>
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
