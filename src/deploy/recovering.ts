// Recovery: a few steps of fine-tuning after removal, as an ordinary run on the smaller model, merged again.
import type { PlainModel } from "../compress/index.ts";
import { ConfigError } from "../errors.ts";
import type { Settings } from "../settings/index.ts";
import { joinPath } from "../tensor/index.ts";
import type { Environment, RunTarget } from "../workflow/index.ts";
import { trainRun } from "../workflow/index.ts";
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
 * It is evaluated once, at its end: no checkpoint is chosen by the examples that scores are stated on.
 * @throws {ConfigError} when the target has no run whose settings and data could be gone on with.
 */
export async function* recover(
  environment: Environment,
  { opened }: FrozenModel,
  smaller: PlainModel,
  steps: number,
  folder: string,
): AsyncGenerator<RecoveryEvent, PlainModel> {
  const { settings } = opened;
  if (settings === null)
    throw new ConfigError([{ path: "--recovery-steps", expected: "a RUN to recover", got: "a model without a run" }]);
  const [base, run] = [joinPath(folder, "base"), joinPath(folder, "run")];
  await writePlainModel(environment.files, base, smaller, opened.base.folder);
  const training = trainRun(environment, recoverySettings(settings, base, run, steps));
  for await (const event of training)
    if (event.type === "step") yield { type: "recovery", step: event.step, totalSteps: steps, loss: event.loss };
  await training.result;
  const target: RunTarget = { kind: "run", folder: run };
  const { config, weights } = await openFrozen(environment, target, {});
  return { config, weights };
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
