// A method with its tensors as an adapter of a public format, and such an adapter as a method.
import { ConfigError, type ConfigIssue } from "../errors.ts";
import {
  type Adapter,
  type BottleneckAdapterConfig,
  isHead,
  type MethodSettings,
  prefix,
  prompt,
  selectedSites,
} from "../peft/index.ts";
import { type HeadKind, type HeadRecord, headRecord } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type BaseModel, linearSites } from "./base-model.ts";
import { CLASS_PREFIX } from "./model-folder.ts";
import { virtualTokenAdapter } from "./virtual-tokens.ts";

/** What was trained in peft's or AdapterHub's terms; null when no public format can say it. */
export function publicAdapter(
  settings: MethodSettings,
  tensors: ReadonlyMap<string, Tensor>,
  base: BaseModel,
  { labels, head }: { readonly labels: readonly string[]; readonly head: HeadKind },
): Adapter | null {
  const { hf } = headRecord(head);
  switch (settings.kind) {
    case "lora":
      // peft would compute the whole update, the base's zeros included
      if (settings.maskSafe) return null;
      return {
        method: "lora",
        config: {
          rank: settings.rank,
          alpha: settings.alpha,
          dropout: settings.dropout,
          rsLora: settings.rslora,
          bias: settings.bias,
          targets: settings.targets === "all-linear" ? adaptedSites(tensors) : settings.targets,
          ...(settings.rankPattern ? { rankPattern: settings.rankPattern } : {}),
          ...(settings.alphaPattern ? { alphaPattern: settings.alphaPattern } : {}),
          modulesToSave: savedModules(tensors),
          taskType: hf.peftTaskType,
          baseModel: base.name,
        },
        tensors,
      };
    case "adapter":
      return {
        method: "adapter",
        config: {
          placement: settings.style,
          reductionFactor: settings.reductionFactor,
          nonLinearity: settings.nonLinearity,
          ...COMPUTED[settings.style],
          dropout: 0,
          name: "deft",
          hiddenSize: base.model.config.hiddenSize,
          modelType: base.model.config.modelType,
          modelClass: modelClass(base, hf),
          baseModel: base.name,
          labels: [...labels],
        },
        tensors,
      };
    case "prompt":
    case "prefix": {
      const facts = { modulesToSave: savedModules(tensors), taskType: hf.peftTaskType };
      return virtualTokenAdapter(settings, tensors, base, facts);
    }
    default:
      return null;
  }
}

/** What an adapter's style computes, in AdapterHub's settings. */
const COMPUTED = {
  pfeiffer: { scaling: 1, originalLnBefore: true, originalLnAfter: true, residualBeforeLn: true },
  houlsby: { scaling: 1, originalLnBefore: false, originalLnAfter: true, residualBeforeLn: true },
} as const satisfies Record<string, Partial<BottleneckAdapterConfig>>;

function modelClass({ model }: BaseModel, { classSuffix }: HeadRecord["hf"]): string {
  return `${CLASS_PREFIX[model.config.modelType]}${classSuffix}`;
}

/** Heads and poolers by their module's name. */
function savedModules(tensors: ReadonlyMap<string, Tensor>): string[] {
  const heads = new Set([...tensors.keys()].filter((name) => isHead(name)).map((name) => name.split(".")[0]!));
  const hasPooler = [...tensors.keys()].some((name) => name.endsWith(".pooler.dense.weight"));
  return [...heads, ...(hasPooler ? ["pooler"] : [])];
}

/** Every adapted linear by its full path: peft's own spelling of "all-linear" once it is resolved. */
function adaptedSites(tensors: ReadonlyMap<string, Tensor>): string[] {
  return [...tensors.keys()].flatMap((name) =>
    name.endsWith(".lora_A.weight") ? [name.slice(0, -".lora_A.weight".length)] : [],
  );
}

/**
 * The method that an adapter was made with, on this base.
 * @throws {ConfigError} listing settings of a bottleneck that change what it computes and are not built.
 */
export function settingsOf(adapter: Adapter, base: BaseModel, folder: string): MethodSettings {
  if (adapter.method === "lora") {
    const { rank, alpha, dropout, selection, bias, rsLora, rankPattern, alphaPattern } = adapter.config;
    // sites that should have a tensor and have none are told with all that does not fit
    const sites = selection
      ? [...new Set([...adapter.config.targets, ...selectedSites(selection, linearSites(base))])]
      : null;
    return {
      kind: "lora",
      rank,
      alpha,
      dropout,
      targets: sites ?? adapter.config.targets,
      bias,
      rslora: rsLora,
      ...(rankPattern ? { rankPattern } : {}),
      ...(alphaPattern ? { alphaPattern } : {}),
    };
  }
  if (adapter.method !== "adapter") {
    const { virtualTokens } = adapter.config;
    return (adapter.method === "prompt" ? prompt({ virtualTokens }) : prefix({ virtualTokens })).settings;
  }
  const { placement, reductionFactor, nonLinearity } = adapter.config;
  const issues: ConfigIssue[] = [];
  for (const [key, value] of Object.entries(COMPUTED[placement]) as [
    keyof (typeof COMPUTED)["pfeiffer"],
    number | boolean,
  ][]) {
    const got = adapter.config[key];
    if (got === value) continue;
    const style = placement === "pfeiffer" ? "seq_bn" : "double_seq_bn";
    issues.push({ path: `${folder}, ${SPELLING[key]}`, expected: `${value}, as ${style} has it`, got: String(got) });
  }
  if (issues.length > 0)
    throw new ConfigError(issues, { hint: "These settings change what the adapter computes and are not supported." });
  return { kind: "adapter", style: placement, reductionFactor, nonLinearity };
}

const SPELLING = {
  scaling: "scaling",
  originalLnBefore: "original_ln_before",
  originalLnAfter: "original_ln_after",
  residualBeforeLn: "residual_before_ln",
} as const;
