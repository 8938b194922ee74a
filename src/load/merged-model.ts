// A run or model made plain: adapter merged, everything frozen, ready to be cut, exported or timed.
import { gateOf, isGate } from "../density/index.ts";
import { UnsupportedError } from "../errors.ts";
import {
  deploy,
  deployedProgram,
  INPUT_NAMES,
  type InferenceModel,
  inferenceGraph,
  type Precision,
} from "../export/index.ts";
import { fingerprint, type JsonObject, writeSafetensors } from "../hub/index.ts";
import { anyModel, ENCODER_TYPES, type EncoderModel, encoderModel, type MlpSite, type Model } from "../models/index.ts";
import { externalWeights, type StaticRanges } from "../onnx/index.ts";
import { mergedWeights, methodOf, recordOf, untrained } from "../peft/index.ts";
import { type BesideMethod, isCompensationBias, isNeuronMask, type PlainModel } from "../prune/index.ts";
import type { Environment } from "../runs/index.ts";
import type { Backend, CompileOptions, Program } from "../runtime/index.ts";
import { buildTaskGraph, headOfConfig } from "../tasks/index.ts";
import { type Files, joinPath, memoryWeights, type Tensor, type Weights } from "../tensor/index.ts";
import { openBaseModel } from "./base-model.ts";
import { configText, configWithHead, type ModelSource, writeSmallFiles } from "./model-folder.ts";
import { finiteWeights } from "./not-finite.ts";
import { ADAPTER_FOLDER, type OpenedTarget, openTarget } from "./opened-target.ts";
import { isExtra, withExtras } from "./run-method.ts";
import type { RunOverrides, RunTarget } from "./target.ts";
import { writeTrainedPart } from "./trained-part.ts";

/** A model as config.json and weights alone, with where it came from. */
export interface MergedModel extends PlainModel {
  readonly opened: OpenedTarget;
  readonly model: Model;
  /** SHA-256 over the trained tensors; null for a bare model. */
  readonly adapterFingerprint: string | null;
  /** Neurons kept by training's masks, 1 or 0, by activation site; the others' weights are zeros here. */
  readonly masks: ReadonlyMap<string, Float32Array>;
  /** Gates that training gave the MLPs, by sublayer; those that were trained are folded into the weights here. */
  readonly gates: ReadonlyMap<string, number>;
}

/**
 * Opens a target and merges what was trained into its weights.
 * @throws {UnsupportedError} when the method cannot be merged; errors as `openTarget`.
 */
export async function openMergedModel(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides,
  options: FreezeOptions = {},
): Promise<MergedModel> {
  return frozen(environment.files, await openTarget(environment, target, overrides), options);
}

export interface FreezeOptions {
  /** Leave a method that cannot be merged beside the weights, instead of refusing it. */
  readonly keepsMethod?: boolean;
}

/** What was trained in an opened target, merged into its weights. @throws {UnsupportedError} as `openMergedModel`. */
export async function frozen(
  files: Files,
  opened: OpenedTarget,
  { keepsMethod = false }: FreezeOptions = {},
): Promise<MergedModel> {
  const { base, method, labels, head } = opened;
  const trained = new Map([...opened.trained].filter(([name]) => !isExtra(name)));
  const bySite = (is: (name: string) => boolean) =>
    new Map(
      [...opened.trained].filter(([name]) => is(name)).map(([name, { data }]) => [siteOf(name), data as Float32Array]),
    );
  const masks = bySite(isNeuronMask);
  const gates = new Map(
    [...opened.trained]
      .filter(([name]) => isGate(name))
      .map(([name, { data }]) => [siteOf(name), gateOf(Number(data[0]))]),
  );
  const untied = withOwnHead(opened, trained);
  const config = { ...configWithHead(base.config, head, labels), ...untied.config };
  const model = anyModel(config, undefined, untied.weights);
  const sites = model.mlps;
  const beside = keepsMethod ? besideMethod(opened, trained, gates) : null;
  const laid = beside
    ? new Map([...base.weights, ...memoryWeights(beside.tensors)])
    : mergedWeights(untied.weights, trained, method.settings);
  return {
    opened,
    config,
    model,
    weights: withFolded(laid, sites, {
      masks,
      shifts: bySite(isCompensationBias),
      gates: beside !== null && keepsGates(beside) ? new Map() : gates,
    }),
    beside: beside ?? undefined,
    adapterFingerprint: trained.size === 0 ? null : await adapterPrint(files, opened.trained),
    masks,
    gates: new Map([...opened.gates, ...gates]),
  };
}

/** A vocabulary's head that is the embeddings too becomes a matrix of its own where a LoRA changes the head alone. */
function withOwnHead(
  { base: { model, weights } }: OpenedTarget,
  trained: ReadonlyMap<string, Tensor>,
): Pick<PlainModel, "config" | "weights"> {
  if (!model.writes || !model.config.tiedHead || !trained.has("lm_head.lora_A.weight")) return { config: {}, weights };
  const table = weights.get("shared.weight")!;
  return {
    config: { scale_decoder_outputs: model.config.scaledHead },
    weights: new Map([...weights, ["lm_head.weight", table]]),
  };
}

const siteOf = (name: string): string => name.slice(0, name.lastIndexOf("."));

/** Whether gates stay scalars of the graph. */
const keepsGates = ({ tensors }: BesideMethod): boolean => [...tensors.keys()].some(isGate);

/** A method that no merge can replace, with what the gates leave of it; null for methods that can be merged. */
function besideMethod(
  { method: { settings }, trained: all }: OpenedTarget,
  trained: ReadonlyMap<string, Tensor>,
  gates: ReadonlyMap<string, number>,
): BesideMethod | null {
  const record = recordOf(settings);
  if (record.merge) return null;
  const method = methodOf(settings);
  const tensors = new Map(trained);
  if (!record.behindGates || gates.size === 0) return { method, tensors };
  const behind = record.behindGates(settings, tensors, gates);
  if (behind !== null) return { method, tensors: behind };
  for (const [name, value] of all) if (isGate(name)) tensors.set(name, value);
  return { method: withExtras(method, { masks: false, shifts: false, gates: true }), tensors };
}

/** What training left at the MLPs: masks by activation site, the rest by sublayer. */
interface Extras {
  readonly masks: ReadonlyMap<string, Float32Array>;
  readonly shifts: ReadonlyMap<string, Float32Array>;
  readonly gates: ReadonlyMap<string, number>;
}

/**
 * Columns of masked neurons become zeros, what stands for them a part of the bias, and gates factors of what an MLP gives:
 * the same function without any of them.
 */
function withFolded(weights: Weights, sites: readonly MlpSite[], { masks, shifts, gates }: Extras): Weights {
  const folded = new Map(weights);
  const change = (name: string, changed: (w: number, at: number) => number) => {
    const stored = weights.get(name);
    if (stored === undefined) return;
    const read = async () => {
      const { data, ...rest } = await stored.read();
      return { ...rest, data: (data as Float32Array).map(changed) };
    };
    folded.set(name, { dtype: stored.dtype, shape: stored.shape, read });
  };
  for (const { activation, sublayer, out } of sites) {
    const mask = masks.get(activation);
    const gate = gates.get(sublayer) ?? 1;
    const shift = shifts.get(sublayer);
    if (mask !== undefined || gate !== 1)
      change(`${out}.weight`, (w, at) => w * gate * (mask === undefined ? 1 : mask[at % mask.length]!));
    if (shift !== undefined || gate !== 1) change(`${out}.bias`, (b, d) => gate * (b + (shift?.[d] ?? 0)));
  }
  return folded;
}

/** The fingerprint of what was trained on a base: adapter, head, gates and masks. */
export function adapterPrint(files: Files, trained: ReadonlyMap<string, Tensor>): Promise<string> {
  return fingerprint(files, memoryWeights(trained));
}

/** The graph of a plain model; with what stays beside it. */
export function inferenceOf(config: JsonObject, beside?: BesideMethod): InferenceModel {
  const model = encoderModel(config);
  const { labels } = model.config;
  const head = headOfConfig(config, labels) ?? { kind: "classification", numLabels: labels.length };
  const hooks = beside?.method.hooks;
  return { model, head, ...(hooks ? { hooks } : {}) };
}

/** A plain model compiled for inference: packed weights, the last block at the first token. Errors as `Backend.compile`. */
export function compilePlain(
  backend: Backend,
  { config, weights, beside }: PlainModel,
  options: Pick<CompileOptions, "sleepThreads"> = {},
): Promise<Program> {
  const { outputs } = inferenceGraph(inferenceOf(config, beside));
  return backend.compile(outputs, { ...options, weights, mapWeights: false });
}

/** A plain encoder opened as its export will be: attention fused, in fewer bits where asked. Errors as `Backend.open`. */
export async function openDeployed(
  backend: Backend,
  { config, weights, beside }: PlainModel,
  precision: Precision,
  { ranges, ...options }: { readonly ranges?: StaticRanges | undefined } & Pick<CompileOptions, "sleepThreads"> = {},
): Promise<Program> {
  const inference = inferenceOf(config, beside);
  return backend.open(deployedProgram(inference, await deploy(inference, weights, precision, ranges)), options);
}

/** Feeds of `inferenceGraph` from a batch. */
export function inferenceFeeds(batch: {
  readonly tokenIds: Tensor;
  readonly attentionMask: Tensor;
  readonly tokenTypeIds: Tensor;
}): Record<string, Tensor> {
  const [ids, mask, types] = INPUT_NAMES;
  return { [ids]: batch.tokenIds, [mask]: batch.attentionMask, [types]: batch.tokenTypeIds };
}

/** Writes a plain model as a folder that `--model` opens: config.json, model.safetensors and the tokenizer; without what stays beside it. */
export async function writePlainModel(
  files: Files,
  folder: string,
  { config, weights }: PlainModel,
  source: ModelSource,
): Promise<void> {
  await writeSmallFiles(files, folder, source, null);
  await files.write(
    joinPath(folder, "model.safetensors"),
    writeSafetensors(finiteWeights(source.name, neededWeights(config, weights))),
  );
  await files.write(joinPath(folder, "config.json"), configText(config));
}

/**
 * Writes what stays beside a smaller base into `adapter/` of its folder, where `openTarget` finds it; `named` is what the base is called,
 * where that is not the folder.
 */
export async function writeBeside(
  environment: Environment,
  folder: string,
  { method, tensors }: BesideMethod,
  { opened: { head, labels, task, unanswerable } }: Pick<MergedModel, "opened">,
  named = folder,
): Promise<void> {
  const values = [...tensors]
    .filter(([name]) => isGate(name))
    .map(([name, { data }]) => [siteOf(name), gateOf(Number(data[0]))]);
  await writeTrainedPart(environment.files, joinPath(folder, ADAPTER_FOLDER), tensors, {
    method,
    base: { ...(await openBaseModel(environment, folder)), name: named },
    head,
    labels,
    toolVersion: environment.versions["deft-tune"] ?? "0",
    density: null,
    removal: null,
    gates: values.length === 0 ? null : { values: Object.fromEntries(values) as JsonObject },
    report: null,
    data: { task, ...(unanswerable ? { unanswerable: true } : {}) },
  });
}

/** The weights that the model's graph reads, and no others. */
function neededWeights(config: JsonObject, weights: Weights): Weights {
  const model = anyModel(config, undefined, weights);
  const names = model.writes
    ? buildTaskGraph({ model, method: untrained(), head: { kind: "language-model" } }).parameters
    : externalWeights(inferenceGraph(inferenceOf(config)).outputs);
  return new Map(names.map(({ name }) => [name, weights.get(name)!]));
}

/** The encoder that a frozen model is. @throws {UnsupportedError} when it is none. */
export function requireEncoder({ model }: MergedModel, what: string): EncoderModel {
  if (!model.writes) return model;
  throw new UnsupportedError(`${what} of ${model.config.modelType}`, ENCODER_TYPES);
}
