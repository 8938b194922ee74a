// IA3 as Hugging Face peft stores it: adapter_config.json and one vector for each scaled layer, heads beside them.
// Names and defaults dumped from peft 0.21.2.
import { CheckpointError, type CheckpointIssue, type ConfigIssue, shownValue } from "../../errors.ts";
import { floatTensor, issueList, type JsonObject } from "../../hub/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { matchesTarget } from "../method.ts";
import type { AdapterTensors } from "./adapter.ts";
import { FieldReader, requireDefaults } from "./adapter-fields.ts";
import { expressionFault, NameMatcher } from "./peft-expressions.ts";
import { otherMethod, ownName, type PeftFiles, PREFIX } from "./peft-format.ts";
import {
  isPartOf,
  isPlainSelection,
  type PeftSelection,
  plainTargets,
  readSelection,
  savedModules,
} from "./peft-targets.ts";

/**
 * IA3: `<site>.ia3_l`, `[out, 1]` where it scales a layer's output and `[1, in]` where it scales its input; heads under their
 * checkpoint names.
 */
export interface Ia3Adapter {
  readonly method: "ia3";
  readonly config: Ia3AdapterConfig;
  readonly tensors: AdapterTensors;
}

export interface Ia3AdapterConfig {
  /** Last parts of the scaled sites' names: `key`, `output.dense`; with a `selection` the whole names of the stored ones. */
  readonly targets: readonly string[];
  /** Those that are scaled at their input, spelled alike. */
  readonly feedforward: readonly string[];
  /** Present when suffixes do not say it all; `selectedSites` applies it to a model. */
  readonly selection?: PeftSelection;
  /** Modules trained and stored whole: `classifier`. */
  readonly modulesToSave: readonly string[];
  /** As peft spells it: `SEQ_CLS`. */
  readonly taskType: string | null;
  readonly baseModel: string | null;
}

/** Behind the site, the vector's name. */
export const VECTOR = "ia3_l";

const READ = [
  "peft_type",
  "task_type",
  "target_modules",
  "exclude_modules",
  "feedforward_modules",
  "modules_to_save",
  "base_model_name_or_path",
  // facts about the file, not about what it computes
  "peft_version",
  "auto_mapping",
  "inference_mode",
  "revision",
  "init_ia3_weights",
];

const DEFAULTS = { fan_in_fan_out: false } as const;

/** The sites that have a vector. */
export function scaledSites(tensors: AdapterTensors): string[] {
  return [...tensors.keys()].flatMap((name) =>
    name.endsWith(`.${VECTOR}`) ? [name.slice(0, -`.${VECTOR}`.length)] : [],
  );
}

/** The adapter in peft's names, with the configuration peft 0.21.2 writes. */
export function toPeftIa3({ config, tensors }: Ia3Adapter): PeftFiles {
  return {
    config: {
      auto_mapping: null,
      base_model_name_or_path: config.baseModel,
      exclude_modules: null,
      ...DEFAULTS,
      feedforward_modules: config.feedforward,
      inference_mode: true,
      init_ia3_weights: true,
      modules_to_save: config.modulesToSave.length > 0 ? config.modulesToSave : null,
      peft_type: "IA3",
      peft_version: "0.21.2",
      revision: null,
      target_modules: config.targets,
      task_type: config.taskType,
    },
    tensors: new Map([...tensors].map(([name, tensor]) => [`${PREFIX}${name}`, tensor])),
  };
}

/**
 * A peft IA3 adapter in our names; 16-bit tensors become float32. Tensors that are unknown, no vector or of no float dtype are added
 * to `misfits` when it is given, so that they can be told with what does not fit a model.
 * @throws {UnsupportedError} when it is not IA3.
 * @throws {ConfigError} listing every setting that is malformed, or set and not supported.
 * @throws {CheckpointError} listing those tensors, without `misfits`.
 */
export function fromPeftIa3(
  { config, tensors }: PeftFiles,
  file = "adapter_config.json",
  misfits?: CheckpointIssue[],
): Ia3Adapter {
  if (config.peft_type !== "IA3") throw otherMethod(file, config.peft_type, ["IA3"]);
  requireDefaults(file, config, { read: READ, defaults: DEFAULTS });
  const fields = new FieldReader(file, config);
  const issues: ConfigIssue[] = [];
  const known = {
    taskType: fields.textOrNull("task_type"),
    baseModel: fields.textOrNull("base_model_name_or_path"),
  };
  const selection = readSelection(file, config, issues);
  const isInput = readFeedforward(file, config, tensors.keys(), issues);
  fields.finish(issues);
  const found: CheckpointIssue[] = [];
  const own = ownTensors(tensors, selection.modulesToSave, isInput, found);
  if (misfits) misfits.push(...found);
  else if (found.length > 0)
    throw new CheckpointError(file.replace(/adapter_config\.json$/, "adapter_model.safetensors"), issueList(found));
  const sites = scaledSites(own);
  const inputs = sites.filter((site) => isInput(site, own.get(`${site}.${VECTOR}`)!));
  const isPlain = isPlainSelection(selection);
  return {
    method: "ia3",
    config: {
      ...known,
      modulesToSave: savedModules(config, selection, own),
      targets: isPlain ? plainTargets(selection, sites) : sites,
      feedforward: isPlain ? spelledAs(config.feedforward_modules, sites, inputs) : inputs,
      ...(isPlain ? {} : { selection }),
    },
    tensors: own,
  };
}

/** The sites that are scaled at their input as the file lists them, where last parts of names as ours mean the same; else by whole names. */
function spelledAs(listed: unknown, sites: readonly string[], inputs: readonly string[]): readonly string[] {
  if (!Array.isArray(listed)) return inputs;
  const names = listed as readonly string[];
  return sites.every((site) => matchesTarget(site, names) === inputs.includes(site)) ? names : inputs;
}

/** Whether a site is scaled at its input. */
type IsInput = (site: string, vector: Tensor) => boolean;

/** @see peft 0.21.2 `IA3Model._check_target_module_feedforward`: ends of names, or one expression for the whole name. */
function readFeedforward(file: string, config: JsonObject, names: Iterable<string>, issues: ConfigIssue[]): IsInput {
  const listed = config.feedforward_modules ?? null;
  // without the field peft takes those usual for the model: the vectors lie as they are used
  if (listed === null) return (_, { shape }) => shape[0] === 1;
  if (Array.isArray(listed) && listed.every((name) => typeof name === "string"))
    return (site) => listed.some((end) => site.endsWith(end));
  const fault = typeof listed === "string" ? expressionFault(listed) : null;
  if (typeof listed === "string" && fault === null) return new NameMatcher(names).whole("feedforward_modules", listed);
  issues.push({
    path: `${file}, feedforward_modules`,
    expected: "a list of names, or one regular expression without back-references",
    got: fault ?? shownValue(listed),
  });
  return () => false;
}

function ownTensors(
  tensors: AdapterTensors,
  modulesToSave: readonly string[],
  isInput: IsInput,
  issues: CheckpointIssue[],
): Map<string, Tensor> {
  const own = new Map<string, Tensor>();
  for (const [stored, tensor] of tensors) {
    if (stored.includes(".original_module.")) continue;
    const name = ownName(stored).replace(/\.ia3_l\.default$/, `.${VECTOR}`);
    const isVector = name.endsWith(`.${VECTOR}`);
    const isSaved = modulesToSave.some((module) => isPartOf(name, module));
    if (!stored.startsWith(PREFIX) || !(isVector || isSaved)) {
      const expected = `an IA3 vector or part of ${modulesToSave.join(", ") || "a head"}`;
      issues.push({ name: stored, expected, got: "an unknown name" });
      continue;
    }
    const shape = isVector ? shapeIssue(name, tensor, isInput) : null;
    if (shape) issues.push(shape);
    const float = floatTensor(stored, tensor, issues);
    if (float) own.set(name, float);
  }
  return own;
}

function shapeIssue(name: string, tensor: Tensor, isInput: IsInput): CheckpointIssue | null {
  const { shape } = tensor;
  const atInput = isInput(name.slice(0, -`.${VECTOR}`.length), tensor);
  if (shape.length === 2 && shape[atInput ? 0 : 1] === 1) return null;
  return { name, expected: atInput ? "[1, in]" : "[out, 1]", got: `[${shape.join(", ")}]` };
}
