// Compression of a run: statistics, a rule or a search, the smaller model written, and what it costs in score, measured.
import { isTargets } from "../../data/index.ts";
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import {
  backendOf,
  explainNotFinite,
  type MergedModel,
  openMergedModel,
  type RunOverrides,
  type RunTarget,
} from "../../load/index.ts";
import { kindsOf, MERGEABLE } from "../../peft/index.ts";
import {
  applyPlan,
  keptCount,
  type LayerFacts,
  type NeuronStatistics,
  type PlainModel,
  type Plan,
  type SearchStep,
  unchanged,
} from "../../prune/index.ts";
import {
  type Compression,
  type Environment,
  eventLine,
  type Fingerprints,
  lockFolder,
  type Running,
  readPlan,
  running,
  type Stoppable,
  type StoredDecoding,
} from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { TeacherEvent } from "../../train/index.ts";
import { checkTargetContent } from "../job-content.ts";
import { type CompressData, openCompressData } from "./data.ts";
import { chooseDecoding } from "./decoding.ts";
import { exampleCount } from "./examples.ts";
import type { CompressOptions, CompressRule } from "./options.ts";
import { budgetOutcome, decodingFacts, modelSize, quantizedMetrics, runFacts, statedLatency } from "./outcome.ts";
import { checkOutput, clearOutput, RECOVERY_FOLDER, SEARCH_FILE, writeCompressed } from "./output-folder.ts";
import { recoveryChosen, recoveryFor } from "./recovery.ts";
import { type RecoveryEvent, recover } from "./recovery-run.ts";
import type { Choice } from "./rule-context.ts";
import { checkRule, chooseLayers, compensationFor, needsMoments } from "./rules.ts";
import { calibrate, layerFacts, statedScores } from "./scoring.ts";

/** Progress of a compression. */
export type CompressEvent =
  | {
      readonly type: "stage";
      readonly stage: "open" | "calibrate" | "choose" | "recover" | "measure" | "write";
      readonly text: string;
    }
  | ({ readonly type: "candidate" } & SearchStep)
  | RecoveryEvent
  | TeacherEvent;

/** Compresses a target into `options.output`, a folder that `--model` opens. Errors as `chooseLayers` and `openMergedModel`. */
export function compressRun(
  environment: Environment,
  target: RunTarget,
  options: CompressOptions,
  overrides: RunOverrides = {},
  { signal, fingerprints }: CompressExtras = {},
): Running<CompressEvent, Compression> {
  return running(compressEvents({ environment, target, options, overrides, signal, fingerprints }));
}

export interface CompressExtras extends Stoppable {
  /** What base, adapter and data must hold; a part that is not here may hold anything. */
  readonly fingerprints?: Fingerprints | undefined;
}

/** What a compression was asked for. */
interface CompressRequest {
  readonly environment: Environment;
  readonly target: RunTarget;
  readonly options: CompressOptions;
  readonly overrides: RunOverrides;
  readonly signal: AbortSignal | undefined;
  readonly fingerprints: Fingerprints | undefined;
}

async function* compressEvents(request: CompressRequest): AsyncGenerator<CompressEvent, Compression> {
  const { environment, options } = request;
  const lines: string[] = [];
  await checkOutput(environment, options.output);
  const lock = await lockFolder(environment, options.output);
  try {
    await clearOutput(environment, options.output);
    const steps = compressSteps(request, lines);
    for (;;) {
      const next = await steps.next();
      if (next.done) return next.value;
      lines.push(eventLine("compress", next.value));
      yield next.value;
    }
  } finally {
    await lock.release();
  }
}

async function* compressSteps(
  request: CompressRequest,
  lines: readonly string[],
): AsyncGenerator<CompressEvent, Compression> {
  yield stage("open", "opening the model and its data");
  const job = await openJob(request);
  try {
    return yield* compressOpened(request, job, lines);
  } catch (error) {
    throw await explainNotFinite(job.frozen.opened.base, error);
  }
}

async function* compressOpened(
  request: CompressRequest,
  job: OpenedCompression,
  lines: readonly string[],
): AsyncGenerator<CompressEvent, Compression> {
  const { environment, target, options, signal } = request;
  for (const note of job.data.notes) yield stage("open", note);
  const { frozen, sites, data, backend, recovery } = job;
  const { choice, statistics } = yield* chosen(request, job);
  const plan: Plan = {
    schema: 1,
    base: job.planTarget.base,
    adapter: job.planTarget.adapter,
    layers: choice.layers,
    quantization: options.quantization,
    exactness: recovery === null ? choice.exactness : "calibrated",
    chosen: recoveryChosen(choice.chosen, recovery),
  };
  let smaller = applyPlan(frozen, sites, plan.layers);
  if (recovery !== null) {
    const taught = recovery.distillation > 0 ? ", taught by the dense model, which is asked first" : "";
    yield stage("recover", `${recovery.steps} steps of ${recovery.method.kind}${taught}`);
    const folder = joinPath(options.output, RECOVERY_FOLDER);
    const source = target.kind === "run" ? target.folder : target.model;
    smaller = yield* recover(environment, frozen, smaller, recovery, { source, folder, signal });
  }
  let decoding: StoredDecoding | null = null;
  if (options.decodingBudget !== null) {
    yield stage("choose", "choosing thresholds for decoding by rows");
    decoding = await chooseDecoding(backend, frozen, smaller, data, options.decodingBudget);
  }
  yield stage("measure", `${exampleCount(data.heldOut)} examples of ${data.split} that no choice has seen`);
  const made: Made = { plan, smaller, decoding, candidates: choice.candidates, statistics };
  const compression = await measured(request, job, made);
  yield stage("write", options.output);
  await writeCompressed(environment, job.frozen, made, compression, lines);
  return compression;
}

/** What a compression works on. @throws {ConfigError} for options that do not fit the target. */
async function openJob({ environment, target, options, overrides, fingerprints }: CompressRequest) {
  const frozen = await openMergedModel(environment, target, overrides, { keepsMethod: true });
  await checkTargetContent(environment, target, frozen.opened, fingerprints);
  checkOptions(frozen, options);
  const recovery = recoveryFor(frozen, options.recovery);
  const sites = frozen.model.mlps;
  checkRule(sites, options.rule);
  const compensation = compensationFor(frozen, options);
  const data = await openCompressData(environment, frozen, options.calibrationExamples);
  const backend = backendOf(environment, frozen.opened);
  const { base } = frozen.opened;
  const adapter = frozen.adapterFingerprint === null ? null : { fingerprint: frozen.adapterFingerprint };
  const planTarget = {
    base: { model: base.name, fingerprint: base.fingerprint },
    adapter,
    sites,
    hiddenSize: frozen.model.config.hiddenSize,
  };
  return { frozen, recovery, sites, compensation, data, backend, planTarget };
}

type OpenedCompression = Awaited<ReturnType<typeof openJob>>;

/** The layers that a rule chooses, or that a plan made before names; with what was counted for it. */
async function* chosen(
  { environment: { files }, options, signal }: CompressRequest,
  { frozen, sites, compensation, data, backend, planTarget }: OpenedCompression,
): AsyncGenerator<CompressEvent, { readonly choice: Choice; readonly statistics: readonly NeuronStatistics[] }> {
  if (options.rule.kind === "plan") {
    const { layers, exactness, chosen: by } = await readPlan(files, options.rule.file, planTarget);
    return { choice: { layers, exactness, chosen: by, candidates: [] }, statistics: [] };
  }
  yield stage("calibrate", `${exampleCount(data.calibration)} examples of ${data.calibrationSplit}`);
  const moments = needsMoments(sites, options.rule, compensation);
  const statistics = await calibrate(backend, frozen, data.calibration, { moments });
  const facts: LayerFacts[] = await layerFacts(frozen, sites, statistics);
  yield stage("choose", "choosing what to remove");
  const context = {
    frozen,
    facts,
    data,
    backend,
    files,
    searchFile: joinPath(options.output, SEARCH_FILE),
    searchKey: searchKey(planTarget, data, options.rule, compensation),
    mayKeepAll: options.decodingBudget !== null,
    signal,
  };
  const steps = chooseLayers(context, options.rule);
  for (;;) {
    const next = await steps.next();
    if (next.done) return { choice: next.value, statistics };
    yield { type: "candidate", ...next.value };
  }
}

/** What was made, before it is measured. */
interface Made {
  readonly plan: Plan;
  readonly smaller: PlainModel;
  readonly decoding: StoredDecoding | null;
  readonly candidates: Choice["candidates"];
  readonly statistics: readonly NeuronStatistics[];
}

/** The record of a compression, with scores and latency on examples that no choice has seen. */
async function measured(
  { environment, target, options }: CompressRequest,
  { frozen, sites, data, backend }: OpenedCompression,
  { plan, smaller, decoding, candidates, statistics }: Made,
): Promise<Compression> {
  const { before, after, logitsDifference } = await statedScores(
    backend,
    frozen,
    smaller,
    data,
    decoding?.plan ?? null,
  );
  const latency = options.rule.kind === "latency" ? await statedLatency(backend, frozen, smaller, data) : null;
  const precision = plan.quantization;
  const how = { frozen, smaller, data, decoding: decoding?.plan ?? null };
  const quantized = precision === "none" ? null : await quantizedMetrics(backend, { ...how, precision });
  return {
    schema: 1,
    createdAt: new Date().toISOString(),
    source: target.kind === "run" ? target.folder : target.model,
    folder: options.output,
    exactness: decoding?.plan.exactness === "calibrated" ? "calibrated" : plan.exactness,
    ...(decoding === null ? {} : { decoding: decodingFacts(decoding) }),
    ...(smaller.beside ? { beside: smaller.beside.method.settings.kind } : {}),
    quantization: plan.quantization,
    chosen: plan.chosen,
    before: { ...modelSize(frozen, unchanged(sites)), metrics: before.metrics },
    after: { ...modelSize(smaller, plan.layers), metrics: after.metrics },
    layers: plan.layers.map((layer) => ({ site: layer.site, kept: keptCount(layer), of: layer.neurons })),
    ...(quantized === null ? {} : { quantized }),
    metricName: data.task.mainMetric,
    stated: { split: data.split, examples: exampleCount(data.heldOut) },
    calibration: {
      split: data.calibrationSplit,
      examples: exampleCount(data.calibration),
      tokens: statistics[0]?.tokens ?? 0,
      ...(isTargets(data.calibration) ? { targetTokens: statistics.at(-1)?.tokens ?? 0 } : {}),
    },
    logitsDifference,
    budget: budgetOutcome(options, latency, before, after),
    candidates,
    run: runFacts(frozen, data),
    versions: environment.versions,
  };
}

const stage = (name: Extract<CompressEvent, { type: "stage" }>["stage"], text: string): CompressEvent => ({
  type: "stage",
  stage: name,
  text,
});

/** What a search's measurements depend on. */
function searchKey(
  target: Pick<Plan, "base" | "adapter">,
  data: CompressData,
  rule: CompressRule,
  compensation: string,
): string {
  const counts = [data.calibration.totalTokens, data.search.totalTokens, data.search.count];
  const { generation } = data;
  return JSON.stringify([
    2,
    target.base.fingerprint,
    target.adapter?.fingerprint,
    data.task.name,
    data.split,
    counts,
    rule.kind,
    compensation,
    ...(isTargets(data.search) ? [generation] : []),
  ]);
}

/** @throws {ConfigError} where weights in few bits could not be measured, or nothing decodes. */
function checkOptions({ model, opened, beside }: MergedModel, options: CompressOptions): void {
  const { quantization, decodingBudget } = options;
  const { kind } = opened.method.settings;
  const issues: ConfigIssue[] = [];
  if (quantization === "qdq" && model.writes) {
    const expected = `int8 or int4 for ${opened.base.name}, an encoder–decoder`;
    issues.push({ path: "--quantize", expected, got: quantization });
  }
  if (decodingBudget !== null && (!model.writes || beside !== undefined)) {
    const expected = `a model that writes text, with its method merged (${kindsOf(MERGEABLE)})`;
    issues.push({ path: "--decoding-budget", expected, got: beside === undefined ? opened.base.name : kind });
  }
  if (issues.length > 0) throw new ConfigError(issues);
}
