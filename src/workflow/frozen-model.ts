// A run or model made plain: adapter merged, everything frozen, ready to be cut, exported or timed.
import { INPUT_NAMES, type InferenceModel, inferenceGraph, type PlainModel } from "../compress/index.ts";
import { gateOf, isGate, isNeuronMask } from "../density/index.ts";
import { fingerprint, type JsonObject, jsonText, writeSafetensors } from "../hub/index.ts";
import { type EncoderModel, encoderModel, type MlpSite, mlpSites } from "../models/index.ts";
import { externalWeights } from "../onnx/index.ts";
import { mergedWeights } from "../peft/index.ts";
import type { Backend, Program } from "../runtime/index.ts";
import { type Files, joinPath, memoryWeights, type Tensor, type Weights } from "../tensor/index.ts";
import type { RunOverrides, RunTarget } from "./api.ts";
import type { Environment } from "./environment.ts";
import { configWithHead } from "./model-folder.ts";
import { type OpenedTarget, openTarget } from "./opened-target.ts";

/** A classifier as config.json and weights alone, with where it came from. */
export interface FrozenModel extends PlainModel {
  readonly opened: OpenedTarget;
  readonly model: EncoderModel;
  /** SHA-256 over the trained tensors; null for a bare model. */
  readonly adapterFingerprint: string | null;
  /** ADA-DEFT's gates by sublayer, folded into the weights already. */
  readonly gates: ReadonlyMap<string, number>;
  /** Neurons kept by training's masks, 1 or 0, by activation site. */
  readonly masks: ReadonlyMap<string, Float32Array>;
}

/**
 * Opens a target and merges what was trained into its weights.
 * @throws {UnsupportedError} when the method cannot be merged; errors as `openTarget`.
 */
export async function openFrozen(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides,
): Promise<FrozenModel> {
  const opened = await openTarget(environment, target, overrides);
  const { base, method, labels, head } = opened;
  const trained = new Map([...opened.trained].filter(([name]) => !isNeuronMask(name) && !isGate(name)));
  const gates = new Map(
    [...opened.trained]
      .filter(([name]) => isGate(name))
      .map(([name, { data }]) => [name.slice(0, name.lastIndexOf(".")), gateOf(Number(data[0]))]),
  );
  const masks = new Map(
    [...opened.trained]
      .filter(([name]) => isNeuronMask(name))
      .map(([name, { data }]) => [name.slice(0, name.lastIndexOf(".")), data as Float32Array]),
  );
  const config = configWithHead(base.config, head, labels);
  const model = encoderModel(config);
  return {
    opened,
    config,
    model,
    weights: withMasks(
      withGates(mergedWeights(base.weights, trained, method.settings), mlpSites(model), gates),
      mlpSites(model),
      masks,
    ),
    gates,
    adapterFingerprint: trained.size === 0 ? null : await adapterPrint(environment.files, opened.trained),
    masks,
  };
}

/** `g · W` and `g · b` of an MLP's last layer: the same function without gates. */
function withGates(weights: Weights, sites: readonly MlpSite[], gates: ReadonlyMap<string, number>): Weights {
  const folded = new Map(weights);
  for (const { sublayer, out } of sites) {
    const gate = gates.get(sublayer);
    for (const name of gate === undefined ? [] : [`${out}.weight`, `${out}.bias`]) {
      const stored = weights.get(name);
      if (stored === undefined) continue;
      const read = async () => {
        const { data, ...rest } = await stored.read();
        return { ...rest, data: (data as Float32Array).map((w) => w * gate!) };
      };
      folded.set(name, { dtype: stored.dtype, shape: stored.shape, read });
    }
  }
  return folded;
}

/** Columns of masked neurons become zeros: the same function without masks. */
function withMasks(weights: Weights, sites: readonly MlpSite[], masks: ReadonlyMap<string, Float32Array>): Weights {
  const masked = new Map(weights);
  for (const { activation, out } of sites) {
    const mask = masks.get(activation);
    const stored = weights.get(`${out}.weight`);
    if (mask === undefined || stored === undefined) continue;
    const read = async () => {
      const { data, ...rest } = await stored.read();
      return { ...rest, data: (data as Float32Array).map((w, at) => w * mask[at % mask.length]!) };
    };
    masked.set(`${out}.weight`, { dtype: stored.dtype, shape: stored.shape, read });
  }
  return masked;
}

function adapterPrint(files: Files, trained: ReadonlyMap<string, Tensor>): Promise<string> {
  return fingerprint(files, memoryWeights(trained));
}

/** The graph of a plain model. */
export function inferenceOf(config: JsonObject): InferenceModel {
  const model = encoderModel(config);
  return { model, numLogits: model.config.labels.length };
}

/** A plain model compiled for inference: packed weights, the last block at the first token. Errors as `Backend.compile`. */
export function compilePlain(backend: Backend, { config, weights }: PlainModel): Promise<Program> {
  const { logits } = inferenceGraph(inferenceOf(config));
  return backend.compile({ logits }, { weights, mapWeights: false });
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

const TOKENIZER_FILES = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
];

/** Copies the files of a tokenizer from one folder to another; gives their names. */
export async function copyTokenizer(files: Files, from: string, to: string): Promise<string[]> {
  const copied: string[] = [];
  for (const name of TOKENIZER_FILES) {
    if ((await files.stat(joinPath(from, name))) === null) continue;
    await files.write(joinPath(to, name), await files.read(joinPath(from, name)));
    copied.push(name);
  }
  return copied;
}

/** Writes a plain model as a folder that `--model` opens: config.json, model.safetensors and the tokenizer. */
export async function writePlainModel(
  files: Files,
  folder: string,
  { config, weights }: PlainModel,
  tokenizerFolder: string,
): Promise<void> {
  await copyTokenizer(files, tokenizerFolder, folder);
  await files.write(joinPath(folder, "model.safetensors"), writeSafetensors(neededWeights(config, weights)));
  await files.write(joinPath(folder, "config.json"), jsonText(config));
}

/** The weights that the model's graph reads, and no others. */
function neededWeights(config: JsonObject, weights: Weights): Weights {
  const { logits } = inferenceGraph(inferenceOf(config));
  return new Map(externalWeights({ logits }).map(({ name }) => [name, weights.get(name)!]));
}
