// A run or a model opened for scoring: base, method and trained tensors.
import type { ModelClasses } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import type { StoredFormat } from "../graph/index.ts";
import { openScorer, type Scorer, type SparseMlpPlan } from "../infer/index.ts";
import { compose, type Hooks } from "../nn/index.ts";
import { type Method, readSidecar, type Sidecar, untrained } from "../peft/index.ts";
import {
  type Compression,
  type Environment,
  type RunRecord,
  readCompression,
  readDecoding,
  readRun,
  storedGates,
} from "../runs/index.ts";
import type { Backend } from "../runtime/index.ts";
import {
  type EffectiveOptions,
  effectiveOptions,
  type Settings,
  storedFormat,
  type TaskName,
} from "../settings/index.ts";
import {
  buildTaskGraph,
  type HeadKind,
  headOfConfig,
  headOfTaskType,
  headRecord,
  type ModelBundle,
  taskRecord,
} from "../tasks/index.ts";
import { type Files, joinPath, type Tensor, zeros } from "../tensor/index.ts";
import { type BaseModel, missingHead, openBaseModel } from "./base-model.ts";
import { requireFiniteTensors } from "./not-finite.ts";
import { methodOver } from "./quantized-base.ts";
import { keptCheckpoint, openCheckpointPart, runPlace } from "./run-checkpoint.ts";
import type { RunOverrides, RunTarget } from "./target.ts";
import {
  bringsHead,
  hasSpanHead,
  knownTask,
  otherArchitecture,
  type TargetTask,
  tableTasks,
  targetTask,
} from "./target-head.ts";
import { checkTrainedPart, readTrainedPart } from "./trained-part.ts";

/** Where a folder keeps what was trained beside its base. */
export const ADAPTER_FOLDER = "adapter";

/** A model ready to score: base, method and trained tensors, with the task it was made for where that is known. */
export interface OpenedTarget extends ModelBundle {
  /** Whose `model` and `weights` these are. */
  readonly base: BaseModel;
  readonly labels: readonly string[];
  /** The run's settings; null for a bare model. */
  readonly settings: Settings | null;
  /** The task that it does, a key of the table of tasks. */
  readonly kind: string;
  /** What it was trained for, or is asked for; null where nothing says. */
  readonly task: TaskName | null;
  /** Trained on questions of which some have no answer. */
  readonly unanswerable: boolean;
  /** Gates of MLPs that were read off the gradient, by sublayer, and are no factor of anything; none for most targets. */
  readonly gates: ReadonlyMap<string, number>;
  /** Which MLPs of a decoder are read by rows; null: as the caller asks. */
  readonly decoding: SparseMlpPlan | null;
  /** What the call asked for, over the run's settings, over defaults. */
  readonly options: EffectiveOptions;
}

/** A target before the options of the call are known. */
type Opened = Omit<OpenedTarget, "options">;

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
  const opened = await openWithoutOptions(environment, target, overrides, headOptional);
  await requireFiniteTensors(targetName(target), opened.trained);
  const { settings, task, kind } = opened;
  const usualTask = task ?? knownTask(taskRecord(kind).names[0]);
  return { ...opened, options: effectiveOptions(settings, overrides, usualTask) };
}

async function openWithoutOptions(
  environment: Environment,
  target: RunTarget,
  overrides: RunOverrides,
  headOptional: boolean,
): Promise<Opened> {
  const { files } = environment;
  const compression = target.kind === "run" ? await readCompression(files, target.folder) : null;
  if (target.kind === "run" && compression !== null)
    return openCompressed(environment, target.folder, compression, overrides, headOptional);
  if (target.kind === "run") return openRun(environment, target.folder, overrides);
  const stored = target.adapter === null ? null : await trainedOn(files, target.adapter);
  const base = await openBaseModel(environment, target.model, undefined, {
    quantize: overrides.quantize === undefined ? stored : storedFormat(overrides.quantize),
  });
  const opened =
    target.adapter === null
      ? await openBareModel(base, headOptional, overrides.task ?? null)
      : await openAdapter(environment, base, target.adapter, null, overrides.task);
  return withHooks(asStored(opened), target.hooks);
}

/** A run's result, or one of its checkpoints; of a run that has not ended the checkpoint that would be kept so far. */
async function openRun(environment: Environment, folder: string, overrides: RunOverrides): Promise<Opened> {
  const place = await runPlace(environment.files, folder);
  const { record } = await readRun(environment.files, place.folder);
  const { settings } = record;
  const quantize = overrides.quantize === undefined ? (settings.quantize ?? null) : storedFormat(overrides.quantize);
  const base = await openBaseModel(environment, overrides.model ?? settings.model, undefined, { quantize });
  const adapter = joinPath(place.folder, ADAPTER_FOLDER);
  const hasEnded = (await environment.files.stat(adapter)) !== null;
  if (place.step === null && hasEnded)
    return asStored(await openAdapter(environment, base, adapter, record, settings.task));
  const step = place.step ?? (await keptCheckpoint(environment, place.folder));
  const { labels } = record;
  const facts = { task: settings.task, labels, isRegression: labels.length === 0, own: null, isStated: false };
  const { kind, head } = targetTask(base, facts);
  const part = await openCheckpointPart(environment, { folder: place.folder, step }, record, base, head);
  return asStored({
    base: readingAs(kind, base),
    model: base.model,
    weights: base.weights,
    ...part,
    labels,
    settings,
    kind,
    task: settings.task,
    unanswerable: record.unanswerable ?? false,
    head,
    decoding: null,
  });
}

/** A compressed model's folder: plain, or a smaller base with the method that stays beside it. */
async function openCompressed(
  environment: Environment,
  folder: string,
  { run }: Compression,
  overrides: RunOverrides,
  headOptional: boolean,
): Promise<Opened> {
  const base = await openBaseModel(environment, folder);
  const settings = run?.settings ?? null;
  const adapter = joinPath(folder, ADAPTER_FOLDER);
  const opened =
    (await environment.files.stat(adapter)) === null
      ? await openBareModel(base, headOptional, settings?.task ?? overrides.task ?? null)
      : asStored(await openAdapter(environment, base, adapter, null, settings?.task ?? overrides.task));
  const sites = base.model.mlps.filter(({ stack }) => stack === "decoder");
  const neurons = new Map(sites.map((site) => [site.activation, site.neurons]));
  const decoding = await readDecoding(environment.files, folder, neurons);
  return { ...opened, settings, decoding: decoding?.plan ?? null };
}

/** A base with the trained part in `adapter`, a run's or one that says itself what it is for. */
async function openAdapter(
  { files }: Environment,
  base: BaseModel,
  adapter: string,
  run: RunRecord | null,
  named: TaskName | undefined,
): Promise<Opened> {
  const part = await readTrainedPart(files, adapter, base);
  const labels = run ? run.labels : part.labels;
  const said = part.sidecar?.data ?? {};
  const task = named ?? knownTask(said["task"]);
  const { kind, head } = targetTask(base, {
    task,
    labels,
    isRegression: run || part.sidecar ? labels.length === 0 : labels.length === 1,
    own: hasSpanHead(part.tensors.keys()) ? { kind: "span" } : headOfTaskType(part.taskType),
    isStated: false,
  });
  const alsoTrains = checkTrainedPart(adapter, part, base, head);
  const other = otherArchitecture(base, head);
  if (other !== null && !bringsHead(base.model, part.tensors.keys())) throw headError(base, head, other);
  return {
    base: readingAs(kind, base),
    model: base.model,
    weights: base.weights,
    method: part.method,
    trained: part.tensors,
    alsoTrains,
    labels,
    settings: run?.settings ?? null,
    kind,
    task,
    unanswerable: run?.unanswerable ?? said["unanswerable"] === true,
    head,
    gates: measuredGates(adapter, part.sidecar),
    decoding: null,
  };
}

/** Those that were trained are tensors, and a factor of their MLPs. */
function measuredGates(adapter: string, sidecar: Sidecar | null): ReadonlyMap<string, number> {
  const { gates = null } = sidecar ?? {};
  return new Map(
    gates?.["kind"] === "importance" ? storedGates(adapter, gates).map(({ site, gate }) => [site, gate]) : [],
  );
}

/** A base that reads texts as training for such a task read them: each word by itself where they were given in words. */
function readingAs(kind: string, base: BaseModel): BaseModel {
  return taskRecord(kind).takesWords ? { ...base, tokenizer: base.tokenizer.ofWords() } : base;
}

/** How the base of an adapter was stored when it was trained. */
async function trainedOn(files: Files, adapter: string): Promise<StoredFormat | null> {
  return ((await readSidecar(files, adapter))?.base.quantization as StoredFormat | null | undefined) ?? null;
}

/** The target over its base as it is stored. */
function asStored(opened: Opened): Opened {
  return { ...opened, method: methodOver(opened.base.quantization, opened.method) };
}

function withHooks(opened: Opened, hooks: Hooks | undefined): Opened {
  if (hooks === undefined) return opened;
  return { ...opened, method: { ...opened.method, hooks: compose(opened.method.hooks, hooks) } };
}

/** A model without adapter: its own head, which it must have unless only its insides are measured. */
async function openBareModel(base: BaseModel, headOptional: boolean, task: TaskName | null): Promise<Opened> {
  const { labels } = base.model.config;
  const method = untrained();
  const { kind, head } = bareTask(base, task);
  const other = headOptional ? null : otherArchitecture(base, head);
  const missing = other === null ? missingHead(base, head) : new Set<string>();
  if (other !== null || (missing.size > 0 && !headOptional))
    throw headError(base, head, other ?? `none (${[...missing].join(", ")})`);
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
    kind,
    task,
    unanswerable: false,
    head,
    gates: new Map(),
    decoding: null,
  };
}

function headError(base: BaseModel, head: HeadKind, got: string): ConfigError {
  const own = headOfConfig(base.config, base.model.config.labels);
  const issue = { path: base.name, expected: `a model with ${headRecord(head).name}`, got };
  const isOther = own !== null && own.kind !== head.kind && missingHead(base, own).size === 0;
  const hint = isOther
    ? `Such a model does --task ${tableTasks(own)}.`
    : "Fine-tune it first with deft train, or give --adapter DIR.";
  return new ConfigError([issue], { hint });
}

/** The task of a model without adapter, by its name, the model's config.json and its parameters. */
function bareTask(base: BaseModel, task: TaskName | null): TargetTask {
  const { labels } = base.model.config;
  const points = hasSpanHead([...base.weights].map(([name]) => name));
  return targetTask(base, {
    task,
    labels,
    isRegression: labels.length === 1,
    own: points ? { kind: "span" } : headOfConfig(base.config, labels),
    isStated: typeof base.config.problem_type === "string",
  });
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

/** The classes that data for this target are matched with, called by `name` or as the run was; none for a regression. */
export function classesOf(
  { labels, kind, settings, base }: Pick<OpenedTarget, "labels" | "kind" | "settings" | "base">,
  name = settings?.output ?? base.name,
): ModelClasses | undefined {
  return !taskRecord(kind).hasClasses || labels.length === 0 ? undefined : { names: labels, of: name };
}

/** How a person named a target. */
export function targetName(target: RunTarget): string {
  return target.kind === "run" ? target.folder : (target.adapter ?? target.model);
}

/** The backend to score on: as asked for, or as the run was trained. */
export function backendOf(environment: Environment, { options }: Pick<OpenedTarget, "options">): Backend {
  return environment.backend(options.backend, options.threads);
}

/** Compiles a target's forward pass. Errors as `Backend.compile`. */
export function openTargetScorer(
  environment: Environment,
  opened: OpenedTarget,
  { density }: { readonly density: boolean },
): Promise<Scorer> {
  return openScorer({ ...opened, backend: backendOf(environment, opened), density });
}
