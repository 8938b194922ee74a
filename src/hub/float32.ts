// 16-bit checkpoints as float32 files that a runtime can map: converted once, then found again.
import type { CheckpointIssue } from "../errors.ts";
import {
  bfloat16ToFloat32,
  type DType,
  elementBytes,
  elementCount,
  type Files,
  float16ToFloat32,
  joinPath,
  sha256,
  type Tensor,
  type Weight,
  type Weights,
} from "../tensor/index.ts";
import { tensorBytes } from "./bytes.ts";
import { cacheEntry, noteDigest } from "./cache-entry.ts";
import { sourceIdentity } from "./fingerprint.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";
import { removeLeftovers } from "./whole-folder.ts";

/** Nobody writes a file of the cache for so long without adding to it. */
const IDLE_MS = 3_600_000;

/** What `float32Checkpoint` made: the weights, and the file it wrote or found, if one was needed. */
export interface Float32Checkpoint {
  readonly weights: Weights;
  readonly file: string | null;
  readonly wasCached: boolean;
  /** The file was in the cache and not as it was written: it has been made again. */
  readonly wasDamaged: boolean;
}

const CONVERTED: ReadonlySet<DType> = new Set<DType>(["float16", "bfloat16", "float64"]);

/**
 * The same weights with every float tensor a float32 tensor that lies in a file. Tensors that already are stay where
 * they are, unless `isCopied`; the others are converted once into `cacheFolder`, under a name made from the identity of their files
 * (real path, size, times, inode, places of the tensors), and found there the next time.
 * float64 is rounded to the nearest float32; the 16-bit formats convert exactly.
 * @throws {FileError} when the cache folder cannot be written, for instance on a full disk.
 */
export async function float32Checkpoint(
  files: Files,
  weights: Weights,
  cacheFolder: string,
  isCopied = false,
): Promise<Float32Checkpoint> {
  const needsFile = ({ dtype, span }: Weight) => isCopied || CONVERTED.has(dtype) || span === undefined;
  const stored = [...weights].filter(([, weight]) => needsFile(weight));
  if (stored.length === 0) return { weights, file: null, wasCached: false, wasDamaged: false };
  const made = await cachedWeights(files, stored, cacheFolder, "", (sources) => sources);
  return { ...made, weights: new Map([...weights, ...made.weights]) };
}

/**
 * Weights made once from `sources` and kept in `cacheFolder`, in a file named after the identity of their files and
 * `label`. `make` is given the sources as float32, and asked for numbers only when the file has to be written. A file that is not as
 * it was written is made again.
 * @throws {FileError} when the cache folder cannot be written, for instance on a full disk.
 */
export async function cachedWeights(
  files: Files,
  sources: Iterable<readonly [string, Weight]>,
  cacheFolder: string,
  label: string,
  make: (sources: Weights) => Weights,
): Promise<Float32Checkpoint & { readonly file: string }> {
  const all = [...sources];
  const file = joinPath(cacheFolder, `${await identity(files, all)}${label}.safetensors`);
  const found = await cacheEntry(files, file);
  if (found !== "whole") {
    await removeLeftovers(files, cacheFolder, IDLE_MS);
    await files.write(file, writeSafetensors(make(new Map(all.map(([name, weight]) => [name, asFloat32(weight)])))));
    await noteDigest(files, file, await files.digest(file));
  }
  return {
    weights: await openSafetensors(files, file),
    file,
    wasCached: found === "whole",
    wasDamaged: found === "damaged",
  };
}

function asFloat32(weight: Weight): Weight {
  if (!CONVERTED.has(weight.dtype)) return weight;
  return { dtype: "float32", shape: weight.shape, read: async () => toFloat32(await weight.read()) };
}

/** A float tensor's numbers as float32: exact from the 16-bit formats, rounded from float64. */
export function toFloat32({ dtype, shape, data }: Tensor): Tensor {
  if (dtype === "float32") return { dtype, shape, data };
  const numbers =
    dtype === "float16"
      ? float16ToFloat32(data as Uint16Array)
      : dtype === "bfloat16"
        ? bfloat16ToFloat32(data as Uint16Array)
        : Float32Array.from(data as Float64Array);
  return { dtype: "float32", shape, data: numbers };
}

async function identity(files: Files, stored: readonly (readonly [string, Weight])[]): Promise<string> {
  const known = await sourceIdentity(files, stored);
  if (known !== null) return known;
  // where no place tells whether a file is still the same, only the numbers themselves do
  const parts: string[] = [];
  for (const [name, weight] of stored) {
    const { dtype, shape, span } = weight;
    parts.push(JSON.stringify([name, dtype, shape, span ?? null]), await sha256(tensorBytes(await weight.read())));
  }
  return (await sha256(parts.join("\n"))).slice(0, 40);
}

/** Bytes a float32 copy of the weights takes that have to be converted; 0 when none has. */
export function conversionBytes(weights: Weights): number {
  let bytes = 0;
  for (const { dtype, shape } of weights.values()) {
    if (CONVERTED.has(dtype)) bytes += elementCount(shape) * elementBytes("float32");
  }
  return bytes;
}

/** A float tensor as float32; one of another dtype is added to `issues` instead. */
export function floatTensor(name: string, tensor: Tensor, issues: CheckpointIssue[]): Tensor | null {
  if (FLOATS.has(tensor.dtype)) return toFloat32(tensor);
  const shape = `[${tensor.shape.join(", ")}]`;
  issues.push({ name, expected: `a float dtype ${shape}`, got: `${tensor.dtype}${shape}` });
  return null;
}

const FLOATS: ReadonlySet<DType> = new Set(["float32", "float16", "bfloat16", "float64"]);
