// A base whose block matrices are stored in few bits: as its folder has them, or quantised once into the cache.
import { CheckpointError, ConfigError } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { cachedWeights, type Float32Checkpoint, float32Checkpoint } from "../hub/index.ts";
import { compose } from "../nn/index.ts";
import type { Method } from "../peft/index.ts";
import { type MatrixLayout, openQuantized, quantizedCheckpoint, quantizedHooks } from "../quant/index.ts";
import type { Environment } from "../runs/index.ts";
import type { Weights } from "../tensor/index.ts";

/** How a base's matrices are stored, by parameter name. */
export interface StoredQuantization {
  readonly format: StoredFormat;
  readonly layouts: ReadonlyMap<string, MatrixLayout>;
}

/** How a base's weights are opened. */
export interface BaseOptions {
  /** Quantises the block matrices, once into the cache. */
  readonly quantize?: StoredFormat | null;
  /** Maps a copy in the cache also where the model's own files could be mapped. */
  readonly isCopied?: boolean;
}

/**
 * The weights to work with, mapped from files, and how their matrices are stored; null for a float base. `blockLayers` names
 * the linear layers of its blocks.
 * @throws {ConfigError} when the folder is quantised already, in another format; errors as `openQuantized`.
 */
export async function openBaseWeights(
  environment: Environment,
  folder: string,
  stored: Weights,
  { quantize: format = null, isCopied = false }: BaseOptions,
  blockLayers: () => readonly string[],
): Promise<{ readonly weights: Weights; readonly quantization: StoredQuantization | null }> {
  const { files, cacheFolder } = environment;
  const opened = await openQuantized(stored, folder);
  if (opened !== null) {
    const found = [...opened.layouts.values()][0]!.format;
    if (format !== null && format !== found) {
      throw new ConfigError([{ path: "--quantize", expected: `${found}, as ${folder} is stored`, got: format }], {
        hint: "Leave --quantize out, or give the float checkpoint.",
      });
    }
    const rest = new Map([...opened.weights].filter(([name]) => !opened.layouts.has(name)));
    const { weights } = told(environment, await float32Checkpoint(files, rest, cacheFolder, isCopied));
    return {
      weights: new Map([...opened.weights, ...weights]),
      quantization: { format: found, layouts: opened.layouts },
    };
  }
  if (format === null) {
    const { weights } = told(environment, await float32Checkpoint(files, stored, cacheFolder, isCopied));
    return { weights, quantization: null };
  }
  const names = new Set(blockLayers().map((site) => `${site}.weight`));
  const made = await cachedWeights(files, stored, cacheFolder, `-${format}`, (sources) =>
    quantizedCheckpoint(sources, names, format),
  );
  told(environment, made);
  const cached = await openQuantized(made.weights, made.file);
  if (cached === null) {
    throw new CheckpointError(folder, [
      { name: "linear layers", expected: "transformer blocks to quantise", got: "none" },
    ]);
  }
  return { weights: cached.weights, quantization: { format, layouts: cached.layouts } };
}

/** Says that a file of the cache was not what had been written there. */
function told(environment: Environment, made: Float32Checkpoint): Float32Checkpoint {
  if (made.wasDamaged)
    environment.note?.(`${made.file}: this file of the cache was not as it was written, and has been made again.`);
  return made;
}

/** The method over a base as it is stored. */
export function methodOver(quantization: StoredQuantization | null, method: Method): Method {
  if (quantization === null) return method;
  return { ...method, hooks: compose(quantizedHooks(quantization.layouts), method.hooks) };
}
