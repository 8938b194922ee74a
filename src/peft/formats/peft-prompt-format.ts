// Prompt and prefix tuning as Hugging Face peft stores them: one table `prompt_embeddings`, and heads beside it.
// Names and defaults dumped from peft 0.21.2.
import { CheckpointError, type CheckpointIssue, ConfigError } from "../../errors.ts";
import { issueList, type JsonObject, toFloat32 } from "../../hub/index.ts";
import { entryOf, float32, type Tensor } from "../../tensor/index.ts";
import type { AdapterTensors, VirtualTokenAdapter, VirtualTokenConfig } from "./adapter.ts";
import { FieldReader, requireDefaults, unsupportedKind } from "./adapter-fields.ts";
import type { PeftFiles } from "./peft-format.ts";
import { taskHeads } from "./peft-targets.ts";

// prompt learning wraps the model directly, so its names lack LoRA's `model.`
const PREFIX = "base_model.";
const TABLE = "prompt_embeddings";

/** Our method by `peft_type`. P-tuning's encoder is not stored: what is left is a prompt. */
const METHODS: Readonly<Record<string, "prompt" | "prefix">> = {
  PROMPT_TUNING: "prompt",
  P_TUNING: "prompt",
  PREFIX_TUNING: "prefix",
};

const READ = [
  "peft_type",
  "task_type",
  "num_virtual_tokens",
  "token_dim",
  "num_attention_heads",
  "num_layers",
  "num_transformer_submodules",
  "modules_to_save",
  "base_model_name_or_path",
  // how the table was made: it is stored as it came out
  "encoder_dropout",
  "encoder_hidden_size",
  "encoder_num_layers",
  "encoder_reparameterization_type",
  "init_weights",
  "prefix_projection",
  "prompt_tuning_init",
  "prompt_tuning_init_text",
  "tokenizer_kwargs",
  "tokenizer_name_or_path",
  // facts about the file, not about what it computes
  "peft_version",
  "auto_mapping",
  "inference_mode",
  "revision",
];

/**
 * The adapter in peft's names, with the configuration peft 0.21.2 writes. How a prompt began is not told:
 * peft would ask for a tokenizer to train it further.
 */
export function toPeftPrompt({ method, config, tensors }: VirtualTokenAdapter): PeftFiles {
  const own =
    method === "prompt"
      ? {
          peft_type: "PROMPT_TUNING",
          prompt_tuning_init: "RANDOM",
          prompt_tuning_init_text: null,
          tokenizer_kwargs: null,
          tokenizer_name_or_path: null,
        }
      : {
          encoder_hidden_size: config.hiddenSize,
          init_weights: null,
          peft_type: "PREFIX_TUNING",
          prefix_projection: false,
        };
  return {
    config: {
      ...own,
      auto_mapping: null,
      base_model_name_or_path: config.baseModel,
      inference_mode: true,
      modules_to_save: config.modulesToSave.length > 0 ? config.modulesToSave : null,
      num_attention_heads: config.numHeads,
      num_layers: config.numLayers,
      num_transformer_submodules: 1,
      num_virtual_tokens: config.virtualTokens,
      peft_version: "0.21.2",
      revision: null,
      task_type: config.taskType,
      token_dim: config.hiddenSize,
    },
    tensors: new Map([...tensors].map(([name, tensor]) => [name === TABLE ? name : `${PREFIX}${name}`, tensor])),
  };
}

/**
 * A peft prompt or prefix in our names; 16-bit tensors become float32. `misfits`, what else is known not to fit, is told with
 * tensors that do not.
 * @throws {UnsupportedError} when it is of another method, or a prefix of an encoder–decoder.
 * @throws {ConfigError} listing every setting that is malformed, or set and not supported.
 * @throws {CheckpointError} listing tensors that are missing, unknown or of another shape than the settings say.
 */
export function fromPeftPrompt(
  { config, tensors }: PeftFiles,
  file = "adapter_config.json",
  misfits: readonly CheckpointIssue[] = [],
): VirtualTokenAdapter {
  const method = entryOf(METHODS, String(config.peft_type));
  if (!method) throw unsupportedKind(file, `peft_type ${JSON.stringify(config.peft_type)}`, Object.keys(METHODS));
  const submodules = config.num_transformer_submodules ?? 1;
  if (method === "prefix" && submodules !== 1)
    throw unsupportedKind(file, `a prefix with num_transformer_submodules ${JSON.stringify(submodules)}`, [
      "1 (peft gives an encoder–decoder a prefix in its decoder alone; ours has one in every attention)",
    ]);
  requireDefaults(file, config, { read: READ, defaults: {} });
  const fields = new FieldReader(file, config);
  // these have no default: peft takes them from the model, and writes them
  const required = ["num_virtual_tokens", "token_dim", ...(method === "prefix" ? ["num_layers"] : [])];
  const missing = required.filter((field) => (config[field] ?? null) === null);
  if (missing.length > 0)
    throw new ConfigError(
      missing.map((field) => ({ path: `${file}, ${field}`, expected: "a whole number above 0", got: "nothing" })),
    );
  const known: VirtualTokenConfig = {
    virtualTokens: fields.integer("num_virtual_tokens", 1),
    hiddenSize: fields.integer("token_dim", 1),
    numLayers: fields.integer("num_layers", 1),
    numHeads: fields.integer("num_attention_heads", 1),
    modulesToSave: [...new Set([...fields.texts("modules_to_save"), ...storedHeads(config, tensors)])],
    taskType: fields.textOrNull("task_type"),
    baseModel: fields.textOrNull("base_model_name_or_path"),
  };
  const stacks = fields.integer("num_transformer_submodules", 1);
  fields.finish();
  const [own, issues] = ownTensors(tensors, { method, config: known, stacks });
  // without its table nothing can be held against a model
  if (issues.length > 0) throw new CheckpointError(weightsOf(file), issueList([...misfits, ...issues]));
  return { method, config: known, tensors: own };
}

/** Heads that the task trains and an older peft did not name. */
function storedHeads({ task_type }: JsonObject, tensors: AdapterTensors): readonly string[] {
  return taskHeads(task_type).filter((head) =>
    [...tensors.keys()].some((name) => name.startsWith(`${PREFIX}${head}.`)),
  );
}

interface Expected {
  readonly method: "prompt" | "prefix";
  readonly config: VirtualTokenConfig;
  readonly stacks: number;
}

function ownTensors(
  tensors: AdapterTensors,
  { method, config, stacks }: Expected,
): [Map<string, Tensor>, CheckpointIssue[]] {
  const { virtualTokens, hiddenSize, numLayers, modulesToSave } = config;
  const own = new Map<string, Tensor>();
  const issues: CheckpointIssue[] = [];
  const shape = [virtualTokens * stacks, method === "prompt" ? hiddenSize : numLayers * 2 * hiddenSize];
  const table = tensors.get(TABLE);
  if (table?.shape.join() !== shape.join()) {
    const got = table ? `[${table.shape.join(", ")}]` : "none";
    issues.push({ name: TABLE, expected: `[${shape.join(", ")}]`, got });
  } else own.set(TABLE, firstRows(toFloat32(table), virtualTokens));
  for (const [stored, tensor] of tensors) {
    if (stored === TABLE || stored.includes(".original_module.")) continue;
    const name = stored.slice(PREFIX.length).replace(".modules_to_save.default.", ".");
    const isSaved = modulesToSave.some((module) => `.${name}`.includes(`.${module}.`));
    // with another method's level in its name it is another method's tensor
    if (stored.startsWith(PREFIX) && !name.startsWith("model.") && isSaved) own.set(name, toFloat32(tensor));
    else
      issues.push({
        name: stored,
        expected: `${TABLE} or part of ${modulesToSave.join(", ") || "a head"}`,
        got: "an unknown name",
      });
  }
  return [own, issues];
}

const weightsOf = (configFile: string) => configFile.replace(/adapter_config\.json$/, "adapter_model.safetensors");

/** peft stores a prompt for the decoder too, which its prompt tuning never reads: only the encoder's is one. */
function firstRows({ shape, data }: Tensor, count: number): Tensor {
  const width = shape[1]!;
  return float32([count, width], (data as Float32Array).slice(0, count * width));
}

/** The rows of `<site>.prefix_key` and `<site>.prefix_value` `[P, D]` of all sites as peft's table `[P, L · 2 · D]`. */
export function prefixTable(sites: readonly string[], tensors: AdapterTensors): Tensor {
  const parts = partNames(sites).map((name) => tensors.get(name)!);
  const [rows, width] = parts[0]!.shape as readonly [number, number];
  const data = new Float32Array(rows * width * parts.length);
  parts.forEach((part, i) => {
    const values = part.data as Float32Array;
    for (let row = 0; row < rows; row++)
      data.set(values.subarray(row * width, (row + 1) * width), (row * parts.length + i) * width);
  });
  return float32([rows, width * parts.length], data);
}

/** The other way round: peft's table `[P, L · 2 · D]` cut into the sites' keys and values, in order. */
export function prefixTensors(sites: readonly string[], table: Tensor): Map<string, Tensor> {
  const names = partNames(sites);
  const [rows, total] = table.shape as readonly [number, number];
  const width = total / names.length;
  const values = table.data as Float32Array;
  return new Map(
    names.map((name, i) => {
      const data = new Float32Array(rows * width);
      for (let row = 0; row < rows; row++) {
        const start = row * total + i * width;
        data.set(values.subarray(start, start + width), row * width);
      }
      return [name, float32([rows, width], data)];
    }),
  );
}

const partNames = (sites: readonly string[]): string[] =>
  sites.flatMap((site) => [`${site}.prefix_key`, `${site}.prefix_value`]);
