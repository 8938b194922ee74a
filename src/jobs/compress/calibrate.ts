// Ranges of activations for 8 bits known beforehand: what each was on calibration texts, and what eight bits cost its products.

import type { EncodedExamples } from "../../data/index.ts";
import { ConfigError } from "../../errors.ts";
import { inferenceBatches } from "../../evaluate/index.ts";
import { deploy, deployedProgram } from "../../export/index.ts";
import type { RunTarget } from "../../load/index.ts";
import { backendOf, inferenceFeeds, inferenceOf, type MergedModel, requireEncoder } from "../../load/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import {
  ActivationHistogram,
  type ActivationRange,
  multiplied,
  noiseNames,
  noisy,
  observed,
  type StaticRanges,
} from "../../onnx/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { Environment } from "../../runs/index.ts";
import { readCompression } from "../../runs/index.ts";
import type { Backend, Outputs } from "../../runtime/index.ts";
import { openCompressData } from "./data.ts";
import { drawn } from "./examples.ts";

/** Examples that the error of products is measured on: each is computed in several forms. */
const NOISE_EXAMPLES = 128;
/** Noise in a product's result, as a share of its variance, that is not worth a range of every run's own. */
const SMALL_NOISE = 0.001;

/** Squared error over variance of a product's result that eight-bit activations make. */
export interface RangeNoise {
  /** With a range taken from the very run. */
  readonly dynamic: number;
  /** With the range of all calibration values. */
  readonly whole: number;
  /** With the range of least squared error of the activation itself. */
  readonly best: number;
}

/** What eight bits cost the products that read one activation: the most of them, and the range that was chosen. */
export interface ActivationNoise extends RangeNoise {
  /** Names of the products' weights. */
  readonly weights: readonly string[];
  /** null: taken anew in every run. */
  readonly range: ActivationRange | null;
}

/** The one of two ranges with less noise; null where neither is quiet and a range of every run's own halves the noise. */
export function chosenRange(
  { dynamic, whole, best }: RangeNoise,
  ranges: Readonly<Record<"whole" | "best", ActivationRange>>,
): ActivationRange | null {
  const noise = Math.min(whole, best);
  if (noise > SMALL_NOISE && noise > 2 * dynamic) return null;
  return best < whole ? ranges.best : ranges.whole;
}

/**
 * Measures a plain model's activations on `examples`, one at a time so that nothing is padded, and chooses for each between the
 * range of all its values, the range of least squared error, and one taken anew in every run. Errors as `Backend.open`.
 */
export async function calibrateActivations(
  backend: Backend,
  { config, weights, beside }: PlainModel,
  examples: EncodedExamples,
): Promise<ActivationNoise[]> {
  const inference = inferenceOf(config, beside);
  const model = await deploy(inference, weights, "fp32");
  const run = async (changed: OnnxModel, on: EncodedExamples, each: (outputs: Outputs) => void) => {
    const outputs = changed.outputs.map((name) => ({ name, dtype: "float32" as const, shape: [] }));
    const program = await backend.open({ ...deployedProgram(inference, changed), outputs });
    try {
      for (const batch of inferenceBatches(on, 1)) each(await program.run(inferenceFeeds(batch)));
    } finally {
      await program.dispose();
    }
  };
  const activations = multiplied(model);
  const histograms = new Map([...activations.keys()].map((name) => [name, new ActivationHistogram()]));
  await run(observed(model), examples, (outputs) => {
    for (const [name, histogram] of histograms) histogram.add(outputs[name]!.data as Float32Array);
  });
  const ranges = new Map([...histograms].map(([x, of]) => [x, { whole: of.wholeRange(), best: of.bestRange() }]));
  const candidates = new Map([...ranges].map(([x, { whole, best }]) => [x, [whole, best]]));
  const some = drawn(examples, NOISE_EXAMPLES);
  const meters = new Map([...activations.values()].flat().map((weight) => [weight, new NoiseMeter(weight)]));
  await run(noisy(model, candidates), some, (outputs) => {
    for (const meter of meters.values()) meter.add(outputs);
  });
  return [...activations].map(([x, names]) => {
    const shares = names.map((weight) => meters.get(weight)!.shares());
    const most = (form: keyof RangeNoise) => Math.max(...shares.map((of) => of[form]));
    const noise = { dynamic: most("dynamic"), whole: most("whole"), best: most("best") };
    return { ...noise, weights: names, range: chosenRange(noise, ranges.get(x)!) };
  });
}

/**
 * Ranges for a target's `qdq`, from the data of its task: for a compressed model the same examples that its score was stated with.
 * @throws {ConfigError} when there are no texts.
 * @throws {UnsupportedError} for what is no encoder. Other errors as `calibrateActivations`.
 */
export async function taskRanges(
  environment: Environment,
  target: RunTarget,
  frozen: MergedModel,
): Promise<StaticRanges> {
  requireEncoder(frozen, "qdq");
  const compression = target.kind === "run" ? await readCompression(environment.files, target.folder) : null;
  const opened = openCompressData(environment, frozen, compression?.calibration.examples ?? null);
  const { calibration } = await opened.catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.issues, {
      hint: "qdq knows the ranges of activations beforehand, from texts of a task; int8 and int4 need none.",
    });
  });
  const backend = backendOf(environment, frozen.opened);
  return staticRanges(await calibrateActivations(backend, frozen, calibration));
}

/** Ranges by weight, as `deploy` takes them. */
export function staticRanges(measured: readonly ActivationNoise[]): StaticRanges {
  return new Map(measured.flatMap(({ weights, range }) => weights.map((weight) => [weight, range] as const)));
}

/** Adds up a product's energy, and the noise of its forms, over runs. */
class NoiseMeter {
  readonly #weight: string;
  readonly #noise = { dynamic: 0, whole: 0, best: 0 };
  #energy = 0;
  #rows = 0;
  #sums: number[] = [];

  constructor(weight: string) {
    this.#weight = weight;
  }

  add(outputs: Outputs): void {
    const { shape, energy, sums, dynamic, fixed } = noiseNames(this.#weight);
    const of = (name: string) => outputs[name]!.data as Float32Array;
    this.#noise.dynamic += of(dynamic)[0]!;
    this.#noise.whole += of(fixed(0))[0]!;
    this.#noise.best += of(fixed(1))[0]!;
    this.#rows += of(shape)[0]!;
    this.#energy += of(energy)[0]!;
    for (const [o, sum] of of(sums).entries()) this.#sums[o] = (this.#sums[o] ?? 0) + sum;
  }

  shares(): RangeNoise {
    const ofMeans = this.#sums.reduce((sum, value) => sum + value ** 2 / this.#rows, 0);
    // a result that hardly varies leaves only rounding behind
    const variance = Math.max(this.#energy - ofMeans, 1e-9 * this.#energy);
    const share = (noise: number) => (noise === 0 ? 0 : noise / variance);
    const { dynamic, whole, best } = this.#noise;
    return { dynamic: share(dynamic), whole: share(whole), best: share(best) };
  }
}
