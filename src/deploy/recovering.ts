// Recovery: a few steps of fine-tuning after removal, as an ordinary run on the smaller model, merged again.
import type { PlainModel } from "../compress/index.ts";
import { ConfigError } from "../errors.ts";
import { jsonText } from "../hub/index.ts";
import { type Settings, settingsInput } from "../settings/index.ts";
import { joinPath } from "../tensor/index.ts";
import type { Environment, RunRecord, RunTarget } from "../workflow/index.ts";
import { openBaseModel, readRun, trainRun } from "../workflow/index.ts";
import { type FrozenModel, openFrozen, writePlainModel } from "./frozen-model.ts";

/** Progress of a recovery. */
export interface RecoveryEvent {
  readonly type: "recovery";
  readonly step: number;
  readonly totalSteps: number;
  readonly loss: number;
}

/**
 * The smaller model after `steps` steps of the run's own method without density loss, gates or removal. The run lies in `folder`.
 * It is evaluated once, at its end: no checkpoint is chosen by the examples that scores are stated on. One that was stopped there is gone on with.
 * @throws {ConfigError} when the target has no run whose settings and data could be gone on with, or `folder` holds another recovery.
 */
export async function* recover(
  environment: Environment,
  { opened }: FrozenModel,
  smaller: PlainModel,
  {
    steps,
    folder,
    signal,
  }: { readonly steps: number; readonly folder: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<RecoveryEvent, PlainModel> {
  const { settings } = opened;
  if (settings === null)
    throw new ConfigError([{ path: "--recovery-steps", expected: "a RUN to recover", got: "a model without a run" }]);
  const [base, run] = [joinPath(folder, "base"), joinPath(folder, "run")];
  await writePlainModel(environment.files, base, smaller, opened.base.folder);
  const wanted = recoverySettings(settings, base, run, steps);
  const begun = await begunRecovery(environment, base, wanted, run);
  if (begun === null || begun.result === null) {
    const stoppable = signal === undefined ? {} : { signal };
    const training = trainRun(environment, { ...wanted, resume: begun !== null }, stoppable);
    for await (const event of training)
      if (event.type === "step") yield { type: "recovery", step: event.step, totalSteps: steps, loss: event.loss };
    if ((await training.result).interrupted) signal?.throwIfAborted();
  }
  const target: RunTarget = { kind: "run", folder: run };
  const { config, weights } = await openFrozen(environment, target, {});
  return { config, weights };
}

/** The recovery that a compression left behind when it was stopped; null where there is none. @throws {ConfigError} when it is another one. */
async function begunRecovery(
  environment: Environment,
  base: string,
  wanted: Settings,
  folder: string,
): Promise<RunRecord | null> {
  if ((await environment.files.stat(joinPath(folder, "run.json"))) === null) return null;
  const { record } = await readRun(environment.files, folder);
  const { fingerprint } = await openBaseModel(environment, base);
  const isSame =
    record.fingerprints["base"] === fingerprint &&
    jsonText({ ...settingsInput(record.settings), resume: false }) ===
      jsonText({ ...settingsInput(wanted), resume: false });
  if (isSame) return record;
  throw new ConfigError([{ path: "--output", expected: "a new folder", got: `another recovery in ${folder}` }], {
    hint: "Remove that folder, or choose another output.",
  });
}

function recoverySettings(settings: Settings, model: string, output: string, steps: number): Settings {
  const { method } = settings;
  return {
    ...settings,
    model,
    output,
    resume: false,
    // a bottleneck adapter could not be merged; LoRA on every layer repairs what was cut wherever it was
    method: method.kind === "lora" ? { ...method, targets: "all-linear" } : method,
    density: { ...settings.density, weight: 0 },
    gates: null,
    removal: null,
    optim: { ...settings.optim, maxSteps: steps },
    evalSteps: steps,
    saveSteps: null,
    patience: null,
  };
}
