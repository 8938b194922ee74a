// Mask-safe LoRA: the update only where the base is not zero, so that merging brings no zero back.
import { add, equal, matmul, reshape, type Value, where } from "../graph/index.ts";
import { dropoutMask, flattenRows, type Hooks, type Site } from "../nn/index.ts";

/** The matrices of one site's update, `scale · up · down`: up `[out, R]`, down `[R, in]`. */
export interface SiteUpdate {
  readonly up: Value;
  readonly down: Value;
  readonly scale: number;
}

/**
 * `x · (W + M ⊙ scale·B·A)ᵀ` with M = 1 where W ≠ 0, in one product over the changed weight. With dropout on the update's input,
 * while training, it is `y + dropout(x) · (M ⊙ scale·B·A)ᵀ`: a second product of the layer's full size.
 * @see Munoz et al. 2024, "SQFT: Low-cost Model Adaptation in Low-precision Sparse Foundation Models", SparsePEFT.
 */
export function maskSafeHooks(
  updateOf: (site: Site, outFeatures: number, inFeatures: number) => SiteUpdate | null,
  dropoutRate: number,
): Pick<Hooks, "weight" | "linear"> {
  // a layer's weight hook is called right before its linear hook
  const updates = new Map<string, Value>();
  const drops = (site: Site) => site.noise !== undefined && dropoutRate > 0;
  return {
    weight(site, stored, of) {
      // a table of rows has no mask-safe form
      const update = of === "linear" ? updateOf(site, Number(stored.shape[0]), Number(stored.shape[1])) : null;
      if (update === null) return stored;
      const full = matmul(update.up, update.down, { alpha: update.scale });
      const masked = where(equal(stored, 0), 0, full);
      if (!drops(site)) return add(stored, masked);
      updates.set(site.path, masked);
      return stored;
    },
    linear(site, x, y) {
      const update = updates.get(site.path);
      if (update === undefined) return y;
      updates.delete(site.path);
      const { masked, scale } = dropoutMask(site, x, dropoutRate, "lora_dropout");
      return add(y, reshape(matmul(flattenRows(masked), update, { transB: true, alpha: scale }), y.shape));
    },
  };
}
