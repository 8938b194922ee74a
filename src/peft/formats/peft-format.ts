// LoRA as Hugging Face peft stores it: adapter_config.json and adapter_model.safetensors.
// Names and defaults dumped from peft 0.21.2.
import { CheckpointError, type CheckpointIssue, ConfigError, type ConfigIssue } from "../../errors.ts";
import type { JsonObject } from "../../hub/index.ts";
import { floatTensor, issueList } from "../../hub/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { LoraAdapter, LoraAdapterConfig } from "./adapter.ts";
import { FieldReader, requireDefaults, unsupportedKind } from "./adapter-fields.ts";
import {
  isPartOf,
  isPlainSelection,
  isTaskHead,
  patternValues,
  plainTargets,
  readPattern,
  readSelection,
  savedModules,
} from "./peft-targets.ts";

/** An adapter in peft's own names. */
export interface PeftFiles {
  readonly config: JsonObject;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** What peft puts before the names of the parts of a model. */
export const PREFIX = "base_model.model.";

const READ = [
  "peft_type",
  "task_type",
  "r",
  "lora_alpha",
  "lora_dropout",
  "use_rslora",
  "bias",
  "target_modules",
  "exclude_modules",
  "layers_to_transform",
  "layers_pattern",
  "rank_pattern",
  "alpha_pattern",
  "modules_to_save",
  "base_model_name_or_path",
  // facts about the file, not about what it computes
  "peft_version",
  "auto_mapping",
  "inference_mode",
  "revision",
  "init_lora_weights",
  // of peft 0.2 and 0.3: whether the model was merged while it ran
  "merge_weights",
];

const DEFAULTS = {
  alora_invocation_tokens: null,
  arrow_config: null,
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  fan_in_fan_out: false,
  kasa_config: null,
  layer_replication: null,
  loftq_config: {},
  lora_bias: false,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: "megatron.core",
  monteclora_config: null,
  qalora_group_size: 16,
  target_parameters: null,
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  velora_config: null,
} as const;

// these starts change the base weights, so the base on disk is no longer the one the adapter belongs to
const BASE_CHANGING_STARTS = /^(pissa|olora|corda|loftq|lora_ga)/;

/** The adapter in peft's names, with the configuration peft 0.21.2 writes. */
export function toPeft({ config, tensors }: LoraAdapter): PeftFiles {
  const renamed = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    const [, site, part] = /^(.+)\.(bias|weight)$/.exec(name) ?? [];
    const isWrapped = tensors.has(`${site}.lora_A.weight`) || tensors.has(`${site}.lora_embedding_A`);
    renamed.set(`${PREFIX}${isWrapped ? `${site}.base_layer.${part}` : name}`, tensor);
  }
  return {
    config: {
      ...DEFAULTS,
      alpha_pattern: config.alphaPattern ?? {},
      rank_pattern: config.rankPattern ?? {},
      exclude_modules: null,
      layers_pattern: null,
      layers_to_transform: null,
      auto_mapping: null,
      base_model_name_or_path: config.baseModel,
      bias: config.bias,
      inference_mode: true,
      init_lora_weights: true,
      lora_alpha: config.alpha,
      lora_dropout: config.dropout,
      modules_to_save: config.modulesToSave.length > 0 ? config.modulesToSave : null,
      peft_type: "LORA",
      peft_version: "0.21.2",
      r: config.rank,
      revision: null,
      target_modules: config.targets,
      task_type: config.taskType,
      use_rslora: config.rsLora,
    },
    tensors: renamed,
  };
}

/**
 * A peft LoRA adapter in our names; 16-bit tensors become float32. The head that the task trains is part of it, also where an older
 * peft did not name it in `modules_to_save`. Tensors that are missing, unknown, of another rank than the
 * settings say or of no float dtype are added to `misfits` when it is given, so that they can be told with what does not fit a model.
 * @throws {UnsupportedError} when it is not LoRA.
 * @throws {ConfigError} listing every setting that is malformed, or set and not supported (`use_dora`, …).
 * @throws {CheckpointError} listing those tensors, without `misfits`.
 */
export function fromPeft(
  { config, tensors }: PeftFiles,
  file = "adapter_config.json",
  misfits?: CheckpointIssue[],
): LoraAdapter {
  if (config.peft_type !== "LORA") throw otherMethod(file, config.peft_type, ["LORA"]);
  requireDefaults(file, startChecked(config), { read: READ, defaults: DEFAULTS });
  const fields = new FieldReader(file, config);
  const issues: ConfigIssue[] = [];
  const known = {
    rank: fields.integer("r", 8),
    alpha: fields.number("lora_alpha", 8),
    dropout: fields.number("lora_dropout", 0, { orZero: true }),
    rsLora: fields.flag("use_rslora", false),
    bias: fields.oneOf("bias", ["none", "all", "lora_only"], "none"),
    taskType: fields.textOrNull("task_type"),
    baseModel: fields.textOrNull("base_model_name_or_path"),
  };
  const selection = readSelection(file, config, issues);
  const ranks = readPattern(file, "rank_pattern", config, issues);
  const alphas = readPattern(file, "alpha_pattern", config, issues);
  fields.finish(issues);
  const ranked = patternValues("rank_pattern", ranks, tensors.keys());
  const scaled = patternValues("alpha_pattern", alphas, tensors.keys());
  const rankAt = (site: string) => ranked(site) ?? known.rank;
  const found: CheckpointIssue[] = [];
  const own = ownTensors(tensors, { bias: known.bias, modulesToSave: selection.modulesToSave }, rankAt, found);
  if (misfits) misfits.push(...found);
  else if (found.length > 0)
    throw new CheckpointError(file.replace(/adapter_config\.json$/, "adapter_model.safetensors"), issueList(found));
  const sites = sitesOf(own);
  // layers of a head are adapted where their tensors say so
  const isPlain = isPlainSelection(selection) && !sites.some((site) => isTaskHead(site));
  return {
    method: "lora",
    config: {
      ...known,
      modulesToSave: savedModules(config, selection, own),
      targets: isPlain ? plainTargets(selection, sites) : sites,
      ...(isPlain ? {} : { selection }),
      ...patternOf("rankPattern", sites, rankAt, known.rank),
      ...patternOf("alphaPattern", sites, (site) => scaled(site) ?? known.alpha, known.alpha),
    },
    tensors: own,
  };
}

/** The error for a `peft_type` that is none of `supported`. */
export function otherMethod(file: string, type: unknown, supported: readonly string[]): Error {
  if (type !== "DEFT") return unsupportedKind(file, `peft_type ${JSON.stringify(type)}`, supported);
  return new ConfigError([{ path: `${file}, peft_type`, expected: "a type of Hugging Face's peft", got: '"DEFT"' }], {
    hint: "deft stores its adapters as the method they are (LORA, …), so another tool wrote this one. Export it there as LoRA.",
  });
}

function patternOf<K extends "rankPattern" | "alphaPattern">(
  key: K,
  sites: readonly string[],
  valueAt: (site: string) => number,
  usual: number,
): { readonly [P in K]?: Readonly<Record<string, number>> } {
  const others = sites.filter((site) => valueAt(site) !== usual).map((site) => [site, valueAt(site)] as const);
  return (others.length === 0 ? {} : { [key]: Object.fromEntries(others) }) as ReturnType<typeof patternOf<K>>;
}

/** Puts an initialisation that changes the base weights where `requireDefaults` reports it. */
function startChecked(config: JsonObject): JsonObject {
  const start = config.init_lora_weights;
  const changesBase = typeof start === "string" && BASE_CHANGING_STARTS.test(start);
  return changesBase ? { ...config, "init_lora_weights (changes the base weights)": start } : config;
}

/** The first matrix of a pair behind its site's name: of a linear layer `[R, in]`, of a table `[R, V]`. */
const FIRST = /\.(lora_A\.weight|lora_embedding_A)$/;

const sitesOf = (tensors: ReadonlyMap<string, Tensor>): string[] =>
  [...tensors.keys()].flatMap((name) => (FIRST.test(name) ? [name.replace(FIRST, "")] : []));

type Kept = Pick<LoraAdapterConfig, "modulesToSave" | "bias">;

function ownTensors(
  tensors: ReadonlyMap<string, Tensor>,
  config: Kept,
  rankAt: (site: string) => number,
  issues: CheckpointIssue[],
): Map<string, Tensor> {
  const own = new Map<string, Tensor>();
  for (const [stored, tensor] of tensors) {
    // `bias: all` makes peft store its wrappers' copies of a saved module as well
    if (stored.includes(".original_module.")) continue;
    const name = ownName(stored);
    if (isKnown(name, stored, config)) {
      const float = floatTensor(stored, tensor, issues);
      if (float) own.set(name, float);
    } else
      issues.push({
        name: stored,
        expected: `a LoRA matrix or part of ${config.modulesToSave.join(", ") || "a head"}`,
        got: "an unknown name",
      });
  }
  for (const name of own.keys()) {
    const first = name.replace(/(lora_|lora_embedding_)B(\.weight)?$/, "$1A$2");
    if (FIRST.test(name)) issues.push(...pairIssues(name, own, rankAt(name.replace(FIRST, ""))));
    else if (first !== name && !own.has(first))
      issues.push({ name, expected: `a ${/lora_\w*A/.exec(first)![0]} beside it`, got: "none" });
  }
  return own;
}

/** A tensor's name in the checkpoint, without the levels that peft puts around the layers it adapts or saves. */
export function ownName(stored: string): string {
  return (
    (stored.startsWith(PREFIX) ? stored.slice(PREFIX.length) : stored)
      // `bias: all` stores a saved module's bias a second time, under the wrapper's name
      .replace(/\.modules_to_save\.(default\.)?/, ".")
      .replace(".base_layer.", ".")
      .replace(/\.(lora_[AB])\.default\.weight$/, ".$1.weight")
      .replace(/\.(lora_embedding_[AB])\.default$/, ".$1")
  );
}

/** Tables, and a head that may share one: peft stores the base's own beside a LoRA on them, or with `save_embedding_layers`. */
const STORED_TABLE = /(^|\.)(\w*embeddings|shared|embed_tokens|lm_head)\.weight$/;

function isKnown(name: string, stored: string, { modulesToSave, bias }: Kept): boolean {
  if (!stored.startsWith(PREFIX)) return false;
  if (/\.lora_([AB]\.weight|embedding_[AB])$/.test(name)) return true;
  if (name.includes(".lora_")) return false;
  if (STORED_TABLE.test(name)) return true;
  return (bias !== "none" && name.endsWith(".bias")) || modulesToSave.some((module) => isPartOf(name, module));
}

function pairIssues(first: string, own: ReadonlyMap<string, Tensor>, rank: number): CheckpointIssue[] {
  const second = first.replace(/A(\.weight)?$/, "B$1");
  const a = own.get(first)!.shape;
  const b = own.get(second)?.shape;
  const issues: CheckpointIssue[] = [];
  if (a.length !== 2 || a[0] !== rank)
    issues.push({ name: first, expected: `[${rank}, in]`, got: `[${a.join(", ")}]` });
  if (b === undefined) issues.push({ name: second, expected: `[out, ${rank}]`, got: "none" });
  else if (b.length !== 2 || b[1] !== rank)
    issues.push({ name: second, expected: `[out, ${rank}]`, got: `[${b.join(", ")}]` });
  return issues;
}
