// A run or a model opened for scoring: base, method and trained tensors.
import { ConfigError } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { openScorer, type Scorer, type SparseMlpPlan } from "../infer/index.ts";
import { mlpSites } from "../models/index.ts";
import { compose, type Hooks } from "../nn/index.ts";
import { type Method, readSidecar, untrained } from "../peft/index.ts";
import type { Environment, RunRecord } from "../runs/index.ts";
import { type Compression, readCompression, readDecoding, readRun } from "../runs/index.ts";
import type { Backend } from "../runtime/index.ts";
import { DEFAULTS, type Settings, type TaskName, taskDefaults } from "../settings/index.ts";
import { buildTaskGraph, type HeadKind, type ModelBundle } from "../tasks/index.ts";
import { type Files, joinPath, type Tensor, zeros } from "../tensor/index.ts";
import { type BaseModel, missingHead, openBaseModel } from "./base-model.ts";
import { methodOver } from "./quantized-base.ts";
import type { RunOverrides, RunTarget } from "./target.ts";
import { HEAD_NAMES, hasSpanHead, targetHead, taskNamed } from "./target-head.ts";
import { checkTrainedPart, readTrainedPart } from "./trained-part.ts";
import { checkPositions } from "./virtual-tokens.ts";

/** Where a folder keeps what was trained beside its base. */
export const ADAPTER_FOLDER = "adapter";

/** Examples scored at once unless the settings say otherwise. */
export const SCORING_BATCH = 32;

/** A model ready to score: base, method and trained tensors, with the task it was made for where that is known. */
export interface OpenedTarget extends ModelBundle {
  /** Whose `model` and `weights` these are. */
  readonly base: BaseModel;
  readonly labels: readonly string[];
  /** The run's settings; null for a bare model. */
  readonly settings: Settings | null;
  readonly isRegression: boolean;
  /** What it was trained for, or is asked for; null where nothing says. */
  readonly task: TaskName | null;
  /** Trained on questions of which some have no answer. */
  readonly unanswerable: boolean;
  /** Which MLPs of a decoder are read by rows; null: as the caller asks. */
  readonly decoding: SparseMlpPlan | null;
}

/**
 * Opens what is to be scored; `headOptional` where only the insides are measured.
 * @throws {ConfigError} when the run has not ended, or a bare model lacks the head that is needed.
 */
export async function openTarget(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides,
  headOptional = false,
): Promise<OpenedTarget> {
  const { files } = environment;
  const compression = target.kind === "run" ? await readCompression(files, target.folder) : null;
  if (target.kind === "run" && compression !== null)
    return openCompressed(environment, target.folder, compression, overrides, headOptional);
  const run = target.kind === "run" ? (await readRun(files, target.folder)).record : null;
  const base = await openBaseModel(
    environment,
    target.kind === "model" ? target.model : (overrides.model ?? run!.settings.model),
    undefined,
    overrides.quantize ?? run?.settings.quantize ?? (await trainedOn(files, target)),
  );
  const adapter = target.kind === "run" ? joinPath(target.folder, ADAPTER_FOLDER) : target.adapter;
  const hooks = target.kind === "model" ? target.hooks : undefined;
  if (adapter === null)
    return withHooks(stored(await openBareModel(base, headOptional, overrides.task ?? null)), hooks);
  if (target.kind === "run" && (await files.stat(adapter)) === null) {
    throw new ConfigError([{ path: target.folder, expected: "a finished run", got: "one that has not ended" }], {
      hint: `Finish it first: deft train --output ${target.folder} --resume`,
    });
  }
  return withHooks(await openAdapter(environment, base, adapter, run, run?.settings.task ?? overrides.task), hooks);
}

/** A compressed model's folder: plain, or a smaller base with the method that stays beside it. */
async function openCompressed(
  environment: Environment,
  folder: string,
  { run }: Compression,
  overrides: RunOverrides,
  headOptional: boolean,
): Promise<OpenedTarget> {
  const base = await openBaseModel(environment, folder);
  const settings = run?.settings ?? null;
  const adapter = joinPath(folder, ADAPTER_FOLDER);
  const opened =
    (await environment.files.stat(adapter)) === null
      ? await openBareModel(base, headOptional, settings?.task ?? overrides.task ?? null)
      : await openAdapter(environment, base, adapter, null, settings?.task ?? overrides.task);
  const sites = mlpSites(base.model).filter(({ stack }) => stack === "decoder");
  const decoding = await readDecoding(environment.files, folder, new Set(sites.map(({ activation }) => activation)));
  return { ...opened, settings, decoding: decoding?.plan ?? null };
}

/** A base with the trained part in `adapter`, a run's or one that says itself what it is for. */
async function openAdapter(
  { files }: Environment,
  base: BaseModel,
  adapter: string,
  run: RunRecord | null,
  named: TaskName | undefined,
): Promise<OpenedTarget> {
  const part = await readTrainedPart(files, adapter, base);
  const labels = run ? run.labels : part.labels;
  const said = part.sidecar?.data ?? {};
  const task = named ?? taskNamed(said["task"]);
  const head = targetHead(base, {
    task,
    labels,
    isRegression: run ? labels.length === 0 : part.sidecar !== null && part.sidecar.labels.length === 0,
    points: hasSpanHead(part.tensors.keys()),
  });
  const alsoTrains = checkTrainedPart(adapter, part, base, head);
  const opened = {
    base,
    model: base.model,
    weights: base.weights,
    method: part.method,
    trained: part.tensors,
    alsoTrains,
    labels,
    settings: run?.settings ?? null,
    isRegression: head.kind === "regression",
    task,
    unanswerable: run?.unanswerable ?? said["unanswerable"] === true,
    head,
    decoding: null,
  };
  return stored(opened);
}

/** How the base of an adapter was stored when it was trained. */
async function trainedOn(files: Files, target: RunTarget): Promise<StoredFormat | null> {
  if (target.kind === "run" || target.adapter === null) return null;
  return ((await readSidecar(files, target.adapter))?.base.quantization as StoredFormat | null | undefined) ?? null;
}

/** The target over its base as it is stored. */
function stored(opened: OpenedTarget): OpenedTarget {
  return { ...opened, method: methodOver(opened.base.quantization, opened.method) };
}

function withHooks(opened: OpenedTarget, hooks: Hooks | undefined): OpenedTarget {
  if (hooks === undefined) return opened;
  return { ...opened, method: { ...opened.method, hooks: compose(opened.method.hooks, hooks) } };
}

/** A model without adapter: its own head, which it must have unless only its insides are measured. */
async function openBareModel(base: BaseModel, headOptional: boolean, task: TaskName | null): Promise<OpenedTarget> {
  const { labels } = base.model.config;
  const method = untrained();
  const points = hasSpanHead([...base.weights].map(([name]) => name));
  const head = targetHead(base, { task, labels, isRegression: labels.length === 1, points });
  const missing = missingHead(base, head);
  if (missing.size > 0 && !headOptional) {
    throw new ConfigError(
      [
        {
          path: base.name,
          expected: `a model with ${HEAD_NAMES[head.kind]}`,
          got: `none (${[...missing].join(", ")})`,
        },
      ],
      {
        hint: "Fine-tune it first with deft train, or give --adapter DIR.",
      },
    );
  }
  return {
    base,
    model: base.model,
    weights: base.weights,
    method,
    // density lies before the head, so any head will do to reach it
    trained: headOptional ? zeroTensors(base, method, head, missing) : new Map(),
    alsoTrains: missing,
    labels,
    settings: null,
    isRegression: head.kind === "regression",
    task,
    unanswerable: false,
    head,
    decoding: null,
  };
}

function zeroTensors(
  { model }: BaseModel,
  method: Method,
  head: HeadKind,
  names: ReadonlySet<string>,
): Map<string, Tensor> {
  const { parameters } = buildTaskGraph({ model, method, head });
  return new Map(
    parameters
      .filter(({ name }) => names.has(name))
      .map(({ name, shape }) => [name, zeros("float32", shape.map(Number))]),
  );
}

/** The backend to score on: as asked for, or as the run was trained. */
export function backendOf(environment: Environment, overrides: RunOverrides, settings: Settings | null): Backend {
  return environment.backend(
    overrides.backend ?? settings?.backend ?? DEFAULTS.backend,
    overrides.threads ?? settings?.threads ?? null,
  );
}

/** Compiles a target's forward pass. Errors as `Backend.compile`. */
export function openTargetScorer(
  environment: Environment,
  opened: OpenedTarget,
  overrides: RunOverrides,
  { density }: { readonly density: boolean },
): Promise<Scorer> {
  return openScorer({ ...opened, backend: backendOf(environment, overrides, opened.settings), density });
}

/**
 * The most tokens of an example: as asked for, or as the run was trained.
 * @throws {ConfigError} when the model has no positions for so many behind the method's virtual tokens.
 */
export function maxLengthOf({ base, method, settings, task }: OpenedTarget, overrides: RunOverrides): number {
  const usual = { ...DEFAULTS, ...taskDefaults(overrides.task ?? task ?? undefined) };
  const length = overrides["max-length"] ?? settings?.data.maxLength ?? usual["max-length"];
  checkPositions(base, method.settings, length);
  return length;
}
