// A Hugging Face model folder: config.json and the weights, in one file or in shards.
import { CheckpointError, type CheckpointIssue, FileError } from "../errors.ts";
import { type Files, joinPath, type Weight, type Weights } from "../tensor/index.ts";
import { hexOf, joinBytes, tensorBytes } from "./bytes.ts";
import { issueList } from "./issues.ts";
import { isJsonObject, type JsonObject, readJsonObject } from "./json-file.ts";
import { openSafetensors } from "./safetensors.ts";
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
  const stat = (await files.stat(joinPath(folder, "config.json"))) === null ? await files.stat(folder) : undefined;
  if (stat === null) throw new FileError(folder, "expected a model folder, got nothing there", { hint: FOLDER_HINT });
  if (stat?.isFolder === false)
    throw new FileError(folder, "expected a model folder, got a file", { hint: FOLDER_HINT });
  const config = await readJsonObject(files, folder, "config.json", FOLDER_HINT);
  return { folder, config, ...(await openWeights(files, folder)) };
}

async function openWeights(files: Files, folder: string): Promise<Pick<Checkpoint, "weights" | "files">> {
  for (const name of WEIGHT_FILES) {
    if ((await files.stat(joinPath(folder, name))) === null) continue;
    if (name.endsWith(".index.json")) return openShards(files, folder, name);
    return { weights: await openWeightFile(files, joinPath(folder, name)), files: [name] };
  }
  const others = (await files.list(folder).catch((): string[] => [])).filter((name) =>
    /\.(safetensors|bin|pt|h5|msgpack|onnx|ckpt|gguf)$/.test(name),
  );
  const got = others.length > 0 ? others.join(", ") : "no weights";
  const hint = "Save the model with transformers: save_pretrained writes model.safetensors.";
  throw new FileError(folder, `expected ${WEIGHT_FILES.join(" or ")}, got ${got}`, { hint });
}

async function openWeightFile(files: Files, path: string): Promise<Weights> {
  if (path.endsWith(".safetensors")) return openSafetensors(files, path);
  const stat = await files.stat(path);
  return openTorchFile(files, path, stat?.sizeBytes ?? 0);
}

async function openShards(
  files: Files,
  folder: string,
  indexName: string,
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
  for (const shard of shards) opened.set(shard, await openWeightFile(files, joinPath(folder, shard)));
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

const WHOLE_BYTES = 32 << 20;
const SAMPLE_BYTES = 4096;

/**
 * A fingerprint of a model's weights: SHA-256, as hexadecimal, over each tensor's name, dtype, shape and bytes. Of
 * checkpoints over 32 MiB only the first 4 KiB of each tensor are read, enough to tell two trainings apart. The same
 * tensors give the same fingerprint whatever files they lie in.
 */
export async function fingerprint(files: Files, weights: Weights): Promise<string> {
  const ordered = [...weights].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const sizes = await Promise.all(
    ordered.map(async ([, weight]) => weight.span?.byteLength ?? tensorBytes(await weight.read()).length),
  );
  const limit = sizes.reduce((sum, size) => sum + size, 0) <= WHOLE_BYTES ? WHOLE_BYTES : SAMPLE_BYTES;
  const parts: Uint8Array[] = [];
  for (const [name, weight] of ordered) {
    parts.push(new TextEncoder().encode(`${JSON.stringify([name, weight.dtype, weight.shape])}\n`));
    parts.push(await firstBytes(files, weight, limit));
  }
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", joinBytes(parts))));
}

async function firstBytes(files: Files, weight: Weight, limit: number): Promise<Uint8Array> {
  const { span } = weight;
  if (span === undefined) return tensorBytes(await weight.read()).subarray(0, limit);
  return files.readRange(joinPath(span.folder, span.name), span.byteOffset, Math.min(span.byteLength, limit));
}
