// Compression of a run: statistics, a rule or a search, the smaller model written, and what it costs in score, measured.
import {
  applyPlan,
  deploy,
  deployedProgram,
  keptCount,
  type LayerFacts,
  type LayerPlan,
  type NeuronStatistics,
  type PlainModel,
  type Plan,
  parsePlan,
  type SearchStep,
  unchanged,
} from "../compress/index.ts";
import { ConfigError } from "../errors.ts";
import { jsonText, parseJson } from "../hub/index.ts";
import { mlpSites } from "../models/index.ts";
import type { Backend } from "../runtime/index.ts";
import { joinPath, parameterCount } from "../tensor/index.ts";
import type { Environment, Running, RunOverrides, RunTarget, Stoppable } from "../workflow/index.ts";
import {
  type BudgetOutcome,
  backendOf,
  COMPRESSION_FILE,
  type Compression,
  type ModelSize,
  running,
} from "../workflow/index.ts";
import { type CompressData, openCompressData } from "./compress-data.ts";
import type { CompressOptions } from "./compress-options.ts";
import { type Choice, chooseLayers } from "./compress-rules.ts";
import { calibrate, layerFacts, logitsOf, lostScore, metricsOf } from "./compress-scoring.ts";
import {
  compilePlain,
  type FrozenModel,
  inferenceOf,
  openFrozen,
  requireEncoder,
  writePlainModel,
} from "./frozen-model.ts";
import { type RecoveryEvent, recover } from "./recovering.ts";

const PLAN_FILE = "plan.json";
const SEARCH_FILE = "search.jsonl";

/** Progress of a compression. */
export type CompressEvent =
  | {
      readonly type: "stage";
      readonly stage: "open" | "calibrate" | "choose" | "measure" | "write";
      readonly text: string;
    }
  | ({ readonly type: "candidate" } & SearchStep)
  | RecoveryEvent;

/** Compresses a target into `options.output`, a folder that `--model` opens. Errors as `chooseLayers` and `openFrozen`. */
export function compressRun(
  environment: Environment,
  target: RunTarget,
  options: CompressOptions,
  overrides: RunOverrides = {},
  { signal }: Stoppable = {},
): Running<CompressEvent, Compression> {
  return running(compressEvents(environment, target, options, overrides, signal));
}

async function* compressEvents(
  environment: Environment,
  target: RunTarget,
  options: CompressOptions,
  overrides: RunOverrides,
  signal: AbortSignal | undefined,
): AsyncGenerator<CompressEvent, Compression> {
  const { files } = environment;
  await checkOutput(environment, options.output);
  yield stage("open", "opening the model and its data");
  const frozen = await openFrozen(environment, target, overrides);
  requireEncoder(frozen, "compression");
  const sites = mlpSites(frozen.model);
  const data = await openCompressData(environment, frozen, overrides, options.calibrationExamples);
  const backend = backendOf(environment, overrides, frozen.opened.settings);
  const planTarget = {
    base: { model: frozen.opened.base.name, fingerprint: frozen.opened.base.fingerprint },
    adapter: frozen.adapterFingerprint === null ? null : { fingerprint: frozen.adapterFingerprint },
    sites,
    hiddenSize: frozen.model.config.hiddenSize,
  };
  let choice: Choice;
  let statistics: NeuronStatistics[] = [];
  if (options.rule.kind === "plan") {
    const { file } = options.rule;
    const plan = parsePlan(parseJson(file, await files.readText(file)), planTarget, file);
    choice = { layers: plan.layers, exactness: plan.exactness, chosen: plan.chosen, candidates: [] };
  } else {
    yield stage("calibrate", `${data.calibration.count} examples of ${data.calibrationSplit}`);
    statistics = await calibrate(backend, frozen, data.calibration);
    const facts: LayerFacts[] = await layerFacts(frozen, sites, statistics);
    yield stage("choose", "choosing what to remove");
    const context = {
      frozen,
      facts,
      data,
      backend,
      files,
      searchFile: joinPath(options.output, SEARCH_FILE),
      searchKey: searchKey(planTarget, data, options),
      signal,
    };
    const steps = chooseLayers(context, options.rule);
    for (;;) {
      const next = await steps.next();
      if (next.done) {
        choice = next.value;
        break;
      }
      yield { type: "candidate", ...next.value };
    }
  }
  const plan: Plan = {
    schema: 1,
    base: planTarget.base,
    adapter: planTarget.adapter,
    layers: choice.layers,
    quantization: options.quantization,
    exactness: options.recoverySteps > 0 ? "calibrated" : choice.exactness,
    chosen: { ...choice.chosen, ...(options.recoverySteps > 0 ? { recoverySteps: options.recoverySteps } : {}) },
  };
  let smaller = applyPlan(frozen, sites, plan.layers);
  if (options.recoverySteps > 0)
    smaller = yield* recover(environment, frozen, smaller, options.recoverySteps, joinPath(options.output, "recovery"));
  yield stage("measure", `${data.stated.count} examples of ${data.split} that no choice has seen`);
  const [before, after] = [await score(backend, frozen, data), await score(backend, smaller, data)];
  const quantized =
    plan.quantization === "none" ? null : await quantizedMetrics(backend, smaller, data, plan.quantization);
  yield stage("write", options.output);
  const compression: Compression = {
    schema: 1,
    createdAt: new Date().toISOString(),
    source: target.kind === "run" ? target.folder : target.model,
    folder: options.output,
    exactness: plan.exactness,
    quantization: plan.quantization,
    chosen: plan.chosen,
    before: { ...sizeOf(frozen, unchanged(sites)), metrics: before.metrics },
    after: { ...sizeOf(smaller, plan.layers), metrics: after.metrics },
    layers: plan.layers.map((layer) => ({ site: layer.site, kept: keptCount(layer), of: layer.neurons })),
    ...(quantized === null ? {} : { quantized }),
    metricName: data.task.mainMetric,
    stated: { split: data.split, examples: data.stated.count },
    calibration: {
      split: data.calibrationSplit,
      examples: data.calibration.count,
      tokens: statistics[0]?.tokens ?? 0,
    },
    logitsDifference: before.logits.reduce((most, value, i) => Math.max(most, Math.abs(value - after.logits[i]!)), 0),
    budget: budgetOutcome(options, plan, data, before.logits, after.logits),
    candidates: choice.candidates,
    run: runFacts(frozen, data),
    versions: environment.versions,
  };
  await writePlainModel(files, options.output, smaller, frozen.opened.base.folder);
  await files.write(joinPath(options.output, PLAN_FILE), jsonText({ ...plan }));
  await files.write(joinPath(options.output, COMPRESSION_FILE), jsonText({ ...compression }));
  return compression;
}

const stage = (name: Extract<CompressEvent, { type: "stage" }>["stage"], text: string): CompressEvent => ({
  type: "stage",
  stage: name,
  text,
});

/** A folder of a search that was stopped is gone on with; anything else there is kept from harm. */
async function checkOutput({ files }: Environment, output: string): Promise<void> {
  const stat = await files.stat(output);
  if (stat === null) return;
  const taken = stat.isFolder ? (await files.list(output)).filter((name) => name !== SEARCH_FILE) : ["a file"];
  if (taken.length === 0) return;
  throw new ConfigError([
    {
      path: "--output",
      expected: "a new folder",
      got: `${output}, which ${stat.isFolder ? `holds ${taken[0]}` : "is a file"}`,
    },
  ]);
}

/** What a search's measurements depend on. */
function searchKey(target: Pick<Plan, "base" | "adapter">, data: CompressData, options: CompressOptions): string {
  const counts = [data.calibration.totalTokens, data.search.totalTokens, data.search.count];
  return JSON.stringify([
    1,
    target.base.fingerprint,
    target.adapter?.fingerprint,
    data.task.name,
    data.split,
    counts,
    options.rule.kind,
  ]);
}

async function score(backend: Backend, model: PlainModel, data: CompressData) {
  const program = await compilePlain(backend, model);
  try {
    const logits = await logitsOf(program, data.stated);
    return { logits, metrics: metricsOf(logits, data.stated, data.task) };
  } finally {
    await program.dispose();
  }
}

/** The metrics of what an export in these weights will be. */
async function quantizedMetrics(
  backend: Backend,
  { config, weights }: PlainModel,
  data: CompressData,
  precision: "int8" | "q4",
): Promise<Record<string, number>> {
  const inference = inferenceOf(config);
  const program = await backend.open(deployedProgram(inference, await deploy(inference, weights, precision)));
  try {
    return metricsOf(await logitsOf(program, data.stated), data.stated, data.task);
  } finally {
    await program.dispose();
  }
}

function sizeOf({ weights }: PlainModel, layers: readonly LayerPlan[]): ModelSize {
  const sizes = layers.map(keptCount);
  return {
    neurons: sizes.reduce((sum, size) => sum + size, 0),
    mlps: sizes.filter((size) => size > 0).length,
    parameters: parameterCount(weights),
  };
}

function budgetOutcome(
  { rule }: CompressOptions,
  plan: Plan,
  { task, stated }: CompressData,
  before: Float32Array,
  after: Float32Array,
): BudgetOutcome | null {
  if (rule.kind === "score") {
    const { lost, low, high } = lostScore(before, after, stated, task);
    return {
      kind: "score",
      asked: rule.budget,
      reached: lost,
      met: lost <= rule.budget + 1e-12,
      interval: { low, high },
    };
  }
  if (rule.kind !== "latency") return null;
  const reached = Number(plan.chosen.latency);
  return { kind: "latency", asked: rule.budget, reached, met: reached <= rule.budget };
}

function runFacts({ opened: { settings, labels } }: FrozenModel, { task }: CompressData): Compression["run"] {
  return settings === null ? null : { settings, labels, metricName: task.mainMetric };
}
