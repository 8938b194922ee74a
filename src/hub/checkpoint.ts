// A Hugging Face model folder: config.json and the weights, in one file or in shards.
import { CheckpointError, type CheckpointIssue, FileError } from "../errors.ts";
import { type Files, joinPath, parentFolder, type Weight, type Weights } from "../tensor/index.ts";
import { namesIn, shortList, wrongFolder } from "./folder-kind.ts";
import { issueList } from "./issues.ts";
import { isJsonObject, type JsonObject, readJsonObject } from "./json-file.ts";
import { openSafetensors } from "./safetensors.ts";
import { pythonCommand, pythonText, shellWord } from "./shell.ts";
import { openTorchFile } from "./torch-file.ts";

/** An opened model folder: `config` as parsed, `weights` still in their files, `files` the names the weights lie in. */
export interface Checkpoint {
  readonly folder: string;
  readonly config: JsonObject;
  readonly weights: Weights;
  readonly files: readonly string[];
}

/** Names of weight files in the order in which they are looked for. */
export const WEIGHT_FILES = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
] as const;

const FOLDER_HINT =
  "A model folder holds config.json, tokenizer.json and model.safetensors, as transformers' save_pretrained writes them.";

/**
 * Opens a model folder; only headers are read.
 * @throws {FileError} when the folder, config.json or every known weight file is missing.
 * @throws {DataError} when a JSON file is broken, with its line.
 * @throws {CheckpointError} when a weight file is damaged or shards are missing.
 */
export async function openCheckpoint(files: Files, folder: string): Promise<Checkpoint> {
  // asked for only when config.json is missing: over HTTP there are files but no folders
  if ((await files.stat(joinPath(folder, "config.json"))) === null) await checkFolder(files, folder);
  const config = await readJsonObject(files, folder, "config.json", FOLDER_HINT);
  return { folder, config, ...(await openWeights(files, folder, saveCommand(folder, config))) };
}

/** Says what a folder without config.json is. */
async function checkFolder(files: Files, folder: string): Promise<void> {
  const stat = await files.stat(folder);
  if (stat === null) throw new FileError(folder, "expected a model folder, got nothing there", { hint: FOLDER_HINT });
  if (!stat.isFolder) {
    const parent = parentFolder(folder);
    const isInModel = (await files.stat(joinPath(parent, "config.json"))) !== null;
    const hint = isInModel ? `Give the folder that it lies in: --model ${shellWord(parent)}` : FOLDER_HINT;
    throw new FileError(folder, "expected a model folder, got a file", { hint });
  }
  const wrong = await wrongFolder(files, folder, "model");
  if (wrong) throw new FileError(folder, `expected a model folder, got ${wrong.got}`, { hint: wrong.hint });
  const names = await namesIn(files, folder);
  const beside = names.length === 0 ? "in an empty folder" : `beside ${shortList(names)}`;
  throw new FileError(joinPath(folder, "config.json"), `expected a JSON file, got nothing there (${beside})`, {
    hint: FOLDER_HINT,
  });
}

/** Classes of transformers by the end of an architecture's name. */
const AUTO_CLASSES: Readonly<Record<string, string>> = {
  ForConditionalGeneration: "AutoModelForSeq2SeqLM",
  ForMaskedLM: "AutoModelForMaskedLM",
  ForMultipleChoice: "AutoModelForMultipleChoice",
  ForNextSentencePrediction: "AutoModelForNextSentencePrediction",
  ForPreTraining: "AutoModelForPreTraining",
  ForQuestionAnswering: "AutoModelForQuestionAnswering",
  ForSequenceClassification: "AutoModelForSequenceClassification",
  ForTokenClassification: "AutoModelForTokenClassification",
};

/** A command that saves a model in today's format with its head; undefined where config.json does not tell which it has. */
function saveCommand(folder: string, { architectures }: JsonObject): string | undefined {
  const [name]: unknown[] = Array.isArray(architectures) ? architectures : [];
  const end = /For[A-Z]\w*$/.exec(typeof name === "string" ? name : "")?.[0] ?? "";
  const auto = Object.hasOwn(AUTO_CLASSES, end) ? AUTO_CLASSES[end] : undefined;
  const at = pythonText(folder);
  const code = `from transformers import ${auto} as M; M.from_pretrained(${at}).save_pretrained(${at})`;
  return auto === undefined ? undefined : pythonCommand(code);
}

async function openWeights(
  files: Files,
  folder: string,
  convert: string | undefined,
): Promise<Pick<Checkpoint, "weights" | "files">> {
  for (const name of WEIGHT_FILES) {
    if ((await files.stat(joinPath(folder, name))) === null) continue;
    if (name.endsWith(".index.json")) return openShards(files, folder, name, convert);
    return { weights: await openWeightFile(files, joinPath(folder, name), convert), files: [name] };
  }
  const wrong = await wrongFolder(files, folder, "model");
  if (wrong) throw new FileError(folder, `expected a model folder, got ${wrong.got}`, { hint: wrong.hint });
  const others = (await namesIn(files, folder)).filter((name) =>
    /\.(safetensors|bin|pt|h5|msgpack|onnx|ckpt|gguf)$/.test(name),
  );
  const got = others.length > 0 ? others.join(", ") : "no weights";
  throw new FileError(folder, `expected ${WEIGHT_FILES.join(" or ")}, got ${got}`, { hint: weightsHint(others) });
}

function weightsHint(others: readonly string[]): string {
  const save = "Save the model with transformers: save_pretrained writes model.safetensors.";
  return others.some((name) => /\.(h5|msgpack|ckpt)$/.test(name))
    ? `${save} Files of TensorFlow and Flax are read by transformers 4 alone, with from_tf=True or from_flax=True.`
    : save;
}

async function openWeightFile(files: Files, path: string, convert: string | undefined): Promise<Weights> {
  if (path.endsWith(".safetensors")) return openSafetensors(files, path);
  const stat = await files.stat(path);
  return openTorchFile(files, path, stat?.sizeBytes ?? 0, convert);
}

async function openShards(
  files: Files,
  folder: string,
  indexName: string,
  convert: string | undefined,
): Promise<Pick<Checkpoint, "weights" | "files">> {
  const indexPath = joinPath(folder, indexName);
  const index = await readJsonObject(files, folder, indexName, "Fetch the model again.");
  const shardOf = weightMap(indexPath, index);
  const shards = [...new Set(shardOf.values())].sort();
  const issues: CheckpointIssue[] = [];
  for (const shard of shards) {
    const present = (await files.stat(joinPath(folder, shard))) !== null;
    if (!present) issues.push({ name: shard, expected: "a shard beside the index", got: "nothing there" });
  }
  if (issues.length > 0) {
    throw new CheckpointError(indexPath, issueList(issues), { hint: "Fetch the missing shards into the same folder." });
  }
  const opened = new Map<string, Weights>();
  for (const shard of shards) opened.set(shard, await openWeightFile(files, joinPath(folder, shard), convert));
  const weights = new Map<string, Weight>();
  for (const [name, shard] of shardOf) {
    const weight = opened.get(shard)!.get(name);
    if (weight) weights.set(name, weight);
    else issues.push({ name, expected: `a tensor in ${shard}`, got: "none of that name" });
  }
  if (issues.length > 0) {
    throw new CheckpointError(indexPath, issueList(issues), {
      hint: "Index and shards are of different versions; fetch both again.",
    });
  }
  return { weights, files: shards };
}

function weightMap(indexPath: string, index: JsonObject): Map<string, string> {
  const map = index.weight_map;
  const issues: CheckpointIssue[] = [];
  const shardOf = new Map<string, string>();
  if (!isJsonObject(map) || Object.keys(map).length === 0) {
    issues.push({ name: "weight_map", expected: "file names by tensor name", got: "none" });
  } else {
    for (const [name, shard] of Object.entries(map)) {
      // an index names files beside itself; anything else could read outside the folder
      if (typeof shard === "string" && /^[\w.-]+\.(safetensors|bin)$/.test(shard)) shardOf.set(name, shard);
      else issues.push({ name, expected: "the name of a file beside the index", got: JSON.stringify(shard) });
    }
  }
  if (issues.length > 0) throw new CheckpointError(indexPath, issueList(issues));
  return shardOf;
}
