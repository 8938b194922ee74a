// Recovery: a few steps of fine-tuning after removal, as an ordinary run on the smaller model, merged again.

import { ConfigError } from "../../errors.ts";
import { isSameFingerprint, jsonText } from "../../hub/index.ts";
import type { RunTarget } from "../../load/index.ts";
import { type MergedModel, openBaseModel, openMergedModel, writePlainModel } from "../../load/index.ts";
import { recordOf } from "../../peft/index.ts";
import type { PlainModel } from "../../prune/index.ts";
import type { Environment, RunRecord } from "../../runs/index.ts";
import { readRun } from "../../runs/index.ts";
import { type Settings, settingsInput } from "../../settings/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { TeacherEvent } from "../../train/index.ts";
import { trainRun } from "../train/train.ts";
import type { Recovery } from "./recovery.ts";

/** Progress of a recovery. */
export interface RecoveryEvent {
  readonly type: "recovery";
  readonly step: number;
  readonly totalSteps: number;
  readonly loss: number;
}

/**
 * The smaller model after a recovery: the run's own settings without density loss, gates or removal, taught by the dense model in
 * `source`. The run lies in `folder`. It is evaluated once, at its end: no checkpoint is chosen by the examples that scores are stated
 * on. One that was stopped there is gone on with.
 * @throws {ConfigError} when `folder` holds another recovery.
 */
export async function* recover(
  environment: Environment,
  { opened }: MergedModel,
  smaller: PlainModel,
  recovery: Recovery,
  { source, folder, signal }: RecoverOptions,
): AsyncGenerator<RecoveryEvent | TeacherEvent, PlainModel> {
  const [base, run] = [joinPath(folder, "base"), joinPath(folder, "run")];
  await writePlainModel(environment.files, base, smaller, opened.base);
  const wanted = recoverySettings(recovery, source, base, run);
  const begun = await begunRecovery(environment, base, wanted, run);
  if (begun === null || begun.result === null) {
    const options = { teacher: opened, ...(signal === undefined ? {} : { signal }) };
    const training = trainRun(environment, { ...wanted, resume: begun !== null }, options);
    for await (const event of training)
      if (event.type === "teacher") yield event;
      else if (event.type === "step")
        yield { type: "recovery", step: event.step, totalSteps: recovery.steps, loss: event.loss };
    if ((await training.result).interrupted) signal?.throwIfAborted();
  }
  const target: RunTarget = { kind: "run", folder: run };
  const { config, weights } = await openMergedModel(environment, target, {});
  return { config, weights };
}

export interface RecoverOptions {
  /** The folder of the dense model that teaches. */
  readonly source: string;
  /** Where the smaller base and the run on it lie. */
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
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
    isSameFingerprint(record.fingerprints["base"], fingerprint) &&
    jsonText({ ...settingsInput(record.settings), resume: false }) ===
      jsonText({ ...settingsInput(wanted), resume: false });
  if (isSame) return record;
  throw new ConfigError([{ path: "--output", expected: "a new folder", got: `another recovery in ${folder}` }], {
    hint: "Remove that folder, or choose another output.",
  });
}

function recoverySettings(
  { settings, steps, method, rate, distillation, maskSafe }: Recovery,
  source: string,
  model: string,
  output: string,
): Settings {
  return {
    ...settings,
    model,
    output,
    resume: false,
    method,
    maskSafe,
    // the smaller model's matrices are plain, and full fine-tuning must not have them in few bits
    quantize: recordOf(method).trainsBase ? null : settings.quantize,
    density: { ...settings.density, weight: 0, auto: null },
    gates: null,
    removal: null,
    distillation: distillation === 0 ? null : { teacher: source, weight: distillation },
    optim: { ...settings.optim, learningRate: rate, maxSteps: steps },
    evalSteps: steps,
    saveSteps: null,
    patience: null,
  };
}
