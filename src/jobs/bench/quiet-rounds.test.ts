// Which rounds count: a share of other programs' load for each, however short it was, and enough of them for a result.
import { expect, test } from "vitest";
import { countRounds, type LoadMeter, RoundLog } from "./quiet-rounds.ts";

const rounds = (...shares: readonly (number | null)[]) => shares.map((foreign, measured) => ({ measured, foreign }));

test("rounds with more than 5 % of foreign load do not count", () => {
  expect(countRounds(rounds(0, 0.05, 0.051, 0.01, 0.4, 0, 0.02))).toEqual({
    counted: [0, 1, 3, 5, 6],
    tried: 7,
    quiet: 5,
    foreignLoad: 0.02,
    isReliable: true,
  });
});

test("fewer than five quiet rounds, or than a third, are no result: every round is kept", () => {
  const few = countRounds(rounds(0, 0, 0, 0, 0.3));
  expect(few).toMatchObject({ counted: [0, 1, 2, 3, 4], quiet: 4, isReliable: false });
  const share = countRounds(rounds(...Array<number>(5).fill(0), ...Array<number>(11).fill(0.5)));
  expect(share).toMatchObject({ tried: 16, quiet: 5, isReliable: false });
  expect(share.counted).toHaveLength(16);
  expect(countRounds(rounds(0, 0), 2)).toMatchObject({ quiet: 2, isReliable: true });
});

test("where nothing is known every round counts, and that is said", () => {
  const unknown = { quiet: null, foreignLoad: null, isReliable: null };
  expect(countRounds(rounds(null, null))).toEqual({ counted: [0, 1], tried: 2, ...unknown });
  expect(countRounds(rounds(0, null))).toMatchObject({ counted: [0, 1], ...unknown });
  expect(countRounds([])).toMatchObject({ counted: [], tried: 0, isReliable: null });
});

/** Windows that are long at the `looks`-th look, with these shares in turn; the last share stays. */
function invented(looks: number, ...shares: readonly number[]): LoadMeter {
  let windows = 0;
  return {
    start() {
      const share = shares[Math.min(windows++, shares.length - 1)]!;
      let looked = 0;
      return { isLong: () => ++looked >= looks, share: () => share };
    },
  };
}

async function logged(wanted: number, meter: LoadMeter | null) {
  const log = new RoundLog<number>(wanted, meter);
  while (log.wantsMore) await log.add(log.tried);
  return log.rounds.map(({ foreign }) => foreign);
}

test("short rounds share a window and its load, and the last window is waited out", async () => {
  expect(await logged(7, invented(3, 0.01, 0.02, 0.03))).toEqual([0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.03]);
});

test("rounds that do not count are taken again, up to three times as many", async () => {
  expect(await logged(3, invented(1, 0.2, 0, 0.3, 0))).toEqual([0.2, 0, 0.3, 0, 0]);
  expect(await logged(4, invented(1, 0.2))).toHaveLength(12);
  expect(await logged(2, invented(4, 0.2, 0))).toEqual([0.2, 0.2, 0, 0]);
});

test("without a meter, or where it knows nothing, as many rounds as were wanted", async () => {
  expect(await logged(3, null)).toEqual([null, null, null]);
  expect(await logged(2, { start: () => null })).toEqual([null, null]);
});
