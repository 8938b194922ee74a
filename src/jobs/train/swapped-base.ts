// `--activation relu`: the model that a run trains is changed before, on the task's own texts, and kept in the run's folder.
import { ConfigError } from "../../errors.ts";
import { SUMS_FILE, writeSafetensors, writeSums } from "../../hub/index.ts";
import { configText, finiteWeights, writeSmallFiles, writeWhole } from "../../load/index.ts";
import { applyPlan, type Plan } from "../../prune/index.ts";
import { BASE_FOLDER, type Environment, lockFolder, writePlan } from "../../runs/index.ts";
import type { Settings } from "../../settings/index.ts";
import { joinPath } from "../../tensor/index.ts";
import { FIT_SAMPLE } from "../compress/data.ts";
import { drawn, sampleCount } from "../compress/examples.ts";
import { baseIssues, type Swap, type SwapTarget, swapChosen, swapTo } from "../compress/swap.ts";
import { prepare, type TrainingJob, type TrainOptions } from "./run-job.ts";

/**
 * The settings of a run on a model with another activation, which is kept in the folder `keeper`, in its `base`; settings that ask for none
 * are given back. All that can be refused of the run is refused before anything is written. A model that is there whole is taken where the
 * run is gone on with. Nothing but the model differs in the settings: such a run is resumed as any other.
 * @throws {ConfigError} for a model that has no place for another activation; errors as `prepare` and `swapTo`.
 */
export async function onSwappedBase(
  environment: Environment,
  settings: Settings,
  keeper: string | null,
  { signal, fingerprints }: Pick<TrainOptions, "signal" | "fingerprints">,
): Promise<Settings> {
  const { activation, densityBudget, fitSteps } = settings;
  if (activation === null || keeper === null) return settings;
  const { files } = environment;
  const folder = joinPath(keeper, BASE_FOLDER);
  const changed: Settings = { ...settings, model: folder, activation: null, densityBudget: null, fitSteps: null };
  if (settings.resume && (await files.stat(joinPath(folder, SUMS_FILE))) !== null) return changed;
  const job = await prepare(environment, settings, fingerprints === undefined ? {} : { fingerprints });
  const issues = baseIssues(job.base, "model");
  if (issues.length > 0) throw new ConfigError(issues);
  const lock = await lockFolder(environment, keeper);
  try {
    const target: SwapTarget = { name: activation, density: densityBudget, fitSteps: fitSteps ?? 0 };
    const swap = await swapped(job, target, signal);
    await writeBase(environment, folder, job, { swap, target });
    const share = (100 * swap.density).toFixed(1);
    environment.note?.(
      `${settings.model} has ${activation} in place of ${job.base.model.config.hiddenAct}: ${share} % of its activations are not zero before training (${folder})`,
    );
    return changed;
  } finally {
    await lock.release();
  }
}

/** What a run is given beside its settings once its model was compared and changed: the changed one has another fingerprint. */
export function withoutPrints<T extends Pick<TrainOptions, "fingerprints">>(options: T): Omit<T, "fingerprints"> {
  const { fingerprints: _compared, ...rest } = options;
  return rest;
}

async function swapped(job: TrainingJob, target: SwapTarget, signal: AbortSignal | undefined): Promise<Swap> {
  const { base, bundle, trainExamples, backend } = job;
  const lines = swapTo(
    {
      plain: base,
      sites: base.model.mlps,
      head: bundle.head,
      examples: drawn(trainExamples, sampleCount(trainExamples, FIT_SAMPLE)),
      backend,
      signal,
    },
    target,
  );
  for (;;) {
    const next = await lines.next();
    if (next.done) return next.value;
  }
}

async function writeBase(
  { files }: Environment,
  folder: string,
  { base }: TrainingJob,
  { swap, target }: { readonly swap: Swap; readonly target: SwapTarget },
): Promise<void> {
  const { config, weights } = applyPlan(base, base.model.mlps, swap.layers, target.name);
  // what was fitted is float32, whatever the model was stored in
  const { dtype: _dtype, torch_dtype: _old, ...rest } = config;
  const plan: Plan = {
    schema: 1,
    base: { model: base.name, fingerprint: base.fingerprint },
    adapter: null,
    layers: swap.layers,
    activation: target.name,
    quantization: "none",
    exactness: "calibrated",
    chosen: swapChosen({ ...target, scoreBudget: null }, swap, { rule: "silent" }),
  };
  await writeWhole(files, folder, async (inner) => {
    await writeSmallFiles(files, inner, base, null);
    await files.write(joinPath(inner, "model.safetensors"), writeSafetensors(finiteWeights(base.name, weights)));
    await files.write(joinPath(inner, "config.json"), configText({ ...rest, dtype: "float32" }));
    await writePlan(files, inner, plan);
    await writeSums(files, inner);
  });
}
