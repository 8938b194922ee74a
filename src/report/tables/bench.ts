// A benchmark as people read it: a row a model and batch size, ratios to the first.
import { type BenchReport, type BenchRounds, type BenchRow, MOST_FOREIGN } from "../../jobs/index.ts";
import { bytes, count, decimal, percent } from "../format.ts";
import type { TextTable } from "./table.ts";

/** Every row; ratios are to the first model at the same batch size. */
export function benchTable({ rows }: BenchReport): TextTable {
  const hasPhases = rows.some(isWriting);
  // what earlier versions wrote has none
  const hasProcessor = rows.every(({ processorMs }) => processorMs !== undefined);
  return {
    head: [
      "model",
      "weights",
      ...(hasPhases ? ["phase"] : []),
      "batch",
      "p50 ms",
      "p95 ms",
      ...(hasProcessor ? ["processor ms"] : []),
      "tokens/s",
      "of first",
      "load ms",
      "peak memory",
      "file",
    ],
    rows: rows.map((row) => [
      nameOf(row),
      row.precision,
      ...(hasPhases ? [PHASES[row.phase]] : []),
      String(row.batch),
      decimal(row.latencyMs.p50, 2),
      decimal(row.latencyMs.p95, 2),
      ...(hasProcessor ? [decimal(row.processorMs, 2)] : []),
      count(row.tokensPerSecond),
      `${decimal(row.ratioToFirst, 2)}x${row.isReliable === false ? UNRELIABLE : ""}`,
      count(row.loadMs),
      bytes(row.peakRssBytes),
      bytes(row.fileBytes),
    ]),
    align: hasPhases ? ["left", "left", "left"] : ["left", "left"],
  };
}

/** Behind a ratio for which too few rounds were quiet. */
const UNRELIABLE = "†";

const PHASES = { encode: "reading", decode: "a token", generate: "whole texts" } as const;

/** Whether a row is of a model that writes, when it writes. */
export const isWriting = ({ phase }: BenchRow): boolean => phase === "decode" || phase === "generate";

/** Multiply–accumulates and the energy estimate, a row a model. */
export function arithmeticTable({ rows }: BenchReport): TextTable {
  const known = rows.filter(({ estimate, batch }) => estimate !== null && batch === rows[0]!.batch);
  const hasPhases = rows.some(isWriting);
  return {
    head: [
      "model",
      "weights",
      ...(hasPhases ? ["phase"] : []),
      "MACs a token",
      "without zeros",
      "µJ a token*",
      "without zeros*",
    ],
    rows: known.map((row) => [
      nameOf(row),
      row.precision,
      ...(hasPhases ? [PHASES[row.phase]] : []),
      count(row.estimate!.macs),
      count(row.estimate!.macsWithoutZeros),
      decimal(row.estimate!.energy, 1),
      decimal(row.estimate!.energyWithoutZeros, 1),
    ]),
    align: hasPhases ? ["left", "left", "left"] : ["left", "left"],
  };
}

/** What must be said under the energy columns. */
export const ENERGY_CAVEAT =
  "* estimate for hardware that skips zeros, not a measurement: 45 nm costs of Horowitz, ISSCC 2014 (float32 4.6 pJ, int8 0.3 pJ a multiply–accumulate, DRAM 160 pJ a byte), weights fetched once for a sequence that is read, and for every token that is written";

/** What other programs did meanwhile, and what that means for the figures; nothing of what earlier versions wrote. */
export function benchNotes({ rounds, foreignLoad }: BenchReport): string[] {
  if (rounds === undefined || rounds.length === 0) return [];
  const tried = sum(rounds, (of) => of.tried);
  if (foreignLoad === null)
    return [`All ${tried} rounds were counted: what other programs did meanwhile is not known on this system.`];
  const most = percent(MOST_FOREIGN, 0);
  const reliable = rounds.filter(({ isReliable }) => isReliable !== false);
  const left = sum(reliable, (of) => of.tried - of.counted);
  const notes = [
    `Other programs took ${percent(foreignLoad)} of the processors' time in the median of ${tried} rounds.`,
    ...rounds.filter(({ isReliable }) => isReliable === false).map(unreliableNote),
  ];
  if (left > 0)
    notes.push(
      `${left} of ${sum(reliable, (of) => of.tried)} rounds had more than ${most} of the processors' time taken by other programs and were not counted; close other programs or measure again.`,
    );
  return notes;
}

function unreliableNote({ batch, tried, quiet }: BenchRounds): string {
  const found = quiet === 0 ? "none" : `only ${quiet}`;
  return `${UNRELIABLE} not reliable: at batch size ${batch} ${found} of ${tried} rounds had at most ${percent(MOST_FOREIGN, 0)} of the processors' time taken by other programs, so all are counted; close other programs and measure again.`;
}

const sum = (rounds: readonly BenchRounds[], of: (rounds: BenchRounds) => number) =>
  rounds.reduce((total, each) => total + of(each), 0);

const nameOf = ({ run, engine }: BenchRow) => (engine === "onnxruntime" ? run : `${run} in ${engine}`);
