// `deft compress --prune`: a model in, the same model with exact zeros out, as a folder that `--model` takes.
import { glueTask, isGlueTask, openDataset, type Split, splitOf } from "../../data/index.ts";
import { CheckpointError, ConfigError, UnsupportedError } from "../../errors.ts";
import { encodeSplit, scoringBatches } from "../../evaluate/index.ts";
import { openCheckpoint, shellWord } from "../../hub/index.ts";
import { inputSquares } from "../../infer/index.ts";
import type { RunOverrides, RunTarget } from "../../load/index.ts";
import {
  backendOf,
  checkNewFolder,
  configWithHead,
  frozen,
  headOf,
  maxLengthOf,
  type OpenedTarget,
  openTarget,
  targetData,
  writeModelFolder,
} from "../../load/index.ts";
import { sanitize } from "../../models/index.ts";
import { kindsOf, MERGEABLE, recordOf, untrained } from "../../peft/index.ts";
import {
  globalMagnitudeMasks,
  magnitudeMask,
  maskedWeight,
  type PrunableWeight,
  type PruneRecipe,
  prunableWeights,
  pruneRecipeText,
  wandaMask,
  type ZeroMask,
  zeroCount,
} from "../../prune/index.ts";
import type { Environment } from "../../runs/index.ts";
import { PRUNING_FILE, type PrunedLayer, type Pruning, pruningText } from "../../runs/index.ts";
import { type Files, randomStream, type Tensor, type Weight, type Weights } from "../../tensor/index.ts";

export { parsePruneRecipe } from "../../prune/index.ts";

/** Examples that Wanda measures inputs on, unless told otherwise: as many as in its paper. */
export const PRUNE_CALIBRATION_EXAMPLES = 128;

/** What `deft compress --prune` is told. */
export interface PruneOptions {
  readonly recipe: PruneRecipe;
  /** A new folder. */
  readonly output: string;
  readonly calibrationExamples?: number;
}

/** A pruned model as it was written. */
export interface PrunedModel {
  readonly output: string;
  readonly pruning: Pruning;
}

/**
 * Prunes a model, or a run's merged model, into a new folder.
 * @throws {ConfigError} when the folder is taken, a run cannot be merged, N:M does not divide a layer, or Wanda has no data.
 * Errors as `openTarget`.
 */
export async function pruneModel(
  environment: Environment,
  target: RunTarget,
  { recipe, output, calibrationExamples = PRUNE_CALIBRATION_EXAMPLES }: PruneOptions,
  overrides: RunOverrides = {},
): Promise<PrunedModel> {
  const { files } = environment;
  await checkNewFolder(files, output);
  const opened = await openTarget(environment, target, overrides, true);
  const isBare = target.kind === "model" && target.adapter === null;
  const weights = isBare ? opened.base.weights : await mergedTarget(files, opened, { recipe, output });
  const names = prunableWeights(opened.base.model, weights);
  checkFloat(opened);
  checkLayers(recipe, opened, weights, names);
  const job: Job = { environment, opened, isBare, weights, names, recipe };
  const { masks, calibration } = await chooseMasks(job, calibrationExamples);
  const source = await sourceOf(job);
  const pruned = new Map(source.weights);
  for (const [name, mask] of masks) {
    const stored = source.storedName(name);
    pruned.set(stored, maskedWeight(source.weights.get(stored)!, mask));
  }
  const layers = await layersOf(weights, masks);
  const total = (of: "zeros" | "size") => layers.reduce((sum, layer) => sum + layer[of], 0);
  const { base } = opened;
  const pruning: Pruning = {
    schemaVersion: 1,
    toolVersion: environment.versions["deft-tune"] ?? "0",
    recipe: pruneRecipeText(recipe),
    scope: recipe.scope,
    calibration,
    base: { model: base.name, revision: base.commit, fingerprint: base.fingerprint },
    sparsity: total("zeros") / total("size"),
    layers,
  };
  const also = { [PRUNING_FILE]: pruningText(pruning) };
  await writeModelFolder(files, output, {
    source: base,
    maxLength: null,
    config: source.config,
    weights: pruned,
    also,
  });
  return { output, pruning };
}

interface Job {
  readonly environment: Environment;
  readonly opened: OpenedTarget;
  /** Whether nothing was trained on the base. */
  readonly isBare: boolean;
  /** Merged, float32, by our names. */
  readonly weights: Weights;
  readonly names: readonly PrunableWeight[];
  readonly recipe: PruneRecipe;
}

type Masks = ReadonlyMap<string, ZeroMask>;

/** What was trained, in the weights: masks and gates of training too. */
async function mergedTarget(
  files: Files,
  opened: OpenedTarget,
  { recipe, output }: Pick<PruneOptions, "recipe" | "output">,
): Promise<Weights> {
  const { base, method } = opened;
  try {
    return (await frozen(files, opened)).weights;
  } catch (cause) {
    // a method that can be merged is refused for where it stands, and says so
    if (!(cause instanceof UnsupportedError) || recordOf(method.settings).merge) throw cause;
    const got = `one with ${method.settings.kind}, which is no change of its weights`;
    throw new ConfigError([{ path: "RUN", expected: `a model, or a run of ${kindsOf(MERGEABLE)}`, got }], {
      hint: `Prune the base, then train on it: deft compress --model ${shellWord(base.name)} --prune ${pruneRecipeText(recipe)} --output ${shellWord(output)}`,
    });
  }
}

function checkFloat({ base }: OpenedTarget): void {
  if (base.quantization === null) return;
  const got = `${base.name}, stored as ${base.quantization.format}`;
  throw new ConfigError([{ path: "--model", expected: "a float checkpoint to prune", got }], {
    hint: "Prune the float checkpoint, then quantise it: deft train --quantize nf4.",
  });
}

function checkLayers(
  { pattern }: PruneRecipe,
  { base }: OpenedTarget,
  weights: Weights,
  names: readonly PrunableWeight[],
): void {
  if (names.length === 0) {
    const expected = "matrices of linear layers inside blocks";
    throw new CheckpointError(base.folder, [{ name: "weights", expected, got: "none" }]);
  }
  if (pattern.kind !== "n-of-m") return;
  const wrong = names.filter(({ name }) => weights.get(name)!.shape[1]! % pattern.of !== 0);
  if (wrong.length === 0) return;
  const inputs = [...new Set(wrong.map(({ name }) => weights.get(name)!.shape[1]))].join(", ");
  throw new ConfigError([
    {
      path: "--prune",
      expected: `groups of M that divide the inputs of every layer (${wrong.length} have ${inputs})`,
      got: `M = ${pattern.of}`,
    },
  ]);
}

async function chooseMasks(
  job: Job,
  examples: number,
): Promise<{ readonly masks: Masks; readonly calibration: Pruning["calibration"] }> {
  const { weights, names, recipe } = job;
  const { pattern } = recipe;
  if (recipe.criterion === "wanda") return wandaMasks(job, examples);
  if (recipe.scope === "global" && pattern.kind === "ratio")
    return {
      masks: await globalMagnitudeMasks(
        weights,
        names.map(({ name }) => name),
        pattern.ratio,
      ),
      calibration: null,
    };
  const masks = new Map<string, ZeroMask>();
  for (const { name } of names) {
    const { data, shape } = await weights.get(name)!.read();
    masks.set(name, magnitudeMask(data as Float32Array, shape[1]!, pattern));
  }
  return { masks, calibration: null };
}

/** Block after block, each on inputs that came through the pruned blocks before it, as Wanda's public code does. */
async function wandaMasks(job: Job, count: number): Promise<Awaited<ReturnType<typeof chooseMasks>>> {
  const { environment, opened, weights, names, recipe } = job;
  const { base, options } = opened;
  const { sample, task, facts } = await calibrationSample(job, count);
  const { sourcePrefix, padding } = options.data;
  const examples = await encodeSplit(sample, base, { maxLength: maxLengthOf(opened), sourcePrefix }, task);
  const method = untrained();
  const known = new Map(weights);
  const masks = new Map<string, ZeroMask>();
  for (const block of new Set(names.map((of) => of.block))) {
    const inside = names.flatMap((of) => (of.block === block ? [of.name] : []));
    const squares = await inputSquares(
      {
        model: base.model,
        method,
        head: headOf(task, base),
        weights: known,
        backend: backendOf(environment, opened),
        sites: (path) => inside.includes(`${path}.weight`),
      },
      new Map(),
      scoringBatches(examples, headOf(task, base), padding, options.batchSize),
    );
    for (const name of inside) {
      const norms = Float32Array.from(squares.get(name.slice(0, -".weight".length))!, Math.sqrt);
      const mask = wandaMask((await weights.get(name)!.read()).data as Float32Array, norms, recipe.pattern);
      masks.set(name, mask);
      known.set(name, maskedWeight(weights.get(name)!, mask));
    }
  }
  return { masks, calibration: { ...facts, examples: examples.count, tokens: examples.totalTokens } };
}

async function calibrationSample({ environment, opened }: Job, count: number) {
  const { options } = opened;
  const known = targetData(opened, {
    task: "the task of Wanda's calibration data",
    data: "a folder or file to calibrate on",
    hint: "Or prune by magnitude, which needs no data: --prune magnitude:0.5",
  });
  const isFile = options.asked.has("data") && (await environment.files.stat(known.data))?.isFolder === false;
  const name = options.split ?? (isGlueTask(known.task) ? glueTask(known.task).trainSplit : "train");
  const dataset = await openDataset(environment.files, {
    ...known,
    splits: [name],
    // a decoder reads its targets
    labelsRequired: opened.base.model.writes,
    ...(isFile ? { heldOutShare: null } : {}),
  });
  const { seed } = options;
  const split = splitOf(dataset, name);
  return {
    sample: sampleOf(split, count, seed),
    task: dataset.task,
    facts: { task: known.task, split: split.name, data: dataset.fingerprint, seed },
  };
}

/** `count` examples of a split, drawn by the seed, without labels, which may be another task's. */
function sampleOf(split: Split, count: number, seed: number): Split {
  const order = randomStream(seed, "calibration").shuffle(Array.from({ length: split.count }, (_, i) => i));
  const drawn = new Set(order.slice(0, count));
  async function* examples() {
    let index = 0;
    for await (const example of split.examples())
      if (drawn.has(index++)) yield { ...example, label: null, labelList: null };
  }
  return { ...split, count: drawn.size, examples };
}

/** What the zeros are laid over: a bare model's own file as it is, names and dtypes too; a run's merged model. */
async function sourceOf({ environment, opened, isBare, weights }: Job) {
  const { base, head, labels } = opened;
  if (!isBare)
    return { weights, config: configWithHead(base.config, head, labels), storedName: (name: string) => name };
  const stored = (await openCheckpoint(environment.files, base.folder)).weights;
  const named = new Map<Weight, string>([...stored].map(([name, weight]) => [weight, name]));
  const ours = sanitize(base.model.config, stored, base.folder);
  return { weights: stored, config: base.config, storedName: (name: string) => named.get(ours.get(name)!)! };
}

async function layersOf(weights: Weights, masks: Masks): Promise<PrunedLayer[]> {
  const layers: PrunedLayer[] = [];
  for (const [name, mask] of masks) {
    const tensor: Tensor = mask.applyTo(await weights.get(name)!.read());
    layers.push({ name, zeros: zeroCount(tensor), size: mask.size });
  }
  return layers;
}
