// Bottleneck adapters behind sublayers: Pfeiffer (`seq_bn`) and Houlsby (`double_seq_bn`), as AdapterHub defines them.
import { ConfigError } from "../errors.ts";
import { add } from "../graph/index.ts";
import { activation, linear } from "../nn/index.ts";
import { isHead, type Method } from "./method.ts";

export interface AdapterOptions {
  /** Behind the MLP only (Pfeiffer et al. 2020), or behind attention and MLP (Houlsby et al. 2019). */
  readonly style?: "pfeiffer" | "houlsby";
  /** Hidden size divided by the bottleneck's. */
  readonly reductionFactor?: number;
  /** The bottleneck's nonlinearity; `relu` for Pfeiffer and `swish` for Houlsby by default, as in AdapterHub. */
  readonly nonLinearity?: string;
}

/**
 * Pfeiffer: `h + U · relu(D · LN(x + h))`, so that the sublayer gives `LN(x + h + U · relu(D · LN(x + h)))`.
 * In T5, which normalises before, `x + h + U · relu(D · (x + h))`. Houlsby: `h + U · silu(D · h)` behind self-attention and MLP. Parameters `adapter_down` `[D/f, D]`, `adapter_up` `[D, D/f]` with biases.
 * @throws {ConfigError} when the reduction factor is not a number ≥ 1.
 * @see AdapterHub `adapters` 1.3: `SeqBnConfig` (`original_ln_before`, `residual_before_ln` true), `DoubleSeqBnConfig` (`original_ln_before` false).
 */
export function adapter({
  style = "pfeiffer",
  reductionFactor = 16,
  nonLinearity = style === "pfeiffer" ? "relu" : "swish",
}: AdapterOptions = {}): Method {
  if (!(reductionFactor >= 1)) {
    throw new ConfigError([{ path: "reductionFactor", expected: "a number ≥ 1", got: String(reductionFactor) }]);
  }
  return {
    settings: { kind: "adapter", style, reductionFactor, nonLinearity },
    hooks: {
      sublayer(site, x, h, norm, kind) {
        if (kind === "cross-attention" || (style === "pfeiffer" && kind === "attention")) return h;
        const size = Number(h.shape.at(-1));
        const bottleneck = Math.max(1, Math.floor(size / reductionFactor));
        const input = style === "pfeiffer" ? norm(site.at(() => add(x, h))) : h;
        const init = { kind: "normal", std: 0.02 } as const;
        const down = activation(nonLinearity)(added(site.child("adapter_down"), input, bottleneck, init));
        return site.at(() => add(h, added(site.child("adapter_up"), down, size, init)));
      },
    },
    trains: (name) => isHead(name) || /\.adapter_(down|up)\.(weight|bias)$/.test(name),
    check: () => {},
  };
}

const added = (
  site: Parameters<typeof linear>[0],
  x: Parameters<typeof linear>[1],
  size: number,
  init: { readonly kind: "normal"; readonly std: number },
) => linear(site, x, size, { init });
