// A base model opened for work: configuration, mapped float32 weights, tokenizer, and who it is.
import { loadTokenizer, type ModelClasses, type Tokenizer } from "../data/index.ts";
import { CheckpointError, type CheckpointIssue, UnsupportedError } from "../errors.ts";
import {
  type Checkpoint,
  checkSums,
  fingerprint,
  type HubEvent,
  type JsonObject,
  openCheckpoint,
  pythonCommand,
  pythonText,
} from "../hub/index.ts";
import {
  anyModel,
  blockLinears,
  ENCODER_TYPES,
  type EncoderModel,
  type Model,
  maxSequenceLength,
  sanitize,
  unwrapped,
} from "../models/index.ts";
import { headOnly } from "../peft/index.ts";
import type { Environment } from "../runs/index.ts";
import { type Pruning, readPruning } from "../runs/index.ts";
import { buildTaskGraph, type HeadKind } from "../tasks/index.ts";
import { joinPath, type Weights } from "../tensor/index.ts";
import { stampsOf, watchBase } from "./base-watch.ts";
import { type GenerationConfig, readGenerationConfig } from "./generation-config.ts";
import { type BaseOptions, openBaseWeights, type StoredQuantization } from "./quantized-base.ts";

export interface BaseModel {
  /** As the person named it. */
  readonly name: string;
  readonly folder: string;
  readonly commit: string | null;
  readonly config: JsonObject;
  readonly model: Model;
  /** Float32, in our names, mapped from files. */
  readonly weights: Weights;
  readonly tokenizer: Tokenizer;
  readonly fingerprint: string;
  /** How its zeros came about; null for a model that was not pruned here. */
  readonly pruning: Pruning | null;
  /** How its block matrices are stored; null: in float32. */
  readonly quantization: StoredQuantization | null;
  /** What its folder says about how it writes; null for a model that does not. */
  readonly generation: GenerationConfig | null;
  /** @throws {FileError} naming a file that `weights` are mapped from and that no longer holds what was opened. */
  checkUnchanged(): Promise<void>;
}

/**
 * Opens a model by folder or hub id; weights in 16 bits are converted, and block matrices quantised, once into the cache.
 * @throws {CheckpointError} when a file of a folder with digests is not as it was written; the errors of `openCheckpoint`, `anyModel`, `sanitize`, `loadTokenizer` and `openBaseWeights`.
 */
export async function openBaseModel(
  environment: Environment,
  name: string,
  onProgress: (event: HubEvent) => void = () => {},
  options: BaseOptions = {},
): Promise<BaseModel> {
  const { files, cacheFolder } = environment;
  const { folder, commit } = await environment.findModel(name, onProgress);
  await checkSums(files, folder);
  const checkpoint = await openCheckpoint(files, folder);
  const named = namedWeights(checkpoint, environment);
  const model = anyModel(checkpoint.config, joinPath(folder, "config.json"), named);
  const stored = sanitize(model.config, named, folder);
  // before anything is made for each layer
  const layers = layerIssues(model, stored);
  if (layers.length > 0) throw new CheckpointError(folder, layers, { hint: UNLIKE });
  const tokenizer = await loadTokenizer(files, folder);
  const issues = vocabularyIssues(tokenizer, model);
  if (issues.length > 0) throw new CheckpointError(folder, issues);
  const stamps = await stampsOf(files, stored);
  const print = await fingerprint(files, stored, cacheFolder);
  const { weights, quantization } = await openBaseWeights(environment, folder, stored, options, () =>
    blockLinears(model).map(({ path }) => path),
  );
  return {
    name,
    folder,
    commit,
    config: checkpoint.config,
    model,
    weights,
    tokenizer,
    fingerprint: print,
    pruning: await readPruning(files, folder),
    quantization,
    generation: await readGenerationConfig(files, folder, model, checkpoint.config),
    checkUnchanged: watchBase(files, weights, stamps, { stored, fingerprint: print }),
  };
}

/**
 * A checkpoint's weights without the prefixes of wrappers, which is said.
 * @throws {CheckpointError} when other names stand before the model's own.
 */
function namedWeights({ folder, weights, files }: Checkpoint, environment: Environment): Weights {
  const { weights: named, wrappers, prefix } = unwrapped(weights, folder);
  if (prefix !== null) {
    const [table] = [...named.keys()].filter((name) => name.startsWith(prefix) && name.endsWith(".weight"));
    const issue = { name: table!, expected: table!.slice(prefix.length), got: `the prefix ${JSON.stringify(prefix)}` };
    throw new CheckpointError(folder, [issue], { hint: prefixHint(folder, files, prefix) });
  }
  if (wrappers.length > 0)
    environment.note?.(`${folder}: names are read without ${wrappers.join(", ")}, which a wrapper left there.`);
  return named;
}

function prefixHint(folder: string, files: readonly string[], prefix: string): string {
  if (prefix.startsWith("base_model."))
    return "peft's wrapper was saved with the model. In Python, save what is inside: model.merge_and_unload().save_pretrained(DIR), or the adapter alone: model.save_pretrained(DIR).";
  const [name] = files;
  if (files.length > 1 || name === undefined)
    return "Save the model inside of the class that was saved: its save_pretrained.";
  const renamed = `{n.removeprefix(${pythonText(prefix)}): t for n, t in load(f).items()}`;
  const code = name.endsWith(".bin")
    ? `import torch; load = torch.load; f = ${pythonText(joinPath(folder, name))}; torch.save(${renamed}, f)`
    : `from safetensors.torch import load_file as load, save_file; f = ${pythonText(joinPath(folder, name))}; save_file(${renamed}, f, {'format': 'pt'})`;
  return `Rename them: ${pythonCommand(code)}`;
}

/** The most tokens an example may have: what was asked for, or less where the model takes no more. */
export function usableLength({ model, tokenizer }: BaseModel, wanted: number): number {
  return Math.min(wanted, maxSequenceLength(model.config), tokenizer.maxLength ?? Number.POSITIVE_INFINITY);
}

/**
 * The model as an encoder, for work that is built for encoders only.
 * @throws {UnsupportedError} naming that work.
 */
export function encoderOf({ model, name }: Pick<BaseModel, "model" | "name">, work: string): EncoderModel {
  if (!model.writes) return model;
  throw new UnsupportedError(`${work} of ${name} (${model.config.modelType})`, ENCODER_TYPES);
}

/**
 * Parts of the head that the checkpoint lacks, or has for another number of classes: they are trained from scratch.
 * @throws {CheckpointError} naming every other parameter that is missing or misshapen, and every tensor of a T5 that has
 * no place in it.
 */
export function missingHead(
  { model, weights, folder }: Pick<BaseModel, "model" | "weights" | "folder">,
  head: HeadKind,
): ReadonlySet<string> {
  // the bare model: what a method adds is no part of a checkpoint
  const { parameters } = buildTaskGraph({ model, method: headOnly(), head });
  const missing = new Set<string>();
  const issues: CheckpointIssue[] = [];
  for (const { name, shape, init, part } of parameters) {
    const stored = weights.get(name);
    if (stored && stored.shape.join() === shape.join()) continue;
    if (init && (!stored || part?.kind === "head")) missing.add(name);
    else
      issues.push({
        name,
        expected: `float32[${shape.join(", ")}]`,
        got: stored ? `${stored.dtype}[${stored.shape.join(", ")}]` : "nothing",
      });
  }
  // an encoder's checkpoint may carry heads of other tasks; a stored form may have parts (`….weight.scales`)
  const known = new Set(parameters.map(({ name }) => name));
  const isPart = (name: string) =>
    known.has(name) || (name.includes(".") && known.has(name.slice(0, name.lastIndexOf("."))));
  for (const [name, { dtype, shape }] of model.writes ? weights : [])
    if (!isPart(name)) issues.push({ name, expected: "nothing of this name", got: `${dtype}[${shape.join(", ")}]` });
  if (issues.length > 0) throw new CheckpointError(folder, issues, { hint: UNLIKE });
  return missing;
}

/** The classes that the checkpoint's own head tells apart, for training on; none where it has no such head. */
export function headClasses({ model, weights, name }: BaseModel): ModelClasses | undefined {
  if (model.writes) return undefined;
  const { labels } = model.config;
  const head = weights.get("classifier.weight") ?? weights.get("classifier.out_proj.weight");
  return labels.length >= 2 && head?.shape[0] === labels.length
    ? { names: labels, of: name, isTrained: true }
    : undefined;
}

const UNLIKE = "config.json and the weights do not belong together, or the download is incomplete.";

/** A model has several tensors for each layer: with fewer the two files are of different models. */
function layerIssues({ config }: Model, { size }: ReadonlyMap<string, unknown>): CheckpointIssue[] {
  const count = config.numLayers + ("numDecoderLayers" in config ? config.numDecoderLayers : 0);
  const expected = `the layers of ${size} tensors`;
  return count <= size ? [] : [{ name: "config.json", expected, got: `${count} layers` }];
}

function vocabularyIssues(tokenizer: Tokenizer, { config }: Model): CheckpointIssue[] {
  if (tokenizer.vocabSize <= config.vocabSize) return [];
  return [
    {
      name: "vocab_size",
      expected: `at least ${tokenizer.vocabSize}, the tokenizer's vocabulary`,
      got: String(config.vocabSize),
    },
  ];
}
