// Which rounds of a benchmark count: those in which other programs left the processors alone.

/** A round counts if other programs took at most this share of the processors' time. */
export const MOST_FOREIGN = 0.05;
/** A result needs at least so many rounds that count, and a third of those tried. */
export const LEAST_QUIET = 5;
const LEAST_QUIET_SHARE = 1 / 3;
/** At most so many times the rounds that are wanted are tried. */
const MOST_TRIES = 3;

/** A stretch of time in which the load of other programs is measured. */
export interface LoadWindow {
  /** Whether it has lasted long enough for a share of `MOST_FOREIGN` to be told from none. */
  isLong(): boolean;
  /** Share of all processors' time since it began that other programs took, in [0, 1]; null where it cannot be known. */
  share(): number | null;
}

/** Measures what other programs take of the processors' time. */
export interface LoadMeter {
  /** Begins a window; null where this system does not tell. */
  start(): LoadWindow | null;
}

/** A round, and the share of the processors' time that other programs took; null where it is not known. */
export interface Round<T> {
  readonly measured: T;
  readonly foreign: number | null;
}

/** What rounds came to. */
export interface CountedRounds<T> {
  /** Those that figures are taken of: the quiet ones, or all where these are too few. */
  readonly counted: readonly T[];
  readonly tried: number;
  /** Rounds with at most `MOST_FOREIGN`; null where that is not known. */
  readonly quiet: number | null;
  /** Median over all rounds that were tried; null where it is not known. */
  readonly foreignLoad: number | null;
  /** Whether enough rounds were quiet; null where that is not known. */
  readonly isReliable: boolean | null;
}

/** Sorts out the rounds that count; `least` of them are needed, and a third of all. */
export function countRounds<T>(rounds: readonly Round<T>[], least = LEAST_QUIET): CountedRounds<T> {
  const tried = rounds.length;
  const all = rounds.map(({ measured }) => measured);
  const shares = rounds.flatMap(({ foreign }) => foreign ?? []).sort((a, b) => a - b);
  if (shares.length < tried || tried === 0)
    return { counted: all, tried, quiet: null, foreignLoad: null, isReliable: null };
  const quiet = rounds.filter(isQuiet).map(({ measured }) => measured);
  const isReliable = quiet.length >= least && quiet.length >= LEAST_QUIET_SHARE * tried;
  const foreignLoad = shares[Math.floor(tried / 2)]!;
  return { counted: isReliable ? quiet : all, tried, quiet: quiet.length, foreignLoad, isReliable };
}

const isQuiet = ({ foreign }: Round<unknown>): boolean => foreign === null || foreign <= MOST_FOREIGN;

/** Asks so many sides in turn, another one first in each round; gives their answers by side. */
export async function askInTurn<T>(
  sides: number,
  round: number,
  ask: (side: number) => Promise<T>,
): Promise<readonly T[]> {
  const answers: T[] = [];
  for (let turn = 0; turn < sides; turn++) {
    const side = (turn + round) % sides;
    answers[side] = await ask(side);
  }
  return answers;
}

/**
 * Takes down rounds until as many as wanted are quiet, or three times as many were tried. A system tells processor time in steps of
 * some milliseconds, so rounds that follow each other share a window until it is long enough, and each of them has the window's share
 * of foreign load. The last window is waited out.
 */
export class RoundLog<T> {
  readonly #wanted: number;
  readonly #meter: LoadMeter | null;
  readonly #rounds: Round<T>[] = [];
  #pending: T[] = [];
  #window: LoadWindow | null;

  /** The first window begins here, so warm-up rounds come before. */
  constructor(wanted: number, meter: LoadMeter | null) {
    this.#wanted = wanted;
    this.#meter = meter;
    this.#window = meter?.start() ?? null;
  }

  /** Rounds taken down so far. */
  get tried(): number {
    return this.#rounds.length + this.#pending.length;
  }

  /** Rounds that were quiet so far, or may still turn out so. */
  get quiet(): number {
    return this.#rounds.filter(isQuiet).length + this.#pending.length;
  }

  get wantsMore(): boolean {
    return this.quiet < this.#wanted && this.tried < MOST_TRIES * this.#wanted;
  }

  /** Every round; none of them is pending once no more is wanted. */
  get rounds(): readonly Round<T>[] {
    return this.#rounds;
  }

  async add(measured: T): Promise<void> {
    this.#pending.push(measured);
    if (this.#window !== null && !this.#window.isLong()) {
      if (this.wantsMore) return;
      await untilLong(this.#window);
    }
    const foreign = this.#window?.share() ?? null;
    this.#rounds.push(...this.#pending.map((each) => ({ measured: each, foreign })));
    this.#pending = [];
    this.#window = this.#meter?.start() ?? null;
  }
}

const POLL_MS = 25;
/** A system whose clock stands still is not waited for. */
const MOST_POLLS = 200;

async function untilLong(window: LoadWindow): Promise<void> {
  for (let poll = 0; poll < MOST_POLLS && !window.isLong(); poll++)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
