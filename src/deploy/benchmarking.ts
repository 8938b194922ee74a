// `deft bench`: several models side by side in processes of their own, on the same texts, interleaved.
import type { Arithmetic, Precision } from "../compress/index.ts";
import type { EncodedExamples } from "../data/index.ts";
import { joinPath } from "../tensor/index.ts";
import type { Environment, Running, RunOverrides } from "../workflow/index.ts";
import { running } from "../workflow/index.ts";
import { type Entry, prepareModels } from "./bench-models.ts";
import { latencyOf, medianRatio } from "./latency.ts";

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
    const { entries, examples, split } = await prepareModels(environment, options, overrides, folder);
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
