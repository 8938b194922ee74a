// Latency of programs side by side: warmed, interleaved, as medians and ratios.
import { batches, type EncodedExamples } from "../../data/index.ts";
import { inferenceFeeds } from "../../load/index.ts";
import type { Program } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/** Milliseconds by share of runs that took no longer. */
export interface Latency {
  readonly p50: number;
  readonly p95: number;
}

/** The value below which a share `at` of the numbers lies (nearest rank). */
export function percentile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(at * sorted.length) - 1))]!;
}

/** p50 and p95 of durations. */
export function latencyOf(durationsMs: readonly number[]): Latency {
  return { p50: percentile(durationsMs, 0.5), p95: percentile(durationsMs, 0.95) };
}

/** The batches of a latency measurement: examples as they come, `rounds` batches of `batchSize`, padded to their longest. */
export function latencyBatches(
  examples: EncodedExamples,
  batchSize: number,
  rounds: number,
): readonly Readonly<Record<string, Tensor>>[] {
  const indices = (batch: number) =>
    Int32Array.from({ length: batchSize }, (_, i) => (batch * batchSize + i) % examples.count);
  const plan = { batchCount: rounds, indices };
  return [...batches(examples, plan, { padding: "longest" })].map(inferenceFeeds);
}

/**
 * Durations of each program on the same batches, in ms: whoever goes first changes each round, and as many rounds as `warmup`
 * are run before and not counted. Each time a program runs again and again and the fastest counts: the other's threads may still look
 * for work, and threads that have to be woken take as long as a short run.
 */
export async function interleaved(
  programs: readonly Pick<Program, "run">[],
  feeds: readonly Readonly<Record<string, Tensor>>[],
  warmup: number,
): Promise<number[][]> {
  const durations = programs.map((): number[] => []);
  for (let round = -warmup; round < feeds.length; round++) {
    const fed = feeds[(round + feeds.length) % feeds.length]!;
    for (let turn = 0; turn < programs.length; turn++) {
      const which = (turn + round + warmup) % programs.length;
      const fastest = await fastestRun(programs[which]!, fed);
      if (round >= 0) durations[which]!.push(fastest);
    }
  }
  return durations;
}

/** Runs of one turn at least, and at most where they are short. */
const [LEAST_RUNS, MOST_RUNS] = [2, 6];
/** A turn of this many milliseconds is long enough to be undisturbed once. */
const LONG_MS = 25;

async function fastestRun(program: Pick<Program, "run">, fed: Readonly<Record<string, Tensor>>): Promise<number> {
  let [fastest, spent] = [Number.POSITIVE_INFINITY, 0];
  for (let runs = 0; runs < LEAST_RUNS || (runs < MOST_RUNS && spent < LONG_MS); runs++) {
    const started = performance.now();
    await program.run(fed);
    const duration = performance.now() - started;
    fastest = Math.min(fastest, duration);
    spent += duration;
  }
  return fastest;
}

/** Median over rounds of `durations / first`: what one takes of the other's time on the same batch. */
export function medianRatio(durations: readonly number[], first: readonly number[]): number {
  return percentile(
    durations.map((ms, round) => ms / first[round]!),
    0.5,
  );
}
