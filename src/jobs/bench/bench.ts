// `deft bench`: several models side by side in processes of their own, on the same texts, interleaved.

import type { EncodedExamples } from "../../data/index.ts";
import type { Arithmetic, Precision } from "../../export/index.ts";
import type { RunOverrides } from "../../load/index.ts";
import type { Environment, Running } from "../../runs/index.ts";
import { running } from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { BenchBatch, BenchEngine, BenchJob, BenchOptions, BenchPhase, ByPhase } from "./job.ts";
import { latencyOf, medianRatio } from "./latency.ts";
import { type Entry, prepareModels } from "./models.ts";

/** One model in a process of its own. */
export interface BenchWorker {
  /** From nothing loaded to ready. */
  readonly loadMs: number;
  /** Milliseconds of each phase on one batch; `decode` is the mean over all tokens but the first. */
  run(batch: BenchBatch): Promise<ByPhase<number>>;
  peakRssBytes(): Promise<number>;
  end(): Promise<void>;
}

/** Starts a worker; null where its engine is not installed. */
export type StartWorker = (job: BenchJob) => Promise<BenchWorker | null>;

/** One phase of one model at one batch size. */
export interface BenchRow {
  readonly run: string;
  readonly engine: BenchEngine;
  readonly precision: Precision;
  readonly phase: BenchPhase;
  readonly batch: number;
  /** Of all counted rounds: attended tokens that were read, or tokens that were written. */
  readonly tokens: number;
  /** Of a batch; when decoding, of one token of each of its texts. */
  readonly latencyMs: { readonly p50: number; readonly p95: number };
  readonly tokensPerSecond: number;
  readonly loadMs: number;
  readonly peakRssBytes: number;
  readonly fileBytes: number;
  /** Median over rounds of its time over the first model's in this phase at this batch: below 1 is faster. */
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
  /** Tokens that every text was made to have; null where nothing is written. */
  readonly newTokens: number | null;
  /** Peers that were asked for and are not installed. */
  readonly absent: readonly string[];
}

/** Progress of a benchmark. */
export interface BenchEvent {
  readonly text: string;
  readonly done: number;
  readonly total: number;
}

/** Measures; everything it writes lies in the cache folder and is removed. Errors as `openMergedModel`. */
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
      const times = workers.map((): ByPhase<number>[] => []);
      const warmup = Math.min(3, rounds);
      for (let round = -warmup; round < rounds; round++) {
        yield { text: `batch ${batch}`, done: Math.max(0, round), total: rounds };
        for (let turn = 0; turn < workers.length; turn++) {
          const which = (turn + round + warmup) % workers.length;
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
          const taken = await workers[which]!.worker.run(inputs[(round + rounds) % rounds]!);
          if (round >= 0) times[which]!.push(taken);
        }
      }
      for (const [i, { entry, worker }] of workers.entries())
        rows.push(...(await rowsOf(entry, worker, inputs, times[i]!, times[0]!)));
    }
    const meanTokens = examples.totalTokens / examples.count;
    return {
      device: `${environment.versions.node ?? ""} onnxruntime ${environment.versions.onnxruntime ?? ""} cpu`.trim(),
      threads: options.threads,
      texts: { split, count: examples.count, meanTokens },
      newTokens: entries[0]!.job.writing?.newTokens ?? null,
      rows,
      absent: [...new Set(absent)],
    };
  } finally {
    for (const { worker } of workers) await worker.end();
    await environment.files.remove(folder);
  }
}

/** OpenMP's threads look for work for 9 ms behind a run of PyTorch: whoever comes next must not pay for it. */
const SETTLE_MS = 15;

const nameOf = ({ run, job }: Entry) => `${run} (${job.engine}, ${job.precision})`;

const PHASES = ["encode", "decode", "generate"] as const;

/** A row for each phase that was timed. */
async function rowsOf(
  { run, job, fileBytes, estimates }: Entry,
  worker: BenchWorker,
  inputs: readonly BenchBatch[],
  times: readonly ByPhase<number>[],
  first: readonly ByPhase<number>[],
): Promise<BenchRow[]> {
  const batch = inputs[0]!.ids.length;
  const peakRssBytes = await worker.peakRssBytes();
  const read = inputs.reduce((sum, { ids }) => sum + ids.reduce((of, row) => of + row.length, 0), 0);
  const texts = batch * inputs.length;
  const newTokens = job.writing?.newTokens ?? 0;
  return PHASES.filter((phase) => times[0]![phase] !== undefined).map((phase) => {
    const durations = times.map((of) => of[phase]!);
    const tokens = { encode: read, decode: texts * (newTokens - 1), generate: texts * newTokens }[phase];
    const steps = phase === "decode" ? newTokens - 1 : 1;
    return {
      run,
      engine: job.engine,
      precision: job.precision,
      phase,
      batch,
      tokens,
      latencyMs: latencyOf(durations),
      tokensPerSecond: (tokens / (steps * durations.reduce((sum, ms) => sum + ms, 0))) * 1000,
      loadMs: worker.loadMs,
      peakRssBytes,
      fileBytes,
      ratioToFirst: medianRatio(
        durations,
        first.map((of) => of[phase]!),
      ),
      estimate: estimates[phase] ?? null,
    };
  });
}

function batchOf(examples: EncodedExamples, size: number, round: number): BenchBatch {
  const rows = Array.from({ length: size }, (_, i) => (round * size + i) % examples.count);
  return {
    ids: rows.map((index) => Array.from(examples.tokens(index))),
    segments: rows.map((index) => examples.segmentStart(index)),
    padId: examples.padId,
  };
}
