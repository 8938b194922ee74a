// Bottleneck adapters as AdapterHub's `adapters` stores them: adapter_config.json, adapter.safetensors and a head.
// Names and defaults dumped from adapters 1.3.0 (`seq_bn`, `double_seq_bn`).
import { CheckpointError, type CheckpointIssue, ConfigError, shownValue } from "../../errors.ts";
import { floatTensor, isJsonObject, issueList, type JsonObject } from "../../hub/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { BottleneckAdapter, BottleneckAdapterConfig } from "./adapter.ts";
import { FieldReader, requireDefaults, unsupportedKind } from "./adapter-fields.ts";

/** An adapter in AdapterHub's own names; the head is null when none was trained. */
export interface AdapterHubFiles {
  readonly config: JsonObject;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly head: { readonly config: JsonObject; readonly tensors: ReadonlyMap<string, Tensor> } | null;
}

const VERSION = "adapters.1.3.0";

const READ = [
  "architecture",
  "mh_adapter",
  "output_adapter",
  "non_linearity",
  "original_ln_before",
  "original_ln_after",
  "residual_before_ln",
  "reduction_factor",
  "scaling",
  "dropout",
  "init_weights",
  "init_weights_seed",
];

const DEFAULTS = {
  adapter_residual_before_ln: false,
  cross_adapter: false,
  factorized_phm_W: true,
  factorized_phm_rule: false,
  hypercomplex_nonlinearity: "glorot-uniform",
  inv_adapter: null,
  inv_adapter_reduction_factor: null,
  is_parallel: false,
  learn_phm: true,
  leave_out: [],
  ln_after: false,
  ln_before: false,
  phm_bias: true,
  phm_c_init: "normal",
  phm_dim: 4,
  phm_init_range: 0.0001,
  phm_layer: false,
  phm_rank: 1,
  shared_W_phm: false,
  shared_phm_rule: true,
  stochastic_depth: 0.0,
  use_gating: false,
} as const;

const OWN_NAME = /^(.+)\.(adapter_down|adapter_up)\.(weight|bias)$/;
const STORED_NAME = /^(.+)\.adapters\.([^.]+)\.(adapter_down\.0|adapter_up)\.(weight|bias)$/;

/** The adapter in AdapterHub's names, with the configuration adapters 1.3.0 writes. */
export function toAdapterHub({ config, tensors }: BottleneckAdapter): AdapterHubFiles {
  const adapter = new Map<string, Tensor>();
  const head = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    const [, site, part, kind] = OWN_NAME.exec(name) ?? [];
    const layer = part === "adapter_down" ? "adapter_down.0" : part;
    if (site === undefined) head.set(name, tensor);
    else adapter.set(`${site}.adapters.${config.name}.${layer}.${kind}`, tensor);
  }
  const base = {
    hidden_size: config.hiddenSize,
    model_class: config.modelClass,
    model_name: config.baseModel ?? "",
    model_type: config.modelType,
    version: VERSION,
  };
  const labels = config.labels ?? [];
  return {
    config: { ...base, name: config.name, config: bottleneckConfig(config) },
    tensors: adapter,
    head:
      head.size === 0
        ? null
        : {
            config: {
              ...base,
              config: null,
              name: null,
              num_labels: Math.max(1, labels.length),
              label2id: Object.fromEntries((labels.length > 0 ? labels : ["LABEL_0"]).map((label, i) => [label, i])),
            },
            tensors: head,
          },
  };
}

function bottleneckConfig(config: BottleneckAdapterConfig): JsonObject {
  return {
    ...DEFAULTS,
    dropout: config.dropout,
    init_weights: "bert",
    init_weights_seed: null,
    mh_adapter: config.placement === "houlsby",
    non_linearity: config.nonLinearity,
    original_ln_after: config.originalLnAfter,
    original_ln_before: config.originalLnBefore,
    output_adapter: true,
    reduction_factor: config.reductionFactor,
    residual_before_ln: config.residualBeforeLn,
    scaling: config.scaling,
  };
}

/**
 * An AdapterHub bottleneck adapter in our names; 16-bit tensors become float32.
 * @throws {UnsupportedError} when it is not a sequential bottleneck (`seq_bn`, `double_seq_bn`).
 * @throws {ConfigError} listing every setting that is malformed, or set and not supported.
 * @throws {CheckpointError} listing tensors with unknown names or no float dtype, and missing parts; they are added to `misfits`
 * instead when it is given.
 */
export function fromAdapterHub(
  stored: AdapterHubFiles,
  file = "adapter_config.json",
  misfits?: CheckpointIssue[],
): BottleneckAdapter {
  const inner = stored.config.config;
  if (!isJsonObject(inner)) {
    throw new ConfigError([
      { path: `${file}, config`, expected: "an adapter's settings", got: JSON.stringify(inner ?? null) },
    ]);
  }
  const kind = inner.architecture ?? (inner.output_adapter === true ? null : "neither output adapter nor known kind");
  if (kind !== null)
    throw unsupportedKind(file, `adapter architecture ${JSON.stringify(kind)}`, ["seq_bn", "double_seq_bn"]);
  requireDefaults(file, inner, { read: READ, defaults: DEFAULTS });
  const fields = new FieldReader(file, inner);
  const outer = new FieldReader(file, stored.config);
  const config: BottleneckAdapterConfig = {
    placement: fields.flag("mh_adapter", false) ? "houlsby" : "pfeiffer",
    reductionFactor: fields.number("reduction_factor", 16),
    nonLinearity: fields.text("non_linearity", "relu"),
    scaling: fields.number("scaling", 1),
    dropout: fields.number("dropout", 0, { orZero: true }),
    originalLnBefore: fields.flag("original_ln_before", true),
    originalLnAfter: fields.flag("original_ln_after", true),
    residualBeforeLn: fields.flag("residual_before_ln", true),
    name: outer.text("name", "default"),
    hiddenSize: outer.integer("hidden_size", 1),
    modelType: outer.text("model_type", ""),
    modelClass: outer.text("model_class", ""),
    baseModel: outer.textOrNull("model_name") || null,
    labels:
      stored.head === null
        ? null
        : labelsOf(stored.head.config, file.replace(/adapter_config\.json$/, "head_config.json")),
  };
  fields.finish();
  outer.finish();
  const found: CheckpointIssue[] = [];
  const tensors = ownTensors(stored, config.name, found);
  if (misfits) misfits.push(...found);
  else if (found.length > 0)
    throw new CheckpointError(file.replace(/adapter_config\.json$/, "adapter.safetensors"), issueList(found));
  return { method: "adapter", config, tensors };
}

/** Most classes of a head, as of a model's. */
const MOST_LABELS = 1_000_000;

/** @throws {ConfigError} where the classes of head_config.json are none. */
function labelsOf(config: JsonObject, file: string): string[] {
  const { label2id, num_labels: count = 0 } = config;
  const wrong = (field: string, expected: string, got: unknown) =>
    new ConfigError([{ path: `${file}, ${field}`, expected, got: shownValue(got) }]);
  if (isJsonObject(label2id)) {
    const entries = Object.entries(label2id);
    if (!entries.every(([, id]) => typeof id === "number")) throw wrong("label2id", "numbers by class", label2id);
    return entries.sort(([, a], [, b]) => Number(a) - Number(b)).map(([label]) => label);
  }
  const isCount = typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= MOST_LABELS;
  if (count !== null && !isCount) throw wrong("num_labels", `a whole number from 0 to ${MOST_LABELS}`, count);
  return Array.from({ length: Number(count) }, (_, i) => `LABEL_${i}`);
}

function ownTensors(
  { tensors, head }: AdapterHubFiles,
  adapterName: string,
  issues: CheckpointIssue[],
): Map<string, Tensor> {
  const own = new Map<string, Tensor>();
  const keep = (name: string, stored: string, tensor: Tensor) => {
    const float = floatTensor(stored, tensor, issues);
    if (float) own.set(name, float);
  };
  for (const [name, tensor] of tensors) {
    const [, site, owner, layer, kind] = STORED_NAME.exec(name) ?? [];
    if (site !== undefined && owner === adapterName) keep(`${site}.${layer!.replace(".0", "")}.${kind}`, name, tensor);
    else
      issues.push({
        name,
        expected: `….adapters.${adapterName}.adapter_down.0 or .adapter_up`,
        got: "an unknown name",
      });
  }
  const sites = new Set([...own.keys()].map((name) => OWN_NAME.exec(name)![1]!));
  for (const site of sites) {
    for (const part of ["adapter_down.weight", "adapter_down.bias", "adapter_up.weight", "adapter_up.bias"]) {
      if (!own.has(`${site}.${part}`)) issues.push({ name: `${site}.${part}`, expected: "a tensor", got: "none" });
    }
  }
  for (const [name, tensor] of head?.tensors ?? []) {
    // `heads.NAME.1` belongs to AdapterHub's own head classes, which compute something else
    if (name.startsWith("heads."))
      issues.push({ name, expected: "a head of a …ForSequenceClassification class", got: "a flex head" });
    else keep(name, name, tensor);
  }
  return own;
}
