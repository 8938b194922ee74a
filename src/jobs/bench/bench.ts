// `deft bench`: several models side by side in processes of their own, on the same texts, interleaved.

import type { EncodedExamples } from "../../data/index.ts";
import type { Arithmetic, Precision } from "../../export/index.ts";
import type { RunOverrides } from "../../load/index.ts";
import type { Environment, Running } from "../../runs/index.ts";
import { running } from "../../runs/index.ts";
import { joinPath } from "../../tensor/index.ts";
import type { BenchBatch, BenchEngine, BenchJob, BenchOptions, BenchPhase, ByPhase, PhaseTime } from "./job.ts";
import { latencyOf, medianRatio, percentile } from "./latency.ts";
import { type Entry, prepareModels } from "./models.ts";
import {
  askInTurn,
  type CountedRounds,
  countRounds,
  LEAST_QUIET,
  type LoadMeter,
  type Round,
  RoundLog,
} from "./quiet-rounds.ts";

/** One model in a process of its own. */
export interface BenchWorker {
  /** From nothing loaded to ready. */
  readonly loadMs: number;
  /** The time of each phase on one batch; `decode` is the mean over all tokens but the first. */
  run(batch: BenchBatch): Promise<ByPhase<PhaseTime>>;
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
  /** Median of the same in time of the processors: of all threads together. */
  readonly processorMs: number;
  readonly tokensPerSecond: number;
  readonly loadMs: number;
  readonly peakRssBytes: number;
  readonly fileBytes: number;
  /** Median over rounds of its time over the first model's in this phase at this batch: below 1 is faster. */
  readonly ratioToFirst: number;
  /** The same of processor time. */
  readonly processorRatioToFirst: number;
  /** Rounds that the figures are of. */
  readonly countedRounds: number;
  /** Whether enough rounds were without other programs; null where that cannot be known. */
  readonly isReliable: boolean | null;
  /** Estimated, not measured; null for peers. */
  readonly estimate: Arithmetic | null;
}

/** What became of the rounds of one batch size. */
export interface BenchRounds {
  readonly batch: number;
  readonly tried: number;
  /** Rounds in which other programs took at most 5 % of the processors' time; null where that cannot be known. */
  readonly quiet: number | null;
  /** Rounds that figures are of: the quiet ones, or all where these are too few. */
  readonly counted: number;
  /** Share of all processors' time that other programs took, the median over all rounds; null where that cannot be known. */
  readonly foreignLoad: number | null;
  /** Whether enough rounds were quiet; null where that cannot be known. */
  readonly isReliable: boolean | null;
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
  /** Share of all processors' time that other programs took, the median over all rounds; null where that cannot be known. */
  readonly foreignLoad: number | null;
  /** By batch size. */
  readonly rounds: readonly BenchRounds[];
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
  const opened: Opened[] = [];
  const absent: string[] = [];
  try {
    const { entries, examples, split } = await prepareModels(environment, options, overrides, folder);
    for (const [i, entry] of entries.entries()) {
      yield { text: `loading ${nameOf(entry)}`, done: i, total: entries.length };
      const worker = await start(entry.job);
      if (worker === null) absent.push(entry.job.engine);
      else opened.push({ entry, worker });
    }
    const rows: BenchRow[] = [];
    const rounds: BenchRounds[] = [];
    const all: Round<Measured>[] = [];
    for (const batch of options.batches) {
      const wanted = Math.max(3, Math.round(options.rounds / Math.sqrt(batch)));
      const taken = yield* takeRounds(opened, examples, { batch, wanted, meter: options.meter ?? null });
      all.push(...taken);
      // who asks for few rounds is not told that the machine is busy
      const counted = countRounds(taken, Math.min(LEAST_QUIET, wanted));
      rounds.push({ ...counted, batch, counted: counted.counted.length });
      for (const i of opened.keys()) rows.push(...(await rowsOf(opened, i, counted)));
    }
    return {
      device: `${environment.versions.node ?? ""} onnxruntime ${environment.versions.onnxruntime ?? ""} cpu`.trim(),
      threads: options.threads,
      texts: { split, count: examples.count, meanTokens: examples.totalTokens / examples.count },
      newTokens: entries[0]!.job.writing?.newTokens ?? null,
      foreignLoad: countRounds(all).foreignLoad,
      rounds,
      rows,
      absent: [...new Set(absent)],
    };
  } finally {
    for (const { worker } of opened) await worker.end();
    await environment.files.remove(folder);
  }
}

interface Opened {
  readonly entry: Entry;
  readonly worker: BenchWorker;
}

/** One round: a batch, and what each model took for it. */
interface Measured {
  readonly input: BenchBatch;
  readonly times: readonly ByPhase<PhaseTime>[];
}

/** Rounds of one batch size, whoever goes first changing each round; up to three before them are not counted. */
async function* takeRounds(
  opened: readonly Opened[],
  examples: EncodedExamples,
  { batch, wanted, meter }: { readonly batch: number; readonly wanted: number; readonly meter: LoadMeter | null },
): AsyncGenerator<BenchEvent, readonly Round<Measured>[]> {
  const take = async (round: number): Promise<Measured> => {
    const input = batchOf(examples, batch, round);
    const times = await askInTurn(opened.length, round, async (which) => {
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      return opened[which]!.worker.run(input);
    });
    return { input, times };
  };
  const text = `batch ${batch}`;
  for (let round = 0; round < Math.min(3, wanted); round++) {
    yield { text, done: 0, total: wanted };
    await take(round);
  }
  const log = new RoundLog<Measured>(wanted, meter);
  while (log.wantsMore) {
    yield { text, done: log.quiet, total: wanted };
    await log.add(await take(log.tried));
  }
  return log.rounds;
}

/** OpenMP's threads look for work for 9 ms behind a run of PyTorch: whoever comes next must not pay for it. */
const SETTLE_MS = 15;

const nameOf = ({ run, job }: Entry) => `${run} (${job.engine}, ${job.precision})`;

const PHASES = ["encode", "decode", "generate"] as const;

/** A row for each phase that was timed of the model at `which`. */
async function rowsOf(
  opened: readonly Opened[],
  which: number,
  { counted, isReliable }: CountedRounds<Measured>,
): Promise<BenchRow[]> {
  const { entry, worker } = opened[which]!;
  const { run, job, fileBytes, estimates } = entry;
  const batch = counted[0]!.input.ids.length;
  const peakRssBytes = await worker.peakRssBytes();
  const read = counted.reduce((sum, { input }) => sum + input.ids.reduce((of, row) => of + row.length, 0), 0);
  const texts = batch * counted.length;
  const newTokens = job.writing?.newTokens ?? 0;
  return PHASES.filter((phase) => counted[0]!.times[which]![phase] !== undefined).map((phase) => {
    const took = (model: number, clock: keyof PhaseTime) => counted.map(({ times }) => times[model]![phase]![clock]);
    const durations = took(which, "ms");
    const processor = took(which, "processorMs");
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
      processorMs: percentile(processor, 0.5),
      tokensPerSecond: (tokens / (steps * durations.reduce((sum, ms) => sum + ms, 0))) * 1000,
      loadMs: worker.loadMs,
      peakRssBytes,
      fileBytes,
      ratioToFirst: medianRatio(durations, took(0, "ms")),
      processorRatioToFirst: medianRatio(processor, took(0, "processorMs")),
      countedRounds: counted.length,
      isReliable,
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
