// Interleaved rounds: who goes first changes each round, rounds in which other programs were busy do not count, and a headline needs enough that do.
import { type ChildProcess, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { between, moment } from "../src/cli/bench-clock.ts";
import { foreignLoadMeter } from "../src/cli/foreign-load.ts";
import {
  askInTurn,
  type CountedRounds,
  countRounds,
  LEAST_QUIET,
  MOST_FOREIGN,
  RoundLog,
} from "../src/jobs/bench/quiet-rounds.ts";
import type { LoadMeter, PhaseTime } from "../src/jobs/index.ts";

export type { PhaseTime } from "../src/jobs/index.ts";

/** What is compared: does its work for a round and gives what that took. */
export type Side<T> = (round: number) => Promise<T>;

/** The answers of all sides, round by round. */
export type Rounds<T> = CountedRounds<readonly T[]>;

export interface RoundOptions<T> {
  /** Rounds that are to count; at most three times as many are tried. */
  readonly rounds: number;
  /** Rounds before them. */
  readonly warmup?: number;
  readonly onWarmup?: (round: number, answers: readonly T[]) => void;
  /** Without it, everything but this process and its descendants is foreign. */
  readonly meter?: LoadMeter;
}

/** Asks the sides in turn, each round another one first, until enough rounds count. */
export async function takeRounds<T>(
  sides: readonly Side<T>[],
  { rounds, warmup = 0, onWarmup, meter = foreignLoadMeter() }: RoundOptions<T>,
): Promise<Rounds<T>> {
  const take = (round: number) => askInTurn(sides.length, round, (which) => sides[which]!(round));
  for (let round = 0; round < warmup; round++) onWarmup?.(round, await take(round));
  const log = new RoundLog<readonly T[]>(rounds, meter);
  while (log.wantsMore) await log.add(await take(warmup + log.tried));
  return countRounds(log.rounds);
}

/** Some work of this process on both clocks. */
export async function timed(work: () => Promise<unknown>): Promise<PhaseTime> {
  const began = moment();
  await work();
  return between(began, moment());
}

/** The next message of a forked worker, to which `request` is sent before; fails where the worker ends. */
export async function replyOf<T>(worker: ChildProcess, request?: string): Promise<T> {
  let end: (code: number | null) => void = () => {};
  const reply = new Promise<unknown>((done, fail) => {
    end = (code) => fail(new Error(`a worker ended with ${code}`));
    worker.once("message", done);
    worker.once("exit", end);
  });
  if (request !== undefined) worker.send(request);
  try {
    return (await reply) as T;
  } finally {
    worker.off("exit", end);
  }
}

/** The value below which a share `at` of the numbers lies. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))]!;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** A number of each round. */
export type Pick<T> = (answers: readonly T[]) => number;

/** Picks what a side took by one of the clocks. */
export const took =
  (side: number, clock: keyof PhaseTime = "ms"): Pick<PhaseTime> =>
  (answers) =>
    answers[side]![clock];

/** A ratio over the rounds that count: its median, and the range of the middle four fifths. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The ratio of two numbers of the same round; null where too few rounds were quiet. */
export function ratioOf<T>({ counted, isReliable }: Rounds<T>, above: Pick<T>, below: Pick<T>): Ratio | null {
  if (isReliable === false) return null;
  const ratios = counted.map((answers) => above(answers) / below(answers));
  return { median: median(ratios), low: quantile(ratios, 0.1), high: quantile(ratios, 0.9) };
}

/** A ratio as text, or why there is none. */
export function ratioText<T>(rounds: Rounds<T>, above: Pick<T>, below: Pick<T>): string {
  const ratio = ratioOf(rounds, above, below);
  if (ratio === null) return noHeadline(rounds);
  return `${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)})`;
}

/** The clocks by name of `--clock`: that of the headline first. */
export function clocksOf(first: string): readonly [keyof PhaseTime, keyof PhaseTime] {
  return first === "cpu" ? ["processorMs", "ms"] : ["ms", "processorMs"];
}

/** How many times as fast the second side is as the first, by each clock; or why that is not known. */
export function gainText(
  rounds: Rounds<PhaseTime>,
  slow: number,
  fast: number,
  clocks: readonly (keyof PhaseTime)[],
): string {
  if (rounds.isReliable === false) return noHeadline(rounds);
  const gains = clocks.map((clock) => {
    const { median: gain, low, high } = ratioOf(rounds, took(slow, clock), took(fast, clock))!;
    return `${CLOCK_NAMES[clock]} ×${gain.toFixed(2)} [${low.toFixed(2)} – ${high.toFixed(2)}]`;
  });
  return gains.join(", ");
}

const CLOCK_NAMES = { ms: "wall", processorMs: "processor" } as const;

/** Why rounds give no ratio. */
export function noHeadline({ tried, quiet }: Rounds<unknown>): string {
  const needed = Math.max(LEAST_QUIET, Math.ceil(tried / 3));
  return `no headline: ${quiet} of ${tried} rounds were quiet, ${needed} are needed`;
}

/** Wall and processor time of a side: medians, and the range of the middle four fifths. */
export function timesText(rounds: Rounds<PhaseTime>, side: number): string {
  return `wall ${spreadText(rounds, took(side))}, processor ${spreadText(rounds, took(side, "processorMs"))}`;
}

/** Milliseconds of the rounds: the median, and the range of the middle four fifths. */
export function spreadText<T>({ counted }: Rounds<T>, pick: Pick<T>): string {
  const times = counted.map(pick);
  const digits = median(times) < 10 ? 3 : median(times) < 100 ? 1 : 0;
  const [low, middle, high] = [0.1, 0.5, 0.9].map((at) => quantile(times, at).toFixed(digits));
  return `${middle} ms (${low}–${high})`;
}

const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)} %`;

/** How many rounds count, and what other programs took. */
export function roundsText({ tried, quiet, foreignLoad }: Rounds<unknown>): string {
  if (quiet === null || foreignLoad === null)
    return `all ${tried} rounds count: what other programs took is not known on this system`;
  return `${quiet} of ${tried} rounds count, foreign share ${percent(foreignLoad)} in the median (at most ${percent(MOST_FOREIGN, 0)} counts)`;
}

/**
 * The thread count that `--threads` names, `all` being every processor's. For a list such as `1,all` the bench is run again for each
 * of them, in processes of their own, and this one ends.
 */
export function oneThreadCount(threads: string): number {
  const named = threads.split(",").map((word) => (word === "all" ? availableParallelism() : Number(word)));
  const counts = [...new Set(named)];
  if (counts.length === 1) return counts[0]!;
  for (const count of counts) {
    console.log(`--threads ${count}`);
    const args = [...process.execArgv, ...process.argv.slice(1), "--threads", String(count)];
    const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (status !== 0) process.exit(status ?? 1);
  }
  process.exit(0);
}
