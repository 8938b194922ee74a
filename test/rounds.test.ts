// The benches' rounds: whose turn it is, which rounds count, and what is said where too few do. No time is measured.
import { expect, test } from "vitest";
import {
  gainText,
  noHeadline,
  type PhaseTime,
  ratioOf,
  ratioText,
  roundsText,
  takeRounds,
  took,
} from "../bench/rounds.ts";
import type { LoadMeter } from "../src/jobs/index.ts";

/** A window for each round, with these shares in turn, again and again. */
function invented(...shares: readonly number[]): LoadMeter {
  let windows = 0;
  return {
    start() {
      const share = shares[windows++ % shares.length]!;
      return { isLong: () => true, share: () => share };
    },
  };
}

/** A side that takes so many milliseconds, and a hundred times as many in every second round. */
const side =
  (ms: number, { isDisturbed = false } = {}) =>
  (round: number): Promise<PhaseTime> =>
    Promise.resolve({ ms: isDisturbed && round % 2 === 1 ? 100 * ms : ms, processorMs: 2 * ms });

test("whoever goes first changes each round, and answers stay with their side", async () => {
  const asked: string[] = [];
  const warmup: (readonly string[])[] = [];
  const named = ["a", "b", "c"].map((name) => (round: number) => {
    asked.push(`${name}${round}`);
    return Promise.resolve(`${name}${round}`);
  });
  const onWarmup = (_: number, answers: readonly string[]) => void warmup.push(answers);
  const { counted } = await takeRounds(named, { rounds: 2, warmup: 1, onWarmup, meter: invented(0) });
  expect(asked.join(" ")).toBe("a0 b0 c0 b1 c1 a1 c2 a2 b2");
  expect(warmup).toEqual([["a0", "b0", "c0"]]);
  expect(counted).toEqual([
    ["a1", "b1", "c1"],
    ["a2", "b2", "c2"],
  ]);
});

test("ratios are of quiet rounds alone", async () => {
  const sides = [side(10), side(20, { isDisturbed: true })];
  const rounds = await takeRounds(sides, { rounds: 5, meter: invented(0, 0.5, 0.02, 0.3) });
  expect(rounds).toMatchObject({ tried: 9, quiet: 5, isReliable: true });
  expect(ratioOf(rounds, took(1), took(0))).toEqual({ median: 2, low: 2, high: 2 });
  expect(ratioText(rounds, took(1), took(0))).toBe("2.00 (2.00–2.00)");
  expect(gainText(rounds, 1, 0, ["processorMs", "ms"])).toBe("processor ×2.00 [2.00 – 2.00], wall ×2.00 [2.00 – 2.00]");
  expect(roundsText(rounds)).toBe("5 of 9 rounds count, foreign share 2.0 % in the median (at most 5 % counts)");
});

test("too few quiet rounds give no ratio", async () => {
  const rounds = await takeRounds([side(10), side(20)], { rounds: 4, meter: invented(0.3, 0.3, 0.3, 0.3, 0.3, 0) });
  expect(rounds).toMatchObject({ tried: 12, quiet: 2, isReliable: false });
  expect(rounds.counted).toHaveLength(12);
  expect(ratioOf(rounds, took(1), took(0))).toBeNull();
  const why = "no headline: 2 of 12 rounds were quiet, 5 are needed";
  expect(noHeadline(rounds)).toBe(why);
  expect(ratioText(rounds, took(1), took(0))).toBe(why);
  expect(gainText(rounds, 1, 0, ["ms"])).toBe(why);
});

test("where the load is not known there is a ratio, and it is said that nothing is known", async () => {
  const rounds = await takeRounds([side(10), side(20)], { rounds: 2, meter: { start: () => null } });
  expect(ratioText(rounds, took(1), took(0))).toBe("2.00 (2.00–2.00)");
  expect(roundsText(rounds)).toBe("all 2 rounds count: what other programs took is not known on this system");
});
