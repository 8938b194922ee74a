// A base whose block matrices are stored in few bits: as its folder has them, or quantised once into the cache.
import { CheckpointError, ConfigError } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { cachedWeights, float32Checkpoint } from "../hub/index.ts";
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

/**
 * The weights to work with, mapped from files, and how their matrices are stored; null for a float base. `blockLayers` names
 * the linear layers of its blocks.
 * @throws {ConfigError} when the folder is quantised already, in another format; errors as `openQuantized`.
 */
export async function openBaseWeights(
  { files, cacheFolder }: Environment,
  folder: string,
  stored: Weights,
  format: StoredFormat | null,
  blockLayers: () => readonly string[],
): Promise<{ readonly weights: Weights; readonly quantization: StoredQuantization | null }> {
  const opened = await openQuantized(stored, folder);
  if (opened !== null) {
    const found = [...opened.layouts.values()][0]!.format;
    if (format !== null && format !== found) {
      throw new ConfigError([{ path: "--quantize", expected: `${found}, as ${folder} is stored`, got: format }], {
        hint: "Leave --quantize out, or give the float checkpoint.",
      });
    }
    const rest = new Map([...opened.weights].filter(([name]) => !opened.layouts.has(name)));
    const { weights } = await float32Checkpoint(files, rest, cacheFolder);
    return {
      weights: new Map([...opened.weights, ...weights]),
      quantization: { format: found, layouts: opened.layouts },
    };
  }
  if (format === null) {
    const { weights } = await float32Checkpoint(files, stored, cacheFolder);
    return { weights, quantization: null };
  }
  const names = new Set(blockLayers().map((site) => `${site}.weight`));
  const made = await cachedWeights(files, stored, cacheFolder, `-${format}`, (sources) =>
    quantizedCheckpoint(sources, names, format),
  );
  const cached = await openQuantized(made.weights, made.file);
  if (cached === null) {
    throw new CheckpointError(folder, [
      { name: "linear layers", expected: "transformer blocks to quantise", got: "none" },
    ]);
  }
  return { weights: cached.weights, quantization: { format, layouts: cached.layouts } };
}

/** The method over a base as it is stored. */
export function methodOver(quantization: StoredQuantization | null, method: Method): Method {
  if (quantization === null) return method;
  return { ...method, hooks: compose(quantizedHooks(quantization.layouts), method.hooks) };
}
