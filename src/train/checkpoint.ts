// Checkpoints: a folder that is there whole or not at all, with all that a run needs to go on bit for bit.
import { CheckpointError, type CheckpointIssue, FileError } from "../errors.ts";
import {
  checkSums,
  jsonText,
  openSafetensors,
  parseJson,
  removeFolder,
  requireShape,
  safetensorsBytes,
  writeFolder,
  writeSums,
} from "../hub/index.ts";
import { type Files, joinPath, type Tensor } from "../tensor/index.ts";
import type { LeftNeurons } from "./compacting/left-neurons.ts";
import type { DensityWeightControllerState } from "./density-weight-controller.ts";
import type { GateImportanceState } from "./gate-importance.ts";
import type { OptimizerState } from "./optimizer.ts";
import { TRAINER_STATE } from "./stored-state.ts";

/** Where a run stands after `globalStep` steps; keys as transformers' trainer_state.json where it has them. */
export interface TrainerState {
  readonly globalStep: number;
  readonly maxSteps: number;
  readonly bestMetric: number | null;
  /** The step whose parameters are kept so far. */
  readonly bestStep: number | null;
  /** Density and loss of its evaluation, which decide between equal scores; null in runs of version 0.1.0. */
  readonly bestDensity: number | null;
  readonly bestLoss: number | null;
  /** The last step that was evaluated: one that was due but not done is caught up with after a resume. */
  readonly evaluatedStep: number | null;
  /** Evaluations since the best. */
  readonly evaluationsWithoutGain: number;
  /** Running mean of the task loss, for the collapse warning. */
  readonly meanTaskLoss: number | null;
  /** Latest evaluations in a row that were majority-class answers. */
  readonly majorityEvaluations: number;
  /** What of them is yet to be told. */
  readonly majorityFinding: string | null;
  readonly warned: readonly string[];
  /** Of the density weight's controller, where there is one. */
  readonly control: DensityWeightControllerState | null;
  /** Of gates that are read off the gradient, where there are any. */
  readonly gates: GateImportanceState | null;
  /** Settings that the next steps depend on; a checkpoint goes on only under the same. */
  readonly fingerprint: string;
}

const STATE = "trainer_state.json";
const TRAINABLE = "trainable.safetensors";
const OPTIMIZER = "optimizer.safetensors";
/** Running energies of neurons, by activation site; only where neurons are removed. */
const ENERGIES = "energies.safetensors";

/** What MLPs add on average, by sublayer; only where gates are read off the gradient. */
const CENTRES = "centres.safetensors";

/** Masks as they were when neurons last left the graph of the step; only where some had. */
const LEFT = "left-neurons.safetensors";
/** Key of the state: steps that had been made then. */
const LEFT_AT = "neurons_left_at";

/** Running means of a run, by site; none where nothing asks for them. */
export interface RunningMeans {
  readonly energies?: ReadonlyMap<string, Tensor> | undefined;
  readonly centres?: ReadonlyMap<string, Tensor> | undefined;
}

/** Folder of the checkpoint after `step` steps. */
export function checkpointFolder(root: string, step: number): string {
  return joinPath(root, `step-${step}`);
}

const PARTIAL = ".partial";

/**
 * Writes beside, then renames: a crash leaves the old checkpoints and a `.partial` folder that the next save removes.
 * @throws {FileError} when the disk is full or refuses; nothing of the new checkpoint is left.
 */
export async function saveCheckpoint(
  files: Files,
  root: string,
  state: TrainerState,
  { parameters, m, v, left = null }: OptimizerState,
  { energies, centres }: RunningMeans = {},
): Promise<string> {
  const folder = checkpointFolder(root, state.globalStep);
  await writeFolder(files, joinPath(root, PARTIAL), folder, async (partial) => {
    await files.write(joinPath(partial, TRAINABLE), safetensorsBytes(parameters));
    const moments = new Map([...prefixed("m.", m), ...prefixed("v.", v)]);
    await files.write(joinPath(partial, OPTIMIZER), safetensorsBytes(moments));
    if (energies?.size) await files.write(joinPath(partial, ENERGIES), safetensorsBytes(energies));
    if (centres?.size) await files.write(joinPath(partial, CENTRES), safetensorsBytes(centres));
    if (left) await files.write(joinPath(partial, LEFT), safetensorsBytes(left.masks));
    await files.write(joinPath(partial, STATE), jsonText(toJson(state, left)));
    await writeSums(files, partial);
  });
  return folder;
}

/** Steps of the whole checkpoints below `root`, ascending. */
export async function listCheckpoints(files: Files, root: string): Promise<number[]> {
  if ((await files.stat(root)) === null) return [];
  const names = await files.list(root);
  return names
    .flatMap((name) => (/^step-\d+$/.test(name) ? [Number(name.slice("step-".length))] : []))
    .sort((a, b) => a - b);
}

/** Removes all checkpoints but the newest `keep` and those named. */
export async function pruneCheckpoints(
  files: Files,
  root: string,
  keep: number,
  alsoKeep: readonly number[],
): Promise<void> {
  const steps = await listCheckpoints(files, root);
  for (const step of steps.slice(0, Math.max(0, steps.length - keep))) {
    if (!alsoKeep.includes(step)) await removeFolder(files, checkpointFolder(root, step));
  }
}

/**
 * The state stored after `step` steps.
 * @throws {FileError} when there is none.
 * @throws {CheckpointError} when it holds other parameters than `names`, or a file of it is not as it was written.
 */
export async function loadCheckpoint(
  files: Files,
  root: string,
  step: number,
  names: { readonly trained: readonly string[]; readonly buffers: readonly string[] },
): Promise<{
  readonly state: TrainerState;
  readonly optimizer: OptimizerState;
  readonly energies: ReadonlyMap<string, Tensor>;
  readonly centres: ReadonlyMap<string, Tensor>;
}> {
  const folder = checkpointFolder(root, step);
  if ((await files.stat(joinPath(folder, STATE))) === null)
    throw new FileError(folder, "expected a checkpoint, got nothing there");
  const written = [STATE, TRAINABLE, OPTIMIZER, ...(names.buffers.length === 0 ? [] : [ENERGIES])];
  await checkSums(files, folder, written);
  const json = await readJson(files, folder);
  const state = fromJson(json);
  if (state.gates) await checkSums(files, folder, [CENTRES]);
  const leftAt = typeof json[LEFT_AT] === "number" ? json[LEFT_AT] : null;
  if (leftAt !== null) await checkSums(files, folder, [LEFT]);
  const parameters = await readAll(files, joinPath(folder, TRAINABLE), [...names.trained, ...names.buffers], "");
  const moments = joinPath(folder, OPTIMIZER);
  return {
    state,
    optimizer: {
      parameters,
      m: await readAll(files, moments, names.trained, "m."),
      v: await readAll(files, moments, names.trained, "v."),
      left: leftAt === null ? null : { step: leftAt, masks: await readWhole(files, joinPath(folder, LEFT)) },
    },
    energies: names.buffers.length === 0 ? new Map() : await readWhole(files, joinPath(folder, ENERGIES)),
    centres: state.gates ? await readWhole(files, joinPath(folder, CENTRES)) : new Map(),
  };
}

/**
 * Where a run stood after `step` steps.
 * @throws {CheckpointError} when it is not as it was written; {FileError}, {DataError} when it is not there or no JSON.
 */
export async function loadState(files: Files, root: string, step: number): Promise<TrainerState> {
  const folder = checkpointFolder(root, step);
  await checkSums(files, folder, [STATE]);
  return fromJson(await readJson(files, folder));
}

/** @throws {DataError} with every value that is none. */
async function readJson(files: Files, folder: string): Promise<Readonly<Record<string, unknown>>> {
  const path = joinPath(folder, STATE);
  const json = parseJson(path, await files.readText(path));
  requireShape(STATE, TRAINER_STATE, json);
  return json as Readonly<Record<string, unknown>>;
}

/** The trained parameters stored after `step` steps. Errors as `loadCheckpoint`. */
export async function loadTrainable(
  files: Files,
  root: string,
  step: number,
  names: readonly string[],
): Promise<Map<string, Tensor>> {
  const folder = checkpointFolder(root, step);
  await checkSums(files, folder, [TRAINABLE]);
  return readAll(files, joinPath(folder, TRAINABLE), names, "");
}

async function readWhole(files: Files, file: string): Promise<Map<string, Tensor>> {
  const weights = await openSafetensors(files, file);
  return readAll(files, file, [...weights.keys()], "");
}

async function readAll(
  files: Files,
  file: string,
  names: readonly string[],
  prefix: string,
): Promise<Map<string, Tensor>> {
  const weights = await openSafetensors(files, file);
  const issues: CheckpointIssue[] = [];
  const tensors = new Map<string, Tensor>();
  for (const name of names) {
    const weight = weights.get(prefix + name);
    if (weight) tensors.set(name, await weight.read());
    else issues.push({ name: prefix + name, expected: "a tensor", got: "nothing" });
  }
  if (issues.length > 0) throw new CheckpointError(file, issues);
  return tensors;
}

const prefixed = (prefix: string, tensors: ReadonlyMap<string, Tensor>) =>
  Array.from(tensors, ([name, t]) => [prefix + name, t] as const);

function toJson(state: TrainerState, left: LeftNeurons | null) {
  return {
    global_step: state.globalStep,
    max_steps: state.maxSteps,
    best_metric: state.bestMetric,
    best_model_checkpoint: state.bestStep === null ? null : `step-${state.bestStep}`,
    best_step: state.bestStep,
    ...(state.bestDensity === null ? {} : { best_density: state.bestDensity }),
    ...(state.bestLoss === null ? {} : { best_loss: state.bestLoss }),
    evaluated_step: state.evaluatedStep,
    evaluations_without_gain: state.evaluationsWithoutGain,
    mean_task_loss: state.meanTaskLoss,
    ...(state.majorityEvaluations === 0 ? {} : { majority_evaluations: state.majorityEvaluations }),
    ...(state.majorityFinding === null ? {} : { majority_finding: state.majorityFinding }),
    warned: state.warned,
    ...(state.control ? { control: { ...state.control } } : {}),
    ...(state.gates ? { gates: { ...state.gates } } : {}),
    ...(left ? { [LEFT_AT]: left.step } : {}),
    fingerprint: state.fingerprint,
  };
}

function fromJson(json: Readonly<Record<string, unknown>>): TrainerState {
  const number = (key: string) => (typeof json[key] === "number" ? json[key] : null);
  return {
    globalStep: number("global_step") ?? 0,
    maxSteps: number("max_steps") ?? 0,
    bestMetric: number("best_metric"),
    bestStep: number("best_step"),
    bestDensity: number("best_density"),
    bestLoss: number("best_loss"),
    evaluatedStep: number("evaluated_step"),
    evaluationsWithoutGain: number("evaluations_without_gain") ?? 0,
    meanTaskLoss: number("mean_task_loss"),
    majorityEvaluations: number("majority_evaluations") ?? 0,
    majorityFinding: typeof json["majority_finding"] === "string" ? json["majority_finding"] : null,
    warned: Array.isArray(json["warned"]) ? (json["warned"] as string[]) : [],
    control: controlIn(json["control"]),
    gates: (json["gates"] as GateImportanceState | undefined) ?? null,
    fingerprint: typeof json["fingerprint"] === "string" ? json["fingerprint"] : "",
  };
}

function controlIn(json: unknown): DensityWeightControllerState | null {
  const { weight, excess, slowExcess, density } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof weight !== "number" || typeof excess !== "number" || typeof slowExcess !== "number") return null;
  return { weight, excess, slowExcess, density: typeof density === "number" ? density : null };
}
