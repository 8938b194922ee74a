// The parameters of a run that has not ended, or of one of its checkpoints: what `RUN` and `RUN/checkpoints/step-N` name.
import { ConfigError } from "../errors.ts";
import type { Method } from "../peft/index.ts";
import type { Environment, RunRecord } from "../runs/index.ts";
import { buildTaskGraph, type HeadKind } from "../tasks/index.ts";
import { type Files, joinPath, type Tensor } from "../tensor/index.ts";
import { checkpointFolder, gatesByMlp, listCheckpoints, loadState, loadTrainable } from "../train/index.ts";
import { type BaseModel, missingHead } from "./base-model.ts";
import { methodOnBase, runExtras, withExtras } from "./run-method.ts";

/** A run's folder and the checkpoint that is meant; null: the run's own result. */
export interface RunPlace {
  readonly folder: string;
  readonly step: number | null;
}

/** Takes `RUN/checkpoints/step-N` apart; any other folder is a run's own. */
export async function runPlace(files: Files, folder: string): Promise<RunPlace> {
  const [, run, step] = /^(?:(.*)[\\/])?checkpoints[\\/]step-(\d+)[\\/]?$/.exec(folder) ?? [];
  if (step === undefined) return { folder, step: null };
  const owner = run ?? ".";
  return (await files.stat(joinPath(owner, "run.json"))) === null
    ? { folder, step: null }
    : { folder: owner, step: Number(step) };
}

/**
 * The checkpoint to take of a run without a result: the one that would be kept so far.
 * @throws {ConfigError} when there is none.
 */
export async function keptCheckpoint(environment: Environment, folder: string): Promise<number> {
  const { files } = environment;
  const root = joinPath(folder, "checkpoints");
  const steps = await listCheckpoints(files, root);
  const newest = steps.at(-1);
  if (newest === undefined) {
    throw new ConfigError([{ path: folder, expected: "a finished run, or one with a checkpoint", got: "neither" }], {
      hint: `Finish it first: deft train --output ${folder} --resume`,
    });
  }
  const { bestStep } = await loadState(files, root, newest);
  const step = bestStep !== null && steps.includes(bestStep) ? bestStep : newest;
  environment.note?.(
    `${folder} has not ended: its checkpoint of step ${step} is used (${checkpointFolder(root, step)}).`,
  );
  return step;
}

/** A run's method and parameters as they stood at a checkpoint. */
export interface CheckpointPart {
  readonly method: Method;
  readonly trained: ReadonlyMap<string, Tensor>;
  readonly alsoTrains: ReadonlySet<string>;
  /** As in an `OpenedTarget`. */
  readonly gates: ReadonlyMap<string, number>;
}

/**
 * Reads a checkpoint's parameters for a run on `base`.
 * @throws {ConfigError} when there is no such checkpoint, {CheckpointError} when it holds other parameters.
 */
export async function openCheckpointPart(
  { files }: Environment,
  { folder, step }: { readonly folder: string; readonly step: number },
  { settings }: RunRecord,
  base: BaseModel,
  head: HeadKind,
): Promise<CheckpointPart> {
  const root = joinPath(folder, "checkpoints");
  const steps = await listCheckpoints(files, root);
  if (!steps.includes(step)) {
    const got = steps.length === 0 ? "none" : steps.map((of) => `step-${of}`).join(", ");
    throw new ConfigError([{ path: checkpointFolder(root, step), expected: "a checkpoint of the run", got }]);
  }
  const keepsZeros = settings.maskSafe ?? base.pruning !== null;
  const method = withExtras(methodOnBase(settings.method, keepsZeros), runExtras(settings, base.model));
  const alsoTrains = missingHead(base, head);
  const { parameters } = buildTaskGraph({ model: base.model, method, head, alsoTrains });
  const names = parameters.filter(({ trainable, buffer }) => trainable || buffer).map(({ name }) => name);
  const { gates } = await loadState(files, root, step);
  return {
    method,
    alsoTrains,
    gates: new Map(Object.entries(gates ? gatesByMlp(gates) : {})),
    trained: await loadTrainable(files, root, step, names),
  };
}
