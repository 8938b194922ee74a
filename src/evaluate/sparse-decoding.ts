// `--sparse-decoding`: the first batch is watched while whole matrices write it, and what pays here is used from then on.
import { ConfigError } from "../errors.ts";
import {
  calibrateSparseMlp,
  type Generator,
  type GeneratorOptions,
  openGenerator,
  planSparseMlp,
  type SparseMlpPlan,
} from "../infer/index.ts";
import type { OpenedTarget } from "../load/index.ts";
import { isExtra } from "../load/index.ts";
import { isMergeable, mergedWeights, untrained } from "../peft/index.ts";
import { headRecord } from "../tasks/index.ts";
import type { Tensor } from "../tensor/index.ts";

/** @throws {ConfigError} when sparse decoding is asked of a model that writes nothing. */
export function checkSparseDecoding({ head, base, options }: Pick<OpenedTarget, "head" | "base" | "options">): void {
  if (!options.sparseDecoding || headRecord(head).writes) return;
  throw new ConfigError(
    [{ path: "--sparse-decoding", expected: "a model that writes text, such as T5", got: base.name }],
    {
      hint: "An encoder reads whole texts at once: deft compress makes it smaller instead.",
    },
  );
}

/** A generator of whole matrices, by a plan, or with `isSparse` one that decides at its first batch. Errors as `openGenerator`. */
export function openTextGenerator(
  options: GeneratorOptions,
  { decoding, isSparse }: { readonly decoding: SparseMlpPlan | null; readonly isSparse: boolean },
): Promise<Generator> {
  if (decoding !== null) return openGenerator({ ...options, sparseMlp: decoding });
  return isSparse ? Promise.resolve(sparseGenerator(options)) : openGenerator(options);
}

/** The first batch is written twice, so that density and texts come from one program alone. */
function sparseGenerator(options: GeneratorOptions): Generator {
  let opening: Promise<Generator> | null = null;
  const open = async (
    trained: ReadonlyMap<string, Tensor>,
    ...[batch, choices]: [Parameters<Generator["generate"]>[1], Parameters<Generator["generate"]>[2]]
  ): Promise<Generator> => {
    const merged = mergedWhereExact(options, trained);
    const { density: _, ...quiet } = merged;
    const calibration = await calibrateSparseMlp(quiet, trained, [batch], choices);
    const sparseMlp = await planSparseMlp(calibration, { backend: options.backend });
    return openGenerator({ ...merged, sparseMlp });
  };
  let opened: Generator | null = null;
  return {
    async generate(trained, batch, choices) {
      opening ??= open(trained, batch, choices);
      opened = await opening;
      return opened.generate(trained, batch, choices);
    },
    density: () => opened?.density() ?? null,
    clearDensity: () => opened?.clearDensity(),
    dispose: async () => (await opening)?.dispose(),
  };
}

/** What was trained inside the weights, where it can be: rows of a matrix that a method adds to cannot be read alone. */
function mergedWhereExact(options: GeneratorOptions, trained: ReadonlyMap<string, Tensor>): GeneratorOptions {
  const { method, weights } = options;
  const isExact =
    isMergeable(method.settings) &&
    ![...trained.keys()].some(isExtra) &&
    [...weights.values()].every(({ parts }) => parts === undefined);
  if (!isExact) return options;
  return {
    ...options,
    method: untrained(),
    alsoTrains: new Set(),
    weights: mergedWeights(weights, trained, method.settings),
  };
}
