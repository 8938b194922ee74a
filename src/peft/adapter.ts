// Bottleneck adapters behind sublayers: Pfeiffer (`seq_bn`) and Houlsby (`double_seq_bn`), as AdapterHub defines them.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { add } from "../graph/index.ts";
import { activation, linear } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { BottleneckAdapter, BottleneckAdapterConfig } from "./formats/adapter.ts";
import { fromAdapterHub, toAdapterHub } from "./formats/adapterhub-format.ts";
import { isHead, type Method } from "./method.ts";
import { type AdapterFormat, type MethodRecord, type OptionRows, option } from "./record.ts";

export interface AdapterOptions {
  /** Behind the MLP only (Pfeiffer et al. 2020), or behind attention and MLP (Houlsby et al. 2019). */
  readonly style?: "pfeiffer" | "houlsby";
  /** Hidden size divided by the bottleneck's. */
  readonly reductionFactor?: number;
  /** The bottleneck's nonlinearity; `relu` for Pfeiffer and `swish` for Houlsby by default, as in AdapterHub. */
  readonly nonLinearity?: string;
}

/** Settings of a bottleneck adapter as stored. */
export interface AdapterSettings {
  readonly kind: "adapter";
  readonly style: "pfeiffer" | "houlsby";
  readonly reductionFactor: number;
  readonly nonLinearity: string;
}

const OPTIONS = {
  "adapter-kind": option<AdapterSettings["style"]>("pfeiffer"),
  "reduction-factor": option<number>(16),
} as const satisfies OptionRows;

/**
 * Pfeiffer: `h + U · relu(D · LN(x + h))`, so that the sublayer gives `LN(x + h + U · relu(D · LN(x + h)))`.
 * In T5, which normalises before, `x + h + U · relu(D · (x + h))`. Houlsby: `h + U · silu(D · h)` behind self-attention and MLP. Parameters `adapter_down` `[D/f, D]`, `adapter_up` `[D, D/f]` with biases.
 * @throws {ConfigError} when the reduction factor is not a number ≥ 1.
 * @see AdapterHub `adapters` 1.3: `SeqBnConfig` (`original_ln_before`, `residual_before_ln` true), `DoubleSeqBnConfig` (`original_ln_before` false).
 */
export function adapter({
  style = OPTIONS["adapter-kind"].default,
  reductionFactor = OPTIONS["reduction-factor"].default,
  nonLinearity = style === "pfeiffer" ? "relu" : "swish",
}: AdapterOptions = {}): Method<AdapterSettings> {
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
    trains: (parameter) => isHead(parameter) || /\.adapter_(down|up)\.(weight|bias)$/.test(parameter.name),
    check: () => {},
  };
}

const added = (
  site: Parameters<typeof linear>[0],
  x: Parameters<typeof linear>[1],
  size: number,
  init: { readonly kind: "normal"; readonly std: number },
) => linear(site, x, size, { init });

/** What an adapter's style computes, in AdapterHub's settings. */
const COMPUTED = {
  pfeiffer: { scaling: 1, originalLnBefore: true, originalLnAfter: true, residualBeforeLn: true },
  houlsby: { scaling: 1, originalLnBefore: false, originalLnAfter: true, residualBeforeLn: true },
} as const satisfies Record<string, Partial<BottleneckAdapterConfig>>;

const SPELLING = {
  scaling: "scaling",
  originalLnBefore: "original_ln_before",
  originalLnAfter: "original_ln_after",
  residualBeforeLn: "residual_before_ln",
} as const;

const FORMAT: AdapterFormat<AdapterSettings, BottleneckAdapter> = {
  library: "adapters",
  peftTypes: [],
  toAdapter: (
    { style, reductionFactor, nonLinearity },
    tensors,
    { model, modelType, modelClass, hiddenSize, labels },
  ) => ({
    method: "adapter",
    config: {
      placement: style,
      reductionFactor,
      nonLinearity,
      ...COMPUTED[style],
      dropout: 0,
      name: "deft",
      hiddenSize,
      modelType,
      modelClass,
      baseModel: model,
      labels: [...labels],
    },
    tensors,
  }),
  toFiles: toAdapterHub,
  fromFiles: ({ head = null, ...files }, configFile, misfits) =>
    fromAdapterHub({ ...files, head }, configFile, misfits),
  settingsOf: ({ config }, _, folder) => {
    const { placement, reductionFactor, nonLinearity } = config;
    const issues: ConfigIssue[] = [];
    for (const [key, value] of Object.entries(COMPUTED[placement]) as [keyof typeof SPELLING, number | boolean][]) {
      const got = config[key];
      if (got === value) continue;
      const style = placement === "pfeiffer" ? "seq_bn" : "double_seq_bn";
      issues.push({ path: `${folder}, ${SPELLING[key]}`, expected: `${value}, as ${style} has it`, got: String(got) });
    }
    if (issues.length > 0)
      throw new ConfigError(issues, { hint: "These settings change what the adapter computes and are not supported." });
    return { kind: "adapter", style: placement, reductionFactor, nonLinearity };
  },
  labelsOf: ({ config }) => config.labels,
};

/**
 * An adapter of the MLP's output alone, `h + U·act(D·h + d) + u` (Houlsby's), takes a gate g in as `D/g`, `g·U`, `g·u` behind `g·h`. One
 * that reads the sum with the residual (Pfeiffer's) cannot: its gates stay.
 */
function behindGates(
  { style }: AdapterSettings,
  tensors: ReadonlyMap<string, Tensor>,
  gates: ReadonlyMap<string, number>,
): Map<string, Tensor> | null {
  if (style === "pfeiffer") return null;
  const scaled = new Map(tensors);
  const scale = (name: string, factor: number) => {
    const stored = scaled.get(name);
    if (stored) scaled.set(name, { ...stored, data: (stored.data as Float32Array).map((value) => value * factor) });
  };
  for (const [sublayer, gate] of gates) {
    scale(`${sublayer}.adapter_down.weight`, 1 / gate);
    scale(`${sublayer}.adapter_up.weight`, gate);
    scale(`${sublayer}.adapter_up.bias`, gate);
  }
  return scaled;
}

/** Bottleneck adapters. */
export const ADAPTER = {
  kind: "adapter",
  title: "Adapter",
  maker: "adapter()",
  options: OPTIONS,
  adds: /\.adapter_(down|up)\./,
  settingsFrom: (values) =>
    adapter({ style: values["adapter-kind"], reductionFactor: values["reduction-factor"] }).settings,
  valuesOf: ({ style, reductionFactor }) => ({ "adapter-kind": style, "reduction-factor": reductionFactor }),
  build: (settings) => adapter(settings),
  behindGates,
  format: FORMAT,
} as const satisfies MethodRecord<AdapterSettings, typeof OPTIONS, BottleneckAdapter>;
