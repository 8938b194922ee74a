// Zeros of a pruned base that stay zeros while the weight itself is trained.
import { equal, isOp, type Value, where } from "../../graph/index.ts";
import type { Hooks } from "../../nn/index.ts";

/**
 * A hook through which trained weights of blocks are read: exact zeros get no gradient, so AdamW, whose moments and decay are zero
 * there too, leaves them as they are.
 */
export function keepZeros(): Hooks {
  return {
    weight: (site, stored) =>
      isTrainable(stored) && site.part?.kind === "block"
        ? site.at(() => where(equal(stored, 0), site.graph.scalar(0), stored))
        : stored,
  };
}

const isTrainable = ({ node }: Value): boolean => isOp(node, "parameter") && node.attributes.trainable;
