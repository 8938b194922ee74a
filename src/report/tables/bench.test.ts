// What a benchmark says of the machine it ran on: quiet, not quiet, too busy for a result, unknown, and files of earlier versions.
import { expect, test } from "vitest";
import { sampleBench } from "../../../test/support/compressions.ts";
import type { BenchReport, BenchRounds } from "../../jobs/index.ts";
import { benchNotes, benchTable } from "./bench.ts";

const quiet: BenchRounds = { batch: 1, tried: 40, quiet: 40, counted: 40, foreignLoad: 0.004, isReliable: true };

function notes(foreignLoad: number | null, ...rounds: readonly BenchRounds[]): string[] {
  return benchNotes({ ...sampleBench(), foreignLoad, rounds });
}

test("a quiet machine", () => {
  expect(notes(0.004, quiet)).toEqual([
    "Other programs took 0.4 % of the processors' time in the median of 40 rounds.",
  ]);
});

test("rounds that did not count", () => {
  expect(notes(0.021, { ...quiet, tried: 20, quiet: 13, counted: 13 })).toEqual([
    "Other programs took 2.1 % of the processors' time in the median of 20 rounds.",
    "7 of 20 rounds had more than 5 % of the processors' time taken by other programs and were not counted; close other programs or measure again.",
  ]);
});

test("too few that did: all are counted, and the ratios marked", () => {
  const busy = { batch: 8, tried: 30, quiet: 2, counted: 30, foreignLoad: 0.4, isReliable: false };
  expect(notes(0.3, quiet, busy, { ...busy, batch: 32, quiet: 0 }).slice(1)).toEqual([
    "† not reliable: at batch size 8 only 2 of 30 rounds had at most 5 % of the processors' time taken by other programs, so all are counted; close other programs and measure again.",
    "† not reliable: at batch size 32 none of 30 rounds had at most 5 % of the processors' time taken by other programs, so all are counted; close other programs and measure again.",
  ]);
  const report = sampleBench();
  const [first] = benchTable({ ...report, rows: report.rows.map((row) => ({ ...row, isReliable: false })) }).rows;
  expect(first).toContain("1.00x†");
});

test("a system that does not tell", () => {
  const unknown = { ...quiet, quiet: null, foreignLoad: null, isReliable: null };
  expect(notes(null, unknown)).toEqual([
    "All 40 rounds were counted: what other programs did meanwhile is not known on this system.",
  ]);
});

test("what earlier versions wrote has no notes and no processor time", () => {
  const { foreignLoad: _, rounds: __, rows, ...rest } = sampleBench();
  const earlier = rows.map(({ processorMs: ___, isReliable: ____, ...row }) => row);
  const report = { ...rest, rows: earlier } as unknown as BenchReport;
  expect(benchNotes(report)).toEqual([]);
  expect(benchTable(report).head).not.toContain("processor ms");
  expect(benchTable(report).rows[0]).toHaveLength(benchTable(report).head.length);
  expect(benchTable(sampleBench()).head).toContain("processor ms");
});
