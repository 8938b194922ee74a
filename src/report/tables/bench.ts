// A benchmark as people read it: a row a model and batch size, ratios to the first.
import type { BenchReport, BenchRow } from "../../jobs/index.ts";
import { bytes, count, decimal } from "../format.ts";
import type { TextTable } from "./table.ts";

/** Every row; ratios are to the first model at the same batch size. */
export function benchTable({ rows }: BenchReport): TextTable {
  const hasPhases = rows.some(isWriting);
  return {
    head: [
      "model",
      "weights",
      ...(hasPhases ? ["phase"] : []),
      "batch",
      "p50 ms",
      "p95 ms",
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
      count(row.tokensPerSecond),
      `${decimal(row.ratioToFirst, 2)}x`,
      count(row.loadMs),
      bytes(row.peakRssBytes),
      bytes(row.fileBytes),
    ]),
    align: hasPhases ? ["left", "left", "left"] : ["left", "left"],
  };
}

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

const nameOf = ({ run, engine }: BenchRow) => (engine === "onnxruntime" ? run : `${run} in ${engine}`);
