// Compression of a run: statistics, a rule or a search, the smaller model written, and what it costs in score, measured.
import { isTargets } from "../../data/index.ts";
import { explainNotFinite, type RunOverrides, type RunTarget } from "../../load/index.ts";
import {
  applyPlan,
  keptCount,
  type NeuronStatistics,
  type PlainModel,
  type Plan,
  unchanged,
} from "../../prune/index.ts";
import {
  type Compression,
  type Environment,
  eventLine,
  type Fingerprints,
  lockFolder,
  type Running,
  running,
  type Stoppable,
  type StoredDecoding,
} from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import { decide } from "./decide.ts";
import { chooseDecoding } from "./decoding.ts";
import { type CompressEvent, stage } from "./event.ts";
import { exampleCount } from "./examples.ts";
import type { CompressOptions } from "./options.ts";
import {
  activationFacts,
  budgetOutcome,
  decodingFacts,
  modelSize,
  quantizedMetrics,
  runFacts,
  statedLatency,
} from "./outcome.ts";
import { checkOutput, clearOutput, RECOVERY_FOLDER, writeCompressed } from "./output-folder.ts";
import { recover } from "./recovery-run.ts";
import { type CompressRequest, type OpenedCompression, openJob } from "./request.ts";
import type { Choice } from "./rule-context.ts";
import { statedScores } from "./scoring.ts";

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
  const { plan, candidates, statistics } = yield* decide(request, job);
  let smaller = applyPlan(frozen, sites, plan.layers, plan.activation);
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
  const made: Made = { plan, smaller, decoding, candidates, statistics };
  const compression = await measured(request, job, made);
  yield stage("write", options.output);
  await writeCompressed(environment, job.frozen, made, compression, lines);
  return compression;
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
  const how = { frozen, smaller, data };
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
    ...(plan.activation === undefined
      ? {}
      : { activation: await activationFacts(backend, { frozen, smaller, data, name: plan.activation }) }),
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
