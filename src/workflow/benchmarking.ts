// `deft bench`: several models side by side in processes of their own, on the same texts, interleaved.
import { type Arithmetic, arithmeticOf, deploy, deployedFiles, type Precision } from "../compress/index.ts";
import type { EncodedExamples } from "../data/index.ts";
import { ConfigError } from "../errors.ts";
import { type EncoderConfig, parseEncoderConfig } from "../models/index.ts";
import { type Files, joinPath } from "../tensor/index.ts";
import type { Running, RunOverrides, RunTarget } from "./api.ts";
import { openCompressData } from "./compress-data.ts";
import type { Environment } from "./environment.ts";
import { ONNX_FILES } from "./exporting-onnx.ts";
import { type FrozenModel, inferenceOf, openFrozen, writePlainModel } from "./frozen-model.ts";
import { latencyOf, medianRatio } from "./latency.ts";
import { readRun } from "./run-folder.ts";
import { running } from "./running.ts";

/** Who runs a row's model. */
export type BenchEngine = "onnxruntime" | "transformers.js" | "pytorch";

/** What a worker process is started with. */
export interface BenchJob {
  readonly engine: BenchEngine;
  /** An ONNX file; for Transformers.js and PyTorch a model's folder. */
  readonly path: string;
  readonly precision: Precision;
  readonly threads: number;
}

/** Token ids of one batch, not padded. */
export interface BenchBatch {
  readonly ids: readonly (readonly number[])[];
  /** Where segment 1 starts in each row. */
  readonly segments: readonly number[];
  readonly padId: number;
}

/** One model in a process of its own. */
export interface BenchWorker {
  /** From nothing loaded to ready. */
  readonly loadMs: number;
  /** Milliseconds of one forward pass. */
  run(batch: BenchBatch): Promise<number>;
  peakRssBytes(): Promise<number>;
  end(): Promise<void>;
}

/** Starts a worker; null where its engine is not installed. */
export type StartWorker = (job: BenchJob) => Promise<BenchWorker | null>;

export interface BenchOptions {
  readonly targets: readonly string[];
  readonly precisions: readonly Precision[];
  /** Peers of the first target. */
  readonly peers: readonly Exclude<BenchEngine, "onnxruntime">[];
  /** An exported folder that Transformers.js is given instead of ours: another tool's export of the same model. */
  readonly peerOnnx: string | null;
  readonly batches: readonly number[];
  /** Counted rounds at batch 1; larger batches get fewer. */
  readonly rounds: number;
  readonly threads: number;
}

/** One model at one batch size. */
export interface BenchRow {
  readonly run: string;
  readonly engine: BenchEngine;
  readonly precision: Precision;
  readonly batch: number;
  /** Attended tokens of all counted rounds. */
  readonly tokens: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number };
  readonly tokensPerSecond: number;
  readonly loadMs: number;
  readonly peakRssBytes: number;
  readonly fileBytes: number;
  /** Median over rounds of its time over the first row's at this batch: below 1 is faster. */
  readonly ratioToFirst: number;
  /** Estimated, not measured; null for peers. */
  readonly estimate: Arithmetic | null;
}

/** The JSON of `deft bench --json`. */
export interface BenchReport {
  readonly device: string;
  readonly threads: number;
  /** Where the texts came from, and their mean length in tokens. */
  readonly texts: { readonly split: string; readonly count: number; readonly meanTokens: number };
  readonly rows: readonly BenchRow[];
  /** Peers that were asked for and are not installed. */
  readonly absent: readonly string[];
}

/** Progress of a benchmark. */
export interface BenchEvent {
  readonly text: string;
  readonly done: number;
  readonly total: number;
}

interface Entry {
  readonly run: string;
  readonly job: BenchJob;
  readonly fileBytes: number;
  readonly estimate: Arithmetic | null;
}

/** Measures; everything it writes lies in the cache folder and is removed. Errors as `openFrozen`. */
export function benchRuns(
  environment: Environment,
  options: BenchOptions,
  start: StartWorker,
  overrides: RunOverrides = {},
): Running<BenchEvent, BenchReport> {
  return running(benchEvents(environment, options, start, overrides));
}

async function* benchEvents(
  environment: Environment,
  options: BenchOptions,
  start: StartWorker,
  overrides: RunOverrides,
): AsyncGenerator<BenchEvent, BenchReport> {
  const folder = joinPath(environment.cacheFolder, `bench-${Date.now()}-${Math.random().toString(36).slice(2, 8)}`);
  const workers: { entry: Entry; worker: BenchWorker }[] = [];
  const absent: string[] = [];
  try {
    const { entries, examples, split } = await prepare(environment, options, overrides, folder);
    for (const [i, entry] of entries.entries()) {
      yield { text: `loading ${nameOf(entry)}`, done: i, total: entries.length };
      const worker = await start(entry.job);
      if (worker === null) absent.push(entry.job.engine);
      else workers.push({ entry, worker });
    }
    const rows: BenchRow[] = [];
    for (const batch of options.batches) {
      const rounds = Math.max(3, Math.round(options.rounds / Math.sqrt(batch)));
      const inputs = Array.from({ length: rounds }, (_, round) => batchOf(examples, batch, round));
      const durations = workers.map((): number[] => []);
      const warmup = Math.min(3, rounds);
      for (let round = -warmup; round < rounds; round++) {
        yield { text: `batch ${batch}`, done: Math.max(0, round), total: rounds };
        for (let turn = 0; turn < workers.length; turn++) {
          const which = (turn + round + warmup) % workers.length;
          const ms = await workers[which]!.worker.run(inputs[(round + rounds) % rounds]!);
          if (round >= 0) durations[which]!.push(ms);
        }
      }
      const tokens = inputs.reduce((sum, { ids }) => sum + ids.reduce((of, row) => of + row.length, 0), 0);
      for (const [i, { entry, worker }] of workers.entries())
        rows.push(await rowOf(entry, worker, batch, tokens, durations[i]!, durations[0]!));
    }
    const meanTokens = examples.totalTokens / examples.count;
    return {
      device: `${environment.versions.node ?? ""} onnxruntime ${environment.versions.onnxruntime ?? ""} cpu`.trim(),
      threads: options.threads,
      texts: { split, count: examples.count, meanTokens },
      rows,
      absent: [...new Set(absent)],
    };
  } finally {
    for (const { worker } of workers) await worker.end();
    await environment.files.remove(folder);
  }
}

const nameOf = ({ run, job }: Entry) => `${run} (${job.engine}, ${job.precision})`;

async function rowOf(
  { run, job, fileBytes, estimate }: Entry,
  worker: BenchWorker,
  batch: number,
  tokens: number,
  durations: readonly number[],
  first: readonly number[],
): Promise<BenchRow> {
  return {
    run,
    engine: job.engine,
    precision: job.precision,
    batch,
    tokens,
    latencyMs: latencyOf(durations),
    tokensPerSecond: (tokens / durations.reduce((sum, ms) => sum + ms, 0)) * 1000,
    loadMs: worker.loadMs,
    peakRssBytes: await worker.peakRssBytes(),
    fileBytes,
    ratioToFirst: medianRatio(durations, first),
    estimate,
  };
}

function batchOf(examples: EncodedExamples, size: number, round: number): BenchBatch {
  const rows = Array.from({ length: size }, (_, i) => (round * size + i) % examples.count);
  return {
    ids: rows.map((index) => Array.from(examples.tokens(index))),
    segments: rows.map((index) => examples.segmentStart(index)),
    padId: examples.padId,
  };
}

/** Every model as a file, the dense one first, and the texts. */
async function prepare(
  environment: Environment,
  options: BenchOptions,
  overrides: RunOverrides,
  folder: string,
): Promise<{ entries: Entry[]; examples: EncodedExamples; split: string }> {
  const { files } = environment;
  const entries: Entry[] = [];
  let texts: Texts | null = null;
  for (const [i, name] of options.targets.entries()) {
    if ((await files.stat(joinPath(name, "onnx"))) !== null) {
      entries.push(...(await onnxEntries(files, name, options)));
      continue;
    }
    const target = await targetOf(files, name);
    const frozen = await openFrozen(environment, target, overrides);
    texts ??= await openTexts(environment, frozen, overrides);
    const density = await densityOf(files, target);
    const length = Math.round(texts.examples.totalTokens / texts.examples.count);
    for (const precision of options.precisions) {
      const path = joinPath(folder, `${i}`, "onnx", ONNX_FILES[precision]);
      const fileBytes = await writeDeployed(files, frozen, precision, path);
      const estimate = arithmeticOf(frozen.model.config, {
        length,
        precision,
        ...(density === null ? {} : { density }),
      });
      const job = { engine: "onnxruntime", path, precision, threads: options.threads } as const;
      entries.push({ run: name, job, fileBytes, estimate });
    }
    if (i === 0) entries.push(...(await peerEntries(files, frozen, name, options, joinPath(folder, "peers"))));
  }
  if (texts === null)
    throw new ConfigError([
      {
        path: "RUN",
        expected: "a run or model among the folders, whose texts are read",
        got: "exported folders alone",
      },
    ]);
  return { entries, ...texts };
}

interface Texts {
  readonly examples: EncodedExamples;
  readonly split: string;
}

async function openTexts(environment: Environment, frozen: FrozenModel, overrides: RunOverrides): Promise<Texts> {
  const { stated, split } = await openCompressData(environment, frozen, overrides, 1);
  return { examples: stated, split };
}

async function targetOf(files: Files, name: string): Promise<RunTarget> {
  const isRun =
    (await files.stat(joinPath(name, "run.json"))) !== null ||
    (await files.stat(joinPath(name, "compression.json"))) !== null;
  return isRun ? { kind: "run", folder: name } : { kind: "model", model: name, adapter: null };
}

async function writeDeployed(files: Files, frozen: FrozenModel, precision: Precision, path: string): Promise<number> {
  const { model, data } = deployedFiles(await deploy(inferenceOf(frozen.config), frozen.weights, precision), "data");
  await files.write(path, model);
  return model.length + (data?.reduce((sum, { length }) => sum + length, 0) ?? 0);
}

/** What an exported folder holds of the precisions asked for. */
async function onnxEntries(files: Files, name: string, { precisions, threads }: BenchOptions): Promise<Entry[]> {
  const config = await modelConfig(files, name);
  const entries: Entry[] = [];
  for (const precision of precisions) {
    const path = joinPath(name, "onnx", ONNX_FILES[precision]);
    const stat = await files.stat(path);
    if (stat === null) continue;
    const estimate = config === null ? null : arithmeticOf(config, { length: 32, precision });
    entries.push({
      run: name,
      job: { engine: "onnxruntime", path, precision, threads },
      fileBytes: stat.sizeBytes,
      estimate,
    });
  }
  if (entries.length === 0)
    throw new ConfigError([
      { path: name, expected: precisions.map((of) => `onnx/${ONNX_FILES[of]}`).join(" or "), got: "neither" },
    ]);
  return entries;
}

async function modelConfig(files: Files, folder: string): Promise<EncoderConfig | null> {
  const path = joinPath(folder, "config.json");
  if ((await files.stat(path)) === null) return null;
  return parseEncoderConfig(JSON.parse(await files.readText(path)), path);
}

/** Share of exact non-zeros of each layer as the run's own evaluation found it; null where there is none. */
async function densityOf(files: Files, target: RunTarget): Promise<number[] | null> {
  if (target.kind !== "run" || (await files.stat(joinPath(target.folder, "run.json"))) === null) return null;
  const { result } = (await readRun(files, target.folder)).record;
  return result?.density?.layers.map(({ exact }) => exact) ?? null;
}

/** The first target's dense model in the hands of others. */
async function peerEntries(
  files: Files,
  frozen: FrozenModel,
  run: string,
  { peers, threads, peerOnnx }: BenchOptions,
  folder: string,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  if (peers.length > 0) await writePlainModel(files, folder, frozen, frozen.opened.base.folder);
  for (const engine of peers) {
    const precisions: readonly Precision[] = engine === "transformers.js" ? ["fp32", "int8"] : ["fp32"];
    for (const precision of precisions) {
      const path = engine === "transformers.js" ? (peerOnnx ?? folder) : folder;
      const file = joinPath(path, engine === "pytorch" ? "model.safetensors" : `onnx/${ONNX_FILES[precision]}`);
      if (engine === "transformers.js" && peerOnnx === null) await writeDeployed(files, frozen, precision, file);
      const stat = await files.stat(file);
      if (stat === null) continue;
      entries.push({ run, job: { engine, path, precision, threads }, fileBytes: stat.sizeBytes, estimate: null });
    }
  }
  return entries;
}
