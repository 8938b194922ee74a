// Compression of a run: statistics, a rule or a search, the smaller model written, and what it costs in score, measured.

import { isTargets } from "../../data/index.ts";
import { ConfigError, type ConfigIssue } from "../../errors.ts";
import { jsonText } from "../../hub/index.ts";
import type { RunOverrides, RunTarget } from "../../load/index.ts";
import { backendOf, type MergedModel, openMergedModel, writeBeside, writePlainModel } from "../../load/index.ts";
import { mlpSites } from "../../models/index.ts";
import {
  applyPlan,
  keptCount,
  type LayerFacts,
  type LayerPlan,
  type NeuronStatistics,
  type PlainModel,
  type Plan,
  type SearchStep,
  unchanged,
} from "../../prune/index.ts";
import type { Environment, Running, Stoppable } from "../../runs/index.ts";
import {
  COMPRESSION_FILE,
  type Compression,
  DECODING_FILE,
  PRUNING_FILE,
  type Pruning,
  pruningText,
  readPlan,
  running,
  type StoredDecoding,
  writePlan,
} from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { TeacherEvent } from "../../train/index.ts";
import { zerosKept } from "../prune/pruned-model.ts";
import { type CompressData, openCompressData } from "./data.ts";
import { chooseDecoding } from "./decoding.ts";
import { exampleCount } from "./examples.ts";
import type { CompressOptions, CompressRule } from "./options.ts";
import { budgetOutcome, decodingFacts, modelSize, quantizedMetrics, runFacts, statedLatency } from "./outcome.ts";
import { recoveryChosen, recoveryFor } from "./recovery.ts";
import { type RecoveryEvent, recover } from "./recovery-run.ts";
import { type Choice, checkRule, chooseLayers, compensationFor, needsMoments } from "./rules.ts";
import { calibrate, layerFacts, statedScores } from "./scoring.ts";

const SEARCH_FILE = "search.jsonl";
const RECOVERY_FOLDER = "recovery";
/** What a compression that was stopped may leave, and goes on with. */
const UNFINISHED: readonly string[] = [SEARCH_FILE, RECOVERY_FOLDER];

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
  const frozen = await openMergedModel(environment, target, overrides, { keepsMethod: true });
  checkOptions(frozen, options);
  const recovery = recoveryFor(frozen, options.recovery);
  const source = target.kind === "run" ? target.folder : target.model;
  const sites = mlpSites(frozen.model);
  checkRule(sites, options.rule);
  const compensation = compensationFor(frozen, options);
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
    const plan = await readPlan(files, options.rule.file, planTarget);
    choice = { layers: plan.layers, exactness: plan.exactness, chosen: plan.chosen, candidates: [] };
  } else {
    yield stage("calibrate", `${exampleCount(data.calibration)} examples of ${data.calibrationSplit}`);
    const moments = needsMoments(sites, options.rule, compensation);
    statistics = await calibrate(backend, frozen, data.calibration, { moments });
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
    exactness: recovery === null ? choice.exactness : "calibrated",
    chosen: recoveryChosen(choice.chosen, recovery),
  };
  let smaller = applyPlan(frozen, sites, plan.layers);
  if (recovery !== null) {
    const taught = recovery.distillation > 0 ? ", taught by the dense model, which is asked first" : "";
    yield stage("recover", `${recovery.steps} steps of ${recovery.method.kind}${taught}`);
    const folder = joinPath(options.output, RECOVERY_FOLDER);
    smaller = yield* recover(environment, frozen, smaller, recovery, { source, folder, signal });
  }
  let decoding: StoredDecoding | null = null;
  if (options.decodingBudget !== null) {
    yield stage("choose", "choosing thresholds for decoding by rows");
    decoding = await chooseDecoding(backend, frozen, smaller, data, options.decodingBudget);
  }
  const exactness = decoding?.plan.exactness === "calibrated" ? "calibrated" : plan.exactness;
  yield stage("measure", `${exampleCount(data.heldOut)} examples of ${data.split} that no choice has seen`);
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
  yield stage("write", options.output);
  const compression: Compression = {
    schema: 1,
    createdAt: new Date().toISOString(),
    source,
    folder: options.output,
    exactness,
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
    candidates: choice.candidates,
    run: runFacts(frozen, data),
    versions: environment.versions,
  };
  await writePlainModel(files, options.output, smaller, frozen.opened.base);
  const pruning = await pruningOf(frozen, smaller, plan.layers);
  if (pruning !== null) await files.write(joinPath(options.output, PRUNING_FILE), pruningText(pruning));
  if (smaller.beside) await writeBeside(environment, options.output, smaller.beside, frozen);
  await writePlan(files, options.output, plan);
  if (decoding !== null) await files.write(joinPath(options.output, DECODING_FILE), jsonText({ ...decoding }));
  await files.write(joinPath(options.output, COMPRESSION_FILE), jsonText({ ...compression }));
  return compression;
}

/** A pruned base's record for the smaller model; null for other bases, and where zeros were filled. */
async function pruningOf(
  { config, opened: { base } }: MergedModel,
  smaller: PlainModel,
  layers: readonly LayerPlan[],
): Promise<Pruning | null> {
  if (base.pruning === null) return null;
  const cut = layers.map(({ out: _out, ...layer }) => ({ ...layer, gate: 1, constant: null }));
  const { weights } = applyPlan({ config, weights: base.weights }, mlpSites(base.model), cut);
  return (await zerosKept(base.pruning, weights, smaller.weights)).pruning;
}

const stage = (name: Extract<CompressEvent, { type: "stage" }>["stage"], text: string): CompressEvent => ({
  type: "stage",
  stage: name,
  text,
});

/** A folder of a search or recovery that was stopped is gone on with; anything else there is kept from harm. */
async function checkOutput({ files }: Environment, output: string): Promise<void> {
  const stat = await files.stat(output);
  if (stat === null) return;
  const taken = stat.isFolder ? (await files.list(output)).filter((name) => !UNFINISHED.includes(name)) : ["a file"];
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
  if (quantization === "qdq" && model.architecture !== "encoder") {
    const expected = `int8 or q4 for ${opened.base.name}, an encoder–decoder`;
    issues.push({ path: "--quantize", expected, got: quantization });
  }
  if (decodingBudget !== null && (model.architecture === "encoder" || beside !== undefined)) {
    const expected = "a model that writes text, with its method merged (lora, head or full)";
    issues.push({ path: "--decoding-budget", expected, got: beside === undefined ? opened.base.name : kind });
  }
  if (issues.length > 0) throw new ConfigError(issues);
}
